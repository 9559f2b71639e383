"""What changes in a message from one occurrence to the next is named by its kind; all else stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.engine.issues.parameters import LINE_MAX, parameterise
from tests.cost import cpu_seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Order 17 failed", "Order <int> failed"),
        ("Order -17 failed", "Order <int> failed"),
        ("no user_17 in shop-4", "no user_<int> in shop-<int>"),
        ("took 1.5 after 3e10", "took <float> after <float>"),
        ("timed out after 30s, 1.5 seconds or 200 ms", "timed out after <duration>, <duration> or <duration>"),
        ("mail to ann.b+x@mail.example.com bounced", "mail to <email> bounced"),
        ("GET https://example.com/a?b=1#c failed", "GET <url> failed"),
        ("postgresql://u@h/db refused", "<url> refused"),
        ("connect to 10.0.0.1:5432 refused", "connect to <ip> refused"),
        ("connect to 2001:db8:0:0:0:0:0:1 or ::1 or fe80::1 refused", "connect to <ip> or <ip> or <ip> refused"),
        ("no host db-1.prod.internal", "no host <hostname>"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id <uuid>"),
        ("at da39a3ee5e6b4b0d3255bfef95601890afd80709", "at <sha1>"),
        ("md5 d41d8cd98f00b204e9800998ecf8427e", "md5 <md5>"),
        (f"image sha256:{'0a' * 32} of {'b3' * 64}", "image sha256:<sha256> of <hex>"),
        ("document 507f1f77bcf86cd799439011", "document <hex>"),
        ("id 01HZXK3V8M3Q4W5E6R7T8Y9V0A", "id <ulid>"),
        ("timed out after 1m30s, 2h5m or 1h0m0.5s", "timed out after <duration>, <duration> or <duration>"),
        ("10MB of 1.5 GiB, 4096 bytes and 12B", "<size> of <size>, <size> and <size>"),
        ("at 20260507T000000Z", "at <date>"),
        ("Thu, 07 May 2026 12:30:59 GMT or Thu May  7 12:30:59 UTC 2026", "<date> GMT or <date> UTC <int>"),
        ("on May 7, 2026 and Friday, 8 May 2026", "on <date> and <date>"),
        ("commit 3f2a1b9 is gone", "commit <git_sha> is gone"),
        ("at 0xdeadBEEF", "at <hex>"),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "<traceparent>"),
        ("since 2026-05-07T00:00:00.123Z", "since <date>"),
        ("since 2026-05-07 or 12/05/2026 or 7 May 2026", "since <date> or <date> or <date>"),
        ("at 12:30:59", "at <date>"),
        ("no 'sku' in \"cart\" of `shop`", "no <quoted> in <quoted> of <quoted>"),
        ("retry=true, dry=False", "retry=<bool>, dry=<bool>"),
    ],
)
def test_parameters_are_replaced(text: str, expected: str) -> None:
    """Each kind is found where people write it."""
    assert parameterise(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "utf8 over http2 by sha256",
        "can't find what isn't there",
        "shop.cart.total is None",
        "v1.2.3",
        "std::map<int>",
        "deadbeefdeadbeef by MAY2 and Sun",
        "MARCH TO NOVEMBER BY 12MBX",
        "true",
    ],
)
def test_words_stay(text: str) -> None:
    """What is a word, a name or a version stays, digits or not: it tells problems apart."""
    assert parameterise(text) == text


def test_only_the_first_line_counts() -> None:
    """Blank lines before it are skipped, what follows and what is beyond the bound is left out."""
    assert parameterise("\n  \n first 1\nsecond") == "first <int>"
    assert parameterise("x" * 5000) == "x" * LINE_MAX
    assert parameterise(" \n ") == ""


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "1.",
        "a@",
        "ab-",
        "0",
        "a.b",
        ":",
        "1:",
        "'",
        "-1",
        "abcdef1",
        "http://",
        "::1",
        "a1_",
        "1m",
        "Mon May 1",
        "0a",
    ],
)
def test_it_is_quick_on_the_worst(unit: str) -> None:
    """Text that is made to be slow costs less than 20 ms."""
    text = unit * 2000
    assert cpu_seconds(lambda: parameterise.__wrapped__(text)) < 0.02  # not what is remembered of it


@given(st.text(max_size=300))
def test_it_takes_any_text(text: str) -> None:
    """No text is too strange, and what was replaced stays replaced."""
    assert isinstance(parameterise(text), str)
