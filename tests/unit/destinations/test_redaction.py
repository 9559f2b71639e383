"""Secrets taken out of what people see."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretBytes, SecretStr

from alertd.destinations.base import HttpRequest
from alertd.destinations.redaction import BODY_MAX, REDACTED, Redactor, credentials_of, secrets_of
from alertd.model.delivery import ANSWER_MAX

HOOK = "https://hooks.example.com:8443/services/T000/B000/abcdefgh1234?sig=s3cr3t-sig"


@given(st.text(min_size=4), st.text(), st.text())
def test_a_secret_is_found_in_any_spelling(secret: str, before: str, after: str) -> None:
    """As it is, and as URLs, JSON and base64 write it."""
    raw = secret.encode("utf-8", "surrogatepass")
    for form in (secret, quote(raw, safe=""), json.dumps(secret)[1:-1], base64.b64encode(raw).decode()):
        assert Redactor([secret]).text(f"§{form}§") == f"§{REDACTED}§"


@pytest.mark.parametrize(
    "form",
    [
        r"a/b+c &lt;d&gt;&amp;&#39;e&#34;",
        r"a/b+c &lt;d&gt;&amp;&#x27;e&quot;",
        r"a/b+c &lt;d&gt;&amp;&#039;e&quot;",
        r"a/b+c &lt;d&gt;&amp;'e" + '"',
        r"a\/b+c <d>&'e\"",
        r"a/b+c \u003cd\u003e\u0026'e\"",
        r"a/b\u002Bc \u003Cd\u003E\u0026\u0027e\u0022",
        "a%2fb%2bc%20%3cd%3e%26%27e%22",
    ],
)
def test_a_secret_is_found_as_pages_and_other_languages_write_it(form: str) -> None:
    """Escapes of HTML, and of JSON as PHP, Go and .NET write it, are seen through."""
    assert Redactor(["a/b+c <d>&'e\""]).text(f"no {form}!") == f"no {REDACTED}!"


@pytest.mark.parametrize("prefix", ["whsec_", "whsk_"])
def test_a_key_is_a_secret_without_what_says_that_it_is_one(prefix: str) -> None:
    """Receivers know a signing key as its base64; of less than eight characters it would be found in words."""
    assert Redactor([f"{prefix}MfKQ9r8G"]).text(f"no MfKQ9r8G, no {prefix}MfKQ9r8G") == f"no {REDACTED}, no {REDACTED}"
    assert Redactor([f"{prefix}MfKQ9r8"]).text(f"no MfKQ9r8, no {prefix}MfKQ9r8") == f"no MfKQ9r8, no {REDACTED}"


def test_a_secret_is_found_on_one_line() -> None:
    """Reasons are kept on one line: blanks in a row become one there."""
    assert Redactor(["two  words\tor more"]).text("no two words or more") == f"no {REDACTED}"


def test_what_follows_the_word_in_a_header_that_authorises() -> None:
    """A token is a secret without its scheme, and a cookie's value without its name; other headers' words are words."""
    headers = {
        "Authorization": SecretStr('Token token="abcdef123456", user=ann'),
        "cookie": SecretStr("session=0123456789; theme=dark"),
        "X-Auth-Token": SecretStr("Bearer fedcba987654"),
        "X-Team": SecretStr("payments production"),
    }
    found = set(credentials_of(headers))
    assert {"abcdef123456", "0123456789", "fedcba987654"} <= found
    assert not found & {"production", "payments", "ann", "dark", "Bearer", "Token"}
    assert Redactor(found).text("no token abcdef123456 is known") == f"no token {REDACTED} is known"


@given(st.text(min_size=8, max_size=40), st.binary(max_size=9), st.binary(max_size=9))
def test_a_secret_is_found_within_base64(secret: str, before: bytes, after: bytes) -> None:
    """In the base64 of a longer text nothing is left of it but what shares characters with its neighbours."""
    raw = secret.encode("utf-8", "surrogatepass")
    text = base64.b64encode(before + raw + after).decode()
    redacted = Redactor([secret]).text(f"Basic {text}")
    assert REDACTED in redacted
    assert len(redacted) <= len(f"Basic {text}") - len(raw) + len(REDACTED) + 4


@pytest.mark.parametrize("secret", ["http:///abcdef", "https://", "http://[abcdef", "http://?abcdef"])
def test_a_secret_that_only_begins_like_an_address(secret: str) -> None:
    """What has no host is a text like any other."""
    assert Redactor([secret]).text(f"no {secret} here") == f"no {REDACTED} here"


def test_a_half_read_query() -> None:
    """A secret with blanks is found also where plus signs stand for them and nothing else is encoded."""
    assert Redactor(["s3cr3t & \u00fcber"]).text("?k=s3cr3t+&+\u00fcber") == f"?k={REDACTED}"


@pytest.mark.parametrize("kept", [6, 7, 12, 23])
def test_the_beginning_of_a_secret_is_one_where_a_text_was_cut(kept: int) -> None:
    """A secret that was cut, by our mark or by the bound of an answer, is taken out as far as it is there."""
    secret = "abcabcabcabc0123456789xyz"  # noqa: S105 - a test
    redactor, stump = Redactor([secret]), secret[:kept]
    assert redactor.text(f"returned 400: no {stump}…") == f"returned 400: no {REDACTED}…"
    assert (
        redactor.text(f"{stump}… and {stump}…; it may have arrived")
        == f"{REDACTED}… and {REDACTED}…; it may have arrived"
    )
    whole = ("." * (ANSWER_MAX - kept) + stump).encode()
    assert redactor.data(whole) == whole.replace(stump.encode(), REDACTED.encode())


def test_a_beginning_elsewhere_is_left_alone() -> None:
    """Where nothing was cut, and for a few characters, the beginning of a secret is a word like any other."""
    redactor = Redactor(["abcabcabcabc0123456789xyz", HOOK])
    for text in (
        "abcabc is fine",
        "it ends with abcabc",
        "cut after abcab…",
        "see http…",
        "see https://hooks.example…",
    ):
        assert redactor.text(text) == text
    for data in (b"." * (ANSWER_MAX - 7) + b"abcabc", b"." * ANSWER_MAX):
        assert redactor.data(data) is data


@given(st.text(min_size=7), st.integers(min_value=6), st.text())
def test_no_cut_shows_the_beginning_of_a_secret(secret: str, kept: int, before: str) -> None:
    """Wherever a text ends within a secret, its beginning is not there any more."""
    stump = secret[:kept]
    redacted = Redactor([secret]).text(f"{before}\x00{stump}…")
    assert not redacted.endswith(f"\x00{stump}…") or len(stump) < 6 or secret.startswith("http")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"POST {HOOK} failed", f"POST https://hooks.example.com:8443/{REDACTED} failed"),
        ("no /services/T000/B000/abcdefgh1234 here", f"no {REDACTED} here"),
        ("unknown token abcdefgh1234", f"unknown token {REDACTED}"),
        ("no hook services/T000/B000/abcdefgh1234", f"no hook {REDACTED}"),
        ("bad signature s3cr3t-sig", f"bad signature {REDACTED}"),
        ("T000 is a team", "T000 is a team"),
        ("hooks.example.com is down", "hooks.example.com is down"),
    ],
)
def test_of_a_secret_address_the_host_is_shown(text: str, expected: str) -> None:
    """Its path and the longer parts of it are secrets wherever they stand; host and short parts are not."""
    assert Redactor([HOOK]).text(text) == expected


def test_nothing_is_taken_out_without_secrets() -> None:
    """An empty secret is none; bytes that are no text stay as they are."""
    redactor = Redactor(["", "hunter2"])
    assert redactor.text("abc") == "abc"
    assert redactor.data(b"\xff\x00abc") == b"\xff\x00abc"
    assert redactor.data(b"\xffhunter2") == b"\xff" + REDACTED.encode()


def test_a_longer_secret_goes_first() -> None:
    """A secret that contains another one leaves nothing of itself."""
    assert Redactor(["abc", "abcdef"]).text("abcdef") == REDACTED


def test_a_request_is_shown_without_secrets() -> None:
    """Address, headers and body are shown; headers that authorise are never."""
    headers = {"Authorization": "Basic dTpw", "x-team": "ops hunter2", "content-type": "text/plain"}
    request = HttpRequest(HOOK, b"body with hunter2 " + b"x" * BODY_MAX, headers)
    shown = Redactor([HOOK, "hunter2"]).preview(request)
    assert shown.target == f"POST https://hooks.example.com:8443/{REDACTED}"
    assert shown.headers == {
        "Authorization": REDACTED,
        "x-team": f"ops {REDACTED}",
        "content-type": "text/plain",
    }
    assert shown.body.startswith(f"body with {REDACTED} ")
    assert len(shown.body) == BODY_MAX


class Inner(BaseModel):
    """Settings inside settings."""

    key: SecretBytes


class Settings(BaseModel):
    """Settings with secrets in all places."""

    name: str
    one: SecretStr
    many: tuple[SecretStr, ...]
    named: dict[str, SecretStr]
    inner: Inner | None = None


def test_secrets_are_found_at_any_depth() -> None:
    """Every secret of the settings, and nothing else."""
    made = Settings.model_validate(
        {"name": "n", "one": "1", "many": ["2", "3"], "named": {"a": "4"}, "inner": {"key": "5"}}
    )
    assert sorted(secrets_of(made)) == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("secret", ["k", "1", "abc", "€"])
def test_what_is_too_short_to_guard_anything_is_left_alone(secret: str) -> None:
    """A secret of less than four characters would be found in ordinary words, so it is not looked for in any spelling."""
    texts = [
        secret,
        "webhook: returned 401, attempt 1 of abc",
        base64.b64encode(secret.encode()).decode(),
        quote(secret),
    ]
    redactor = Redactor([secret, "abcd"])
    assert [redactor.text(text) for text in texts] == texts
    assert redactor.data(b"webhook 1 abc") == b"webhook 1 abc"
    assert redactor.text("the abcd of it") == f"the {REDACTED} of it"


def test_a_header_that_carries_a_login_is_hidden_however_short() -> None:
    """Its name says what it is."""
    shown = Redactor(["k"]).preview(HttpRequest("https://example.com/k", b"k", {"Authorization": "k", "X-K": "k"}))
    assert shown.headers == {"Authorization": REDACTED, "X-K": "k"}
