"""Addresses of e-mail, the platform's mail server, and what a destination lays over it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from alertd.destinations.email_recipients import recipients_of
from alertd.destinations.email_settings import EmailSettings
from alertd.destinations.mail_address import ADDRESS_MAX, Mailbox, parse_address, parse_mailbox
from alertd.destinations.mail_server import MailServer
from alertd.destinations.people import People
from alertd.model.workspace import Person

PLATFORM = MailServer.model_validate(
    {"host": "smtp.example.com", "username": "u", "password": "platform-pass", "from": "alerts@example.com"}
)

LOGIN = {"username": "v", "password": "w"}


@pytest.mark.parametrize("text", ["a@example.com", "first.last+tag@sub.example.com", "root@localhost", "o'x@a-b.de"])
def test_usual_addresses(text: str) -> None:
    """An address that SMTP can carry is read as it is."""
    assert parse_address(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "a",
            "@b.c",
            "a@",
            "a b@c.d",
            "a@b c",
            "a@b@c.d",
            ".a@b.c",
            "a.@b.c",
            "a..b@c.d",
            '"a b"@c.d',
            "a@[1.2.3.4]",
        ),
        *(
            "a@-b.c",
            "a@b..c",
            "a\r\nb@c.d",
            "a@b.c\r\nBcc: x@y.z",
            "a@b.c>",
            "<a@b.c",
            "ä@b.c",
            "a\0@b.c",
            "a@b.c,d@e.f",
        ),
    ],
)
def test_unusual_addresses_are_refused(text: str) -> None:
    """What could end a header or a command, or needs quotes, is no address."""
    with pytest.raises(ValueError, match="an address such as"):
        parse_address(text)


def test_bounds_of_an_address() -> None:
    """64 characters before the @ and 254 in all are read, one more of either is not."""
    domain = ".".join(["d" * 60] * 3) + ".example"
    longest = "a" * (ADDRESS_MAX - len(domain) - 1) + "@" + domain
    assert parse_address(longest) == longest
    assert parse_address("a" * 64 + "@b.c")
    for text in ("a" + longest, "a" * 65 + "@b.c"):
        with pytest.raises(ValueError, match="an address"):
            parse_address(text)


def test_a_name_beside_an_address() -> None:
    """A name is kept, a domain in another script is written as DNS holds it."""
    assert parse_mailbox("Ann Lee <ann@Example.com>") == Mailbox("ann@example.com", "Ann Lee")
    assert parse_mailbox("ann@bücher.example") == Mailbox("ann@xn--bcher-kva.example")
    with pytest.raises(ValueError, match="on one line"):
        parse_mailbox("Ann\r\nBcc: <ann@example.com>")


@given(text=st.text(max_size=300))
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    """Whatever is read has no character that could end a command."""
    try:
        mailbox = parse_mailbox(text)
    except ValueError:
        return
    assert mailbox.address.isascii()
    assert not set(mailbox.address) & set(' \t\r\n<>,;:"()[]\\')
    assert mailbox.name.isprintable()


@pytest.mark.parametrize(("tls", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_goes_with_tls(tls: str, port: int) -> None:
    """Where no port is set, it is the usual one."""
    assert MailServer.model_validate({"host": "x.example", "tls": tls}).effective_port == port
    assert MailServer.model_validate({"host": "x.example", "tls": tls, "port": 2525}).effective_port == 2525


@pytest.mark.parametrize(
    "host", ["", "http://x.example", "x.example:25", "x.example/y", "x y", "0x7f.1", "a@b.c", "x.example?y", "x#y"]
)
def test_a_host_is_a_host(host: str) -> None:
    """Anything but a name or an address is refused."""
    with pytest.raises(ValidationError, match="a host name or an address"):
        MailServer.model_validate({"host": host})


@pytest.mark.parametrize("host", ["smtp.example.com", "localhost", "10.0.0.1", "::1", "2001:db8::1"])
def test_hosts(host: str) -> None:
    """Names and addresses of both kinds are read."""
    assert MailServer.model_validate({"host": host}).host == host


def test_without_a_from_alertd_writes() -> None:
    """Where nobody said who writes, it is alertd at the server's host."""
    assert MailServer(host="smtp.example.com").sender == Mailbox("alertd@smtp.example.com", "alertd")
    assert MailServer(host="127.0.0.1").sender == Mailbox("alertd@localhost", "alertd")


@pytest.mark.parametrize("field", ["username", "password"])
def test_a_login_is_on_one_line(field: str) -> None:
    """A line break cannot get into a command, and the secret is in no error."""
    with pytest.raises(ValidationError) as caught:
        MailServer.model_validate({field: "s3cr\r\nRSET"})
    assert "s3cr" not in str(caught.value)


def overridden(**settings: Any) -> MailServer:
    """Lay settings over the platform's."""
    return EmailSettings.model_validate({"to": ["a@b.c"], **settings}).server(PLATFORM)


def test_a_destination_may_override_each() -> None:
    """What a destination does not say is the platform's."""
    assert overridden() == PLATFORM
    assert overridden(port=26).effective_port == 26
    assert overridden(tls="tls").effective_port == 465
    assert overridden(**{"from": "me@example.com"}).sender.address == "me@example.com"
    own = overridden(**LOGIN)
    assert (own.username, own.password) == ("v", SecretStr("w"))
    assert overridden(**{**LOGIN, "username": None}).username == "u"


def test_the_platform_s_login_goes_to_its_own_server_alone() -> None:
    """A destination that names another host gets nothing of the login; with the same host it does."""
    other = overridden(host="evil.example", tls="starttls")
    assert (other.host, other.username, other.password) == ("evil.example", None, None)
    assert overridden(host="evil.example", username="u").password is None
    assert overridden(host="SMTP.example.com").password == PLATFORM.password


@pytest.mark.parametrize("to", [[], ["@"], ["@ "], ["x"], ["a@b.c\nd"], ["@bo\nb"], [""]])
def test_recipients_are_checked(to: list[str]) -> None:
    """A recipient is an address or a name behind an @, and there is at least one."""
    with pytest.raises(ValidationError):
        EmailSettings.model_validate({"to": to})


def test_at_most_ten_addresses() -> None:
    """Ten addresses are taken, eleven are not, unless the setting says so."""
    eleven = [f"a{number}@example.com" for number in range(11)]
    assert EmailSettings.model_validate({"to": eleven[:10]})
    assert EmailSettings.model_validate({"to": [*eleven[:10], "@owner"]})
    assert EmailSettings.model_validate({"to": eleven, "recipients_max": 11})
    with pytest.raises(ValidationError, match=r"at most 10 addresses \(recipients_max\)") as caught:
        EmailSettings.model_validate({"to": eleven})
    assert [error["loc"] for error in caught.value.errors(include_input=False)] == [("to",)]
    with pytest.raises(ValidationError) as caught:
        EmailSettings.model_validate({"to": eleven, "recipients_max": 0})
    assert [error["loc"] for error in caught.value.errors(include_input=False)] == [("recipients_max",)]


@pytest.mark.parametrize("prefix", ["a\nb", " a", "", "x" * 41])
def test_a_prefix_is_short_and_on_one_line(prefix: str) -> None:
    """A subject's prefix cannot end the header."""
    with pytest.raises(ValidationError):
        EmailSettings.model_validate({"to": ["a@b.c"], "subject_prefix": prefix})


def test_recipients_of_several_projects() -> None:
    """Everybody is written to once, whatever they are called."""
    ann, bob = Person(name="Ann", email="ann@example.com"), Person(name="Bob B", email="bob@example.com")
    people = [People(ann, (bob,)), People(bob, ()), People()]
    found = recipients_of(["@owner", "@bob b", "Bob@example.com", "@carl"], people, 10)
    assert [each.address for each in found.mailboxes] == ["ann@example.com", "bob@example.com"]
    assert not found.left_out


@pytest.mark.parametrize(
    ("mail", "own", "named"),
    [
        ({"host": "smtp.example.com", "tls": "none"}, {}, None),  # told of the platform's own setting
        ({"host": "smtp.example.com"}, {"tls": "none"}, "tls"),
        ({"host": "localhost", "tls": "none"}, {"host": "smtp.example.com"}, "host"),
        ({"host": "localhost", "tls": "none"}, {"host": "smtp.example.com", "tls": "tls"}, None),
        ({"host": "smtp.example.com"}, {"host": "127.0.0.1", "tls": "none"}, None),
        ({}, {"tls": "none"}, None),
    ],
)
def test_no_letter_leaves_the_machine_bare(mail: dict[str, str], own: dict[str, str], named: str | None) -> None:
    """The destination's own setting that makes it so is named, with the reason."""
    found = EmailSettings(to=("a@example.com",), **own).bare(MailServer.model_validate(mail))
    assert (found and found[0]) == named
    assert found is None or "smtp.example.com is not it" in found[1]
