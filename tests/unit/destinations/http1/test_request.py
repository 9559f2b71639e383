"""The bytes of a request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from alertd.destinations.base import HttpRequest
from alertd.destinations.http1 import request as subject
from alertd.destinations.http1.request import Writer

URL_TEXT = "http://hook.example:8080/a?b=%25c"


def test_whole_request() -> None:
    """The line, the host, the sender's own headers, those that were given, the length, and the body."""
    written = Writer(URL(URL_TEXT)).write(HttpRequest(URL_TEXT, b"{}", {"X-A": "b", "content-type": "text/x"}))
    assert written == (
        b"POST /a?b=%25c HTTP/1.1\r\nHost: hook.example:8080\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
        b"User-Agent: alertd\r\nX-A: b\r\ncontent-type: text/x\r\nContent-Length: 2\r\n\r\n{}"
    )


def test_form_is_used_again_for_the_same_names_only() -> None:
    """Another method, other names and another order are other forms; other values are not."""
    writer = Writer(URL(URL_TEXT))
    one = writer.write(HttpRequest(URL_TEXT, b"", {"a": "1", "b": "2"}))
    assert writer.write(HttpRequest(URL_TEXT, b"", {"b": "2", "a": "1"})) != one
    assert writer.write(HttpRequest(URL_TEXT, b"", {"a": "1", "b": "2"}, "PUT")).startswith(b"PUT ")
    assert b"a: 3\r\nb: 4\r\n" in writer.write(HttpRequest(URL_TEXT, b"", {"a": "3", "b": "4"}))
    assert len(writer._forms) == 3


def test_forms_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that never come again do not pile up."""
    monkeypatch.setattr(subject, "FORMS_MAX", 3)
    writer = Writer(URL(URL_TEXT))
    for number in range(10):
        assert f"x-{number}: y\r\n".encode() in writer.write(HttpRequest(URL_TEXT, b"", {f"x-{number}": "y"}))
        assert len(writer._forms) <= 3


@given(
    st.dictionaries(st.from_regex(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}", fullmatch=True), st.text(), max_size=5),
    st.binary(),
)
def test_nobody_breaks_out(headers: dict[str, str], body: bytes) -> None:
    """Whatever the values are: either the request is refused, or it has exactly the headers that were given."""
    given_names = {name.lower() for name in headers}
    try:
        written = Writer(URL(URL_TEXT)).write(HttpRequest(URL_TEXT, body, headers))
    except ValueError:
        return
    head, _, rest = written.partition(b"\r\n\r\n")
    assert rest == body
    lines = head.split(b"\r\n")[1:]
    own = 2 + len(subject.OWN.keys() - given_names)
    assert len(lines) == len(headers) + own
    assert b"\n" not in b"".join(lines)
    assert b"\r" not in b"".join(lines)
    for name, value in headers.items():
        assert f"{name}: {value}".encode() in lines


@pytest.mark.parametrize("value", ["a\r", "a\n", "a\0", "\ud800"])
def test_value_that_http_cannot_carry(value: str) -> None:
    """Such a value is an error that does not repeat it."""
    with pytest.raises(ValueError, match=r"(?s)^(?!.*hunter2)"):
        Writer(URL(URL_TEXT)).write(HttpRequest(URL_TEXT, b"", {"x": "hunter2" + value}))


@pytest.mark.parametrize("method", ["CONNECT", "G T", ""])
def test_method_that_is_refused(method: str) -> None:
    """A method is one word, and asks for no tunnel."""
    with pytest.raises(ValueError, match=r"CONNECT|characters"):
        Writer(URL(URL_TEXT)).write(HttpRequest(URL_TEXT, b"", method=method))
