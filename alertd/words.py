"""Plain words for what pydantic found wrong with a document: what was found and what was expected."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails

HIDDEN = "a value that is not shown"
_TIME = "an RFC 3339 time with its offset, such as 2026-05-07T00:00:00Z"
_KINDS = {
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "set": "a list",
    "frozen_set": "a list",
    "dict": "a mapping",
    "mapping": "a mapping",
    "model": "a mapping",
    "model_attributes": "a mapping",
    "finite_number": "a finite number",
    "datetime": _TIME,
    "datetime_from_date": _TIME,
    "timezone_aware": _TIME,
}
_ENDINGS = ("_type", "_parsing", "_from_float", "_parsing_size", "")
_COMPARISONS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "of at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "of at most"),
}
_FORMS = {
    r"^[a-z0-9_-]{1,64}$": "lower-case letters, digits, - and _, 1 to 64 characters",
    r"^[!-~]{1,256}$": "an event's type: printable ASCII without spaces, 1 to 256 characters",
    r"^[^\x00-\x1f\x7f-\x9f]{1,128}$": "1 to 128 characters, none of them a control character",
    r"^[^@\s]+@[^@\s]+$": "an e-mail address",
    r"^[a-zA-Z0-9._-]{1,249}$": "letters, digits, ., _ and -, 1 to 249 characters",
}
_UNITS = ("seconds", "bytes", "days")
_NUMBER = re.compile(r"^a (?:whole |finite )?number(?= |$)")
_DAYS = re.compile(r"(?<=[a-z] )\d{6,12}$")
_OWN_WORDS = {"value_error", "assertion_error", "needed"}
_QUOTED = re.compile(r"""(?P<quote>['"`])(?P<text>[^'"`]+)(?P=quote)""")
_SUGGESTIONS_MIN = 0.6
SHOWN_KEYS = 24
"""Keys that are named at most where an unknown one was found."""


def expected_of(error: ErrorDetails, annotation: Any) -> str:
    """Say what was expected at the place of an error whose field has the type `annotation`."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in _OWN_WORDS:
        return str(context.get("error", error["msg"]))
    if kind == "missing":
        return "a value: it is required"
    if kind in {"literal_error", "enum"}:
        alternatives = _alternatives(annotation)
        return one_of(alternatives) if alternatives else str(context["expected"])
    if kind in _COMPARISONS:
        key, words = _COMPARISONS[kind]
        bound = context[key]
        return f"a whole number {words} {bound}" if annotation is int else f"a number {words} {bound:.15g}"
    return _sized(kind, context) or _typed(kind) or error["msg"][:1].lower() + error["msg"][1:]


def with_unit(expected: str, name: str | int) -> str:
    """Say of a number what it counts, where the name of its field tells."""
    unit = next((unit for unit in _UNITS if str(name).endswith(f"_{unit}")), None)
    if unit is None:
        return expected
    told = _NUMBER.sub(rf"\g<0> of {unit}", expected, count=1)
    return _DAYS.sub(_with_days, told) if unit == "seconds" and told != expected else told


def _with_days(found: re.Match[str]) -> str:
    """Write so many seconds, and how many days they are where they are whole days, and two at least."""
    days, rest = divmod(int(found[0]), 86_400)
    return found[0] if rest or days < 2 else f"{found[0]} ({days} days)"  # noqa: PLR2004 - as it says


def unknown_key(key: str, known: Iterable[str]) -> tuple[str, str]:
    """Say of an unknown key what was found and what was expected, with a suggestion."""
    names = list(known)
    return f"unknown key {key!r}", f"{one_of(names)}{suggestion(key, names) or _meant(key, names)}"


def suggestion(text: str, known: Iterable[str]) -> str:
    """Give `; did you mean 'x'?` when something known is close, else nothing."""
    close = get_close_matches(text, list(known), n=1, cutoff=_SUGGESTIONS_MIN)
    return f"; did you mean {close[0]!r}?" if close else ""


def _meant(key: str, known: Iterable[str]) -> str:
    """Suggest the longest key all of whose words are in this one, such as `url` for `webhook_url`; else nothing."""
    words = set(key.lower().replace("-", "_").split("_"))
    within = [name for name in known if words >= set(name.split("_"))]
    return f"; did you mean {max(within, key=len)!r}?" if within else ""


def with_article(noun: str) -> str:
    """Write `a channel`, `an event type`."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def one_of(names: Iterable[str]) -> str:
    """Write alternatives, the first of them when there are many."""
    every = list(names)
    if not every:
        return "nothing here"
    more = ", …" if len(every) > SHOWN_KEYS else ""
    return ("one of " if len(every) > 1 else "") + ", ".join(every[:SHOWN_KEYS]) + more


def without_quotes_of(message: str, value: Any) -> str:
    """Take out of a message what it quotes of a value that must not be shown."""
    text = value if isinstance(value, str) else str(value)
    if isinstance(value, dict | list):
        return message
    shortened = _QUOTED.sub(lambda found: HIDDEN if found["text"] in text else found[0], message)
    inside = r"[\w./@-]"  # what only holds the text as a part is an example of ours, such as an address
    return re.sub(f"(?<!{inside}){re.escape(text)}(?!{inside})", HIDDEN, shortened) if text else shortened


def _alternatives(annotation: Any) -> list[str]:
    members = getattr(annotation, "__members__", None)
    if members is not None:
        return [str(member.value) for member in members.values()]
    return [str(argument) for argument in get_args(annotation)]


def _sized(kind: str, context: dict[str, Any]) -> str | None:
    match kind:
        case "string_too_short":
            return (
                "a text that is not empty"
                if context["min_length"] == 1
                else f"at least {context['min_length']} characters"
            )
        case "string_too_long":
            return f"a text of at most {context['max_length']} characters"
        case "too_short":
            return "at least one of them" if context["min_length"] == 1 else f"at least {context['min_length']} of them"
        case "too_long":
            return f"at most {context['max_length']} of them"
        case "string_pattern_mismatch":
            return _FORMS.get(context["pattern"], f"a text of the form {context['pattern']}")
    return None


def _typed(kind: str) -> str | None:
    for ending in _ENDINGS:
        if kind.endswith(ending) and kind.removesuffix(ending) in _KINDS:
            return _KINDS[kind.removesuffix(ending)]
    return None
