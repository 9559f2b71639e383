"""Text that UTF-8 can carry. Bytes from outside that are none reach us as lone surrogates."""

from __future__ import annotations


def sayable(text: str) -> str:
    """Give a text with a question mark for each lone surrogate."""
    return text.encode("utf-8", "replace").decode()
