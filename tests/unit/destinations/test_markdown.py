"""Markdown in which an event's text says nothing but itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.destinations.limits import json_bytes
from alertd.destinations.markdown import BREAK, address, escape, fenced, inert, link, quiet

hostile = st.text("@<>]![(`*_#~|\\ ab\n\u200b", max_size=60)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@here", f"@{BREAK}here"),
        ("<!here>", f"<{BREAK}!{BREAK}here>"),
        ("[a](b)", f"[a]{BREAK}(b)"),
        ("```", f"`{BREAK}`{BREAK}`"),
        ("&#64;all &commat;all & &", f"&{BREAK}#64;all &{BREAK}commat;all & &"),
        ("a_b *c*", "a_b *c*"),
    ],
)
def test_inert(text: str, expected: str) -> None:
    """Mentions, control sequences, links and code blocks are broken; nothing else changes."""
    assert inert(text) == expected


def test_escape() -> None:
    """What formats is escaped, too."""
    assert escape("a_b *c* #d ~e~ |f| `g` > h \\") == "a\\_b \\*c\\* \\#d \\~e\\~ \\|f\\| \\`g\\` \\> h \\\\"


@given(hostile)
def test_nothing_is_lost(text: str) -> None:
    """Without the breaks, the text is what it was."""
    plain = text.replace(BREAK, "")
    assert inert(plain).replace(BREAK, "") == plain
    assert quiet(plain).replace(BREAK, "") == plain


@given(text=hostile, limit=st.integers(0, 90))
def test_a_code_block_holds(text: str, limit: int) -> None:
    """A text cannot end the block that it stands in, and the whole keeps to the limit."""
    found = fenced(text, limit, measure=json_bytes)
    assert json_bytes(found) <= limit
    assert found.count("```") in {0, 2}
    assert not found or (found.startswith("```\n") and found.endswith("\n```"))


def test_a_link() -> None:
    """An address cannot end its parentheses; without one the label stands alone."""
    assert link("a", "https://x.example/(b)_c*@d") == "[a](https://x.example/%28b%29_c%2A%40d)"
    assert link("a", "") == "a"
    assert address("https://x.example/~a_b") == "https://x.example/~a_b"
