"""Letters: their headers, threads and bounds, and that no text of an event becomes a header or markup."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import SMTP
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st
from typing_extensions import override

from alertd.destinations.composing import content_of
from alertd.destinations.content import COLOURS, RESOLVED_COLOUR
from alertd.destinations.email_html import HTML_MAX, TITLE_MAX, contrast, html_of, ink_on
from alertd.destinations.email_letter import SUBJECT_MAX, Envelope, letter_of
from alertd.destinations.email_text import text_of
from alertd.destinations.mail_address import Mailbox
from tests.conformance.messages import HOSTILE, everywhere, hostile, make_digest, make_event, make_issue, make_message

if TYPE_CHECKING:
    from email.message import EmailMessage

    from alertd.destinations.base import Message
    from tests.conformance.messages import Said

SENDER = Mailbox("alerts@example.com", "Alerts")
OPS = Mailbox("ops@example.com")
OURS = {"html", "head", "meta", "title", "body", "div", "table", "tr", "td", "p", "span", "h1", "a", "br"}
"""Elements that the template has."""


def letter(message: Message, to: Mailbox = OPS, prefix: str | None = "PROD") -> EmailMessage:
    """Write a letter, and read it as a mail program does."""
    written = letter_of(content_of(message), Envelope(SENDER, [to], 1_778_112_000), prefix).as_bytes()
    lines = written.split(b"\r\n")
    assert all(len(line) <= 998 and b"\n" not in line and b"\r" not in line for line in lines)
    assert b"\0" not in written
    return message_from_bytes(written, policy=SMTP)


@pytest.mark.parametrize("colour", [*COLOURS.values(), RESOLVED_COLOUR])
def test_what_stands_on_a_colour_can_be_read(colour: int) -> None:
    """Badges and buttons have text of the contrast that WCAG asks for (AA, 4.5 to 1)."""
    assert contrast(ink_on(colour), colour) >= 4.5


@pytest.mark.parametrize(("first", "second", "found"), [(0, 0xFFFFFF, 21), (0x777777, 0xFFFFFF, 4.48), (5, 5, 1)])
def test_contrast(first: int, second: int, found: float) -> None:
    """It is that of WCAG, in both directions."""
    assert contrast(first, second) == contrast(second, first) == pytest.approx(found, abs=0.01)


def test_nothing_is_said_twice() -> None:
    """What stands around the title is not among the facts; a title without end is cut, and whole in the text."""
    message = make_message(event=make_event(severity="warning", message="x" * 400, data={}), event_type="run:failed")
    html = html_of(content_of(message))
    assert [html.count(f">{word}<") for word in ("Warning", "Severity", "Project", "Environment")] == [1, 0, 0, 0]
    assert "x" * (TITLE_MAX - 1) + "…</" in html
    assert "x" * 400 in letter(message).get_body(("plain",)).get_content()  # type: ignore[union-attr]  # this letter has that part


class Elements(HTMLParser):
    """Collects elements, and the addresses that they lead to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(html)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]

    @override
    def handle_data(self, data: str) -> None:
        self.text += data


def test_that_it_is_over_is_said_once() -> None:
    """Beside the badge, in words of its own, stands what is over."""
    over = make_message(issue=make_issue(state="resolved"), event_type="sentry.error", test=True)
    html = html_of(content_of(over))
    assert ">Resolved<" in html
    assert ">[Test] SHOP-42<" in html
    assert text_of(content_of(over)).startswith("[Test] Resolved SHOP-42\n")


def test_a_time_in_a_list_is_not_broken() -> None:
    """On a telephone it stands on a line of its own; half a date on each would be hard to read."""
    html = html_of(content_of(make_message(digest=make_digest())))
    assert html.count('white-space:nowrap;">2026-05-07 00:00 UTC<') == 20
    assert "run:failed · shop/prod · <span" in html


def check(message: Message) -> None:
    """Assert what holds for every letter."""
    read = letter(message)
    assert read["From"] == "Alerts <alerts@example.com>"
    assert read["To"] == "ops@example.com"
    assert read["Bcc"] is None
    assert len(read.get_all("Subject", [])) == 1
    assert len("".join(read["Subject"].split())) <= SUBJECT_MAX  # a folded header may have gained a space
    assert read["Subject"].startswith("[PROD]")
    assert not read.defects
    text, html = read.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    written = html.get_content()
    assert len(written.encode()) <= HTML_MAX
    found = Elements(written)
    assert found.names <= OURS
    assert not {name for name in found.attributes if name.startswith("on")}
    assert all(link.startswith(("https://", "http://")) and '"' not in link for link in found.links)


@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE.keys())
def test_known_hostility_is_only_text(message: Message) -> None:
    """Whatever is known to be hostile adds no header and no element, and stays within bounds."""
    check(message)


@given(said=hostile())
@profile(suppress_health_check=list(HealthCheck), max_examples=40)
def test_any_text_is_only_text(said: Said) -> None:
    """So does any text of any length in any place."""
    check(said.message())


@given(text=st.text(alphabet="\r\n\t :<>@,;=?_\0\x0b\x85\u2028\u2029aBc-.\U0001f600é", max_size=400))
@profile(max_examples=40)
def test_no_text_ends_a_header(text: str) -> None:
    """Line ends of every kind and all that structures a header stay inside it."""
    for message in (everywhere(text), everywhere(f"x\r\nBcc: evil@example.com\r\n\r\n{text}")):
        read = letter(message)
        assert read["Bcc"] is None
        assert read["To"] == "ops@example.com"


@given(name=st.text(max_size=80))
def test_no_person_s_name_ends_a_header(name: str) -> None:
    """A person's name may be anything that is one line."""
    from alertd.destinations.clean import line  # noqa: PLC0415 - what recipients_of does to it

    read = letter(make_message(), Mailbox("ops@example.com", line(name, 100)))
    assert [each.addr_spec for each in read["To"].addresses] == ["ops@example.com"]


def about_issue(**changes: Any) -> EmailMessage:
    """Write a letter about the issue."""
    return letter(make_message(event=make_event(), issue=make_issue(), trigger="new", **changes))


def test_letters_about_an_issue_are_one_thread() -> None:
    """They refer to the same root; another issue, and what has no key of its own, does not."""
    first, second = about_issue(delivery_id="dlv_1"), about_issue(delivery_id="dlv_2")
    assert first["References"] == second["References"] == first["In-Reply-To"]
    assert first["Message-ID"] != second["Message-ID"]
    assert first["References"] != first["Message-ID"]
    other = letter(make_message(event=make_event(), issue=make_issue(id="iss_43")))
    assert other["References"] != first["References"]
    assert letter(make_message())["References"] is None


def test_a_message_id_is_of_a_delivery_and_a_recipient() -> None:
    """It is the same on every attempt and another for another recipient."""
    first = letter(make_message(attempt=1))["Message-ID"]
    assert letter(make_message(attempt=2))["Message-ID"] == first
    assert letter(make_message(), Mailbox("ann@example.com"))["Message-ID"] != first
    assert first.startswith("<dlv_0001.")
    assert first.endswith("@example.com>")


def test_headers_that_keep_machines_quiet() -> None:
    """No out-of-office answer comes back, and mail programs can file by list."""
    read = letter(make_message())
    assert read["Auto-Submitted"] == "auto-generated"
    assert read["X-Auto-Response-Suppress"] == "All"
    assert read["List-Id"] == "<production-runs.default.alertd.example.com>"
    assert read["Date"] == "Thu, 07 May 2026 00:00:00 +0000"
    assert read["Subject"] == "[PROD] run:failed: Run 17 failed"
    assert letter(make_message(), prefix=None)["Subject"] == "run:failed: Run 17 failed"


def test_both_parts_say_the_same() -> None:
    """Who reads plain text learns what who reads HTML does."""
    text, html = (part.get_content() for part in about_issue().iter_parts())
    shown = Elements(html).text
    for word in (
        "New issue SHOP-42",
        "KeyError: 'sku'",
        "1,240",
        "31",
        "shop",
        "prod",
        "4f2a91c7d0",
        "Ann",
        "payments",
    ):
        assert word in text
        assert word in shown


def test_html_is_one_template_without_anything_from_outside() -> None:
    """Nothing is loaded when a letter is opened."""
    html = html_of(content_of(make_message()))
    assert "<img" not in html
    assert "url(" not in html
    assert "<link" not in html
    assert "<script" not in html
