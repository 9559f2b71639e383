"""The public key of a Sentry SDK, wherever it says it."""

from __future__ import annotations

import pytest

from alertd.sources.sentry_auth import KEY_MAX, SdkKeyError, dsn_key, header_key, key_of

KEY = "e12d836b15bb49d7bbf99e64295d995b"


@pytest.mark.parametrize(
    "header",
    [
        f"Sentry sentry_key={KEY}, sentry_version=7, sentry_client=sentry.python/2.75.0",
        f"Sentry sentry_version=7,sentry_client=x,sentry_key={KEY}",
        f"sentry sentry_secret=s ,  sentry_key = {KEY} ",
        f'Sentry sentry_key="{KEY}"',
        f" Sentry  Sentry_Key={KEY}",
    ],
)
def test_the_header(header: str) -> None:
    """The header is read whatever the order, spaces and case."""
    assert header_key(header) == KEY


@pytest.mark.parametrize(
    "header",
    [None, "", "Sentry", "Sentry ", f"Bearer sentry_key={KEY}", f"sentry_key={KEY}", "Sentry sentry_key=", "ü \udcff"],
)
def test_a_header_without_a_key(header: str | None) -> None:
    """Anything else gives none and raises nothing."""
    assert header_key(header) is None


@pytest.mark.parametrize(
    ("dsn", "key"),
    [
        (f"https://{KEY}@sentry.example/42", KEY),
        (f"https://{KEY}:secret@sentry.example:9000/path/42", KEY),
        (f"https://{KEY}:@sentry.example/42", KEY),
        ("https://sentry.example/42", None),
        ("https://@sentry.example/42", None),
        ("http://[", None),
        ("", None),
        (None, None),
        ("\udcff", None),
    ],
)
def test_the_dsn(dsn: str | None, key: str | None) -> None:
    """The key of a DSN stands before the host; what is no DSN gives none."""
    assert dsn_key(dsn) == key


def test_any_one_is_enough() -> None:
    """One of the four gives the key; several may say the same."""
    header, dsn = f"Sentry sentry_key={KEY}", f"https://{KEY}@x/1"
    assert key_of(header, None, None, None) == KEY
    assert key_of(None, header, None, None) == KEY
    assert key_of(None, None, KEY, None) == KEY
    assert key_of(None, None, None, dsn) == KEY
    assert key_of(header, header, KEY, dsn) == KEY
    assert key_of(None, "Bearer token", "", None) is None


def test_two_that_differ_are_refused() -> None:
    """Keys that disagree are refused, whichever they are."""
    header, dsn = f"Sentry sentry_key={KEY}", "https://other@x/1"
    for given in (
        (header, None, "other", None),
        (header, None, None, dsn),
        (None, None, KEY, dsn),
        (None, header, "o", None),
    ):
        with pytest.raises(SdkKeyError, match="differ"):
            key_of(*given)


def test_a_key_is_bounded() -> None:
    """A key at the bound is one, a longer one is none."""
    assert key_of(None, None, "k" * KEY_MAX, None) == "k" * KEY_MAX
    assert key_of(None, None, "k" * (KEY_MAX + 1), None) is None
