"""Secrets taken out of what people may see: rendered requests, answers, reasons. Pure.

A secret is looked for as it is, and as URLs, JSON, HTML and base64 would write it. An address that is a secret as a whole (an
incoming webhook's) keeps its host, which is what a person needs to know; its path is looked for as well, as providers
repeat it in their answers.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, parse_qsl, quote, quote_plus, urlsplit

from pydantic import BaseModel, SecretBytes, SecretStr

from alertd.destinations.base import Preview
from alertd.model.delivery import ANSWER_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alertd.destinations.base import HttpRequest

REDACTED: Final = "[redacted]"
BODY_MAX: Final = 65_536
"""Characters of a body that a preview shows."""

SECRET_MIN: Final = 4
"""Characters of the shortest secret that is looked for: what is shorter stands within ordinary words, and guards nothing."""

_ALWAYS: Final = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token"})
"""Headers whose values are secrets whatever they say."""
_CUT: Final = "…"
"""What marks a text that was cut."""
_STUMP_MIN: Final = 6
"""Characters from which on the beginning of a secret, where a text was cut, is taken out as well."""
_PART_MIN: Final = 8
"""Characters from which on a part of a secret address, or of a header, is a secret by itself."""
_PERCENT: Final = re.compile(r"%[0-9A-F]{2}")
_PREFIX: Final = re.compile(r"^whs(?:ec|k)_")
"""What says that a key follows, in Standard Webhooks; the key is a secret without it."""
_BETWEEN: Final = re.compile(r"[\s\";,]+")
"""What stands between the words of a header such as `Token token="x", user=y`."""
_IN_HTML: Final = (("&#x27;", "&quot;"), ("&#39;", "&#34;"), ("&#039;", "&quot;"), ("'", '"'))
"""How apostrophes and quotation marks are written, beside `&`, `<` and `>`, which all write alike."""
_IN_SCRIPTS: Final = str.maketrans({each: f"\\u{ord(each):04x}" for each in "&<>"})
_IN_SCRIPTS_MORE: Final = str.maketrans({each: f"\\u{ord(each):04X}" for each in "&<>+'`"})
"""How JSON is written that may stand in HTML."""


class Redactor:
    """Takes a set of secrets out of texts; those of less than `SECRET_MIN` characters are left alone."""

    __slots__ = ("_pairs", "_shortest")

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {form: shown for secret in secrets if len(secret) >= SECRET_MIN for form, shown in _forms(secret)}
        self._pairs = sorted(found.items(), key=lambda pair: -len(pair[0]))
        self._shortest = min(map(len, found), default=1)

    def text(self, text: str) -> str:
        """Take them out of a text; one without any is given back itself."""
        if len(text) < self._shortest and _CUT not in text:
            return text
        for form, shown in self._pairs:
            if form in text:
                text = text.replace(form, shown)
        if _CUT in text:
            head, *tails = text.split(_CUT)
            text = _CUT.join([*map(self._without_stump, [head, *tails[:-1]]), *tails[-1:]])
        return text

    def data(self, data: bytes) -> bytes:
        """Take them out of an answer, whatever it is; one without any is given back itself.

        One of `ANSWER_MAX` bytes was cut there, perhaps within a secret.
        """
        if len(data) < self._shortest:
            return data
        text = data.decode("utf-8", "surrogateescape")
        redacted = self.text(text)
        if len(data) >= ANSWER_MAX:
            redacted = self._without_stump(redacted)
        return data if redacted == text else redacted.encode("utf-8", "surrogateescape")

    def _without_stump(self, text: str) -> str:
        """Take out the beginning of a secret at the end of a text."""
        for form, _ in self._pairs:
            first = form[:_STUMP_MIN]
            at = text.find(first, max(0, len(text) - len(form)))
            while at >= 0 and not form.startswith("http"):  # of an address its parts are looked for
                if form.startswith(text[at:]):
                    return text[:at] + REDACTED
                at = text.find(first, at + 1)
        return text

    def preview(self, request: HttpRequest) -> Preview:
        """Show a request to people."""
        headers = {
            name: REDACTED if name.lower() in _ALWAYS else self.text(value) for name, value in request.headers.items()
        }
        body = self.text(request.body.decode("utf-8", "replace"))
        return Preview(f"{request.method} {self.text(request.url)}", headers, body[:BODY_MAX])


def secrets_of(value: Any) -> Iterator[str]:
    """List the secrets in settings, at any depth."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, SecretBytes):
        yield value.get_secret_value().decode("utf-8", "replace")
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_of(getattr(value, name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from secrets_of(each)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for each in value:
            yield from secrets_of(each)


def credentials_of(headers: Mapping[str, SecretStr]) -> Iterator[str]:
    """List what in headers that authorise is a secret by itself: providers repeat a token without the word before it."""
    for name, value in headers.items():
        if name.lower() in _ALWAYS:
            first, *words = _BETWEEN.split(value.get_secret_value().strip())
            values = (word.partition("=")[2] for word in (first, *words))
            yield from (each for each in (*words, *values) if len(each) >= _PART_MIN)


def _forms(secret: str) -> Iterator[tuple[str, str]]:
    """Give the forms that a secret takes, each with what is shown instead."""
    parts = _address(secret)
    if parts is None:
        bare = _PREFIX.sub("", secret)
        for form in _spellings(secret) | (_spellings(bare) if len(bare) >= _PART_MIN else set()):
            yield form, REDACTED
        return
    for form in _spellings(secret):
        yield form, f"{parts.scheme}://{parts.netloc}/{REDACTED}"
    target = secret.split(parts.netloc, 1)[-1]
    pieces = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query, keep_blank_values=True))]
    for piece in (target, parts.path, parts.path.strip("/"), *pieces):
        if len(piece) >= _PART_MIN:
            for form in _spellings(piece):
                yield form, REDACTED


def _address(secret: str) -> SplitResult | None:
    """Read a secret that is an address of a host; None for any other."""
    if not secret.startswith(("http://", "https://")):
        return None
    try:
        parts = urlsplit(secret)
    except ValueError:
        return None
    return parts if parts.netloc and parts.netloc in secret else None


def _spellings(secret: str) -> set[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    plain = {
        secret,
        secret.replace(" ", "+"),  # what is left of a query when only its percent signs are read
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }
    encoded = {word(raw).decode() for word in (base64.b64encode, base64.urlsafe_b64encode)}
    within = {part for form in plain for part in _within(form.encode("utf-8", "surrogatepass"))}
    return plain | encoded | within | set(_others(secret, plain))


def _others(secret: str, plain: set[str]) -> Iterator[str]:
    """Give forms that only some programs write: each is the secret itself where no sign in it is special to them."""
    yield from (_PERCENT.sub(lambda code: code[0].lower(), form) for form in plain)
    for form in (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        yield from (form.replace("/", "\\/"), form.translate(_IN_SCRIPTS))
    yield json.dumps(secret)[1:-1].replace('\\"', "\\u0022").translate(_IN_SCRIPTS_MORE)
    for apostrophe, quotation in _IN_HTML:
        yield html.escape(secret, quote=False).replace("'", apostrophe).replace('"', quotation)
    if len(line := " ".join(secret.split())) >= SECRET_MIN:
        yield line


def _within(raw: bytes) -> Iterator[str]:
    """Give what of a secret stands in the base64 of a longer text, as in that of a user name, a colon and the secret."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + raw).decode()
        inner = text[-(-before * 4 // 3) : (before + len(raw)) * 4 // 3]
        if len(inner) >= _PART_MIN:
            yield inner
            yield inner.replace("+", "-").replace("/", "_")
