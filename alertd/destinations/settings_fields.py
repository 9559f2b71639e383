"""Field types and settings that several destination types share."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr

from alertd.destinations.guard import parse_url
from alertd.destinations.templates import TemplateProblemError, check
from alertd.destinations.whereto import Whereto
from alertd.model.fields import Resource

SECRET_MAX: Final = 4096
"""Characters of a secret that travels in a header or an address."""
_TOKEN: Final = re.compile(r"[!-~]+", re.ASCII)


def check_url(url: str) -> str:
    """Take an address that the sender can use. Raises ValueError, which never repeats it."""
    try:
        parse_url(url)
    except ValueError as error:
        raise ValueError(f"an address such as https://hooks.example.com/x: {error}") from None
    return url


def _check_secret_url(url: SecretStr) -> SecretStr:
    check_url(url.get_secret_value())
    return url


def _check_token(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if not text:
        raise ValueError("a secret that is not empty")
    if len(text) > SECRET_MAX:
        raise ValueError(f"a secret of at most {SECRET_MAX} characters")
    if not _TOKEN.fullmatch(text):
        raise ValueError("a secret of printable ASCII, without spaces and line breaks")
    return token


def _check_template(source: str) -> str:
    try:
        check(source)
    except TemplateProblemError as error:
        raise ValueError(f"a template: {error}") from None
    return source


Url = Annotated[str, AfterValidator(check_url), Whereto.URL]
"""An address that may be shown."""
SecretUrl = Annotated[SecretStr, AfterValidator(_check_secret_url), Whereto.URL]
"""An address that is a secret as a whole, as those of incoming webhooks are."""
SecretToken = Annotated[SecretStr, AfterValidator(_check_token)]
"""A secret that can stand in a header: printable ASCII without spaces."""
TemplateText = Annotated[str, AfterValidator(_check_template)]
"""A template; what is wrong with it is said with line and column."""


OnAmbiguous = Literal["retry", "dead"]
"""Whether what may have arrived is sent again."""


class RepeatingSettings(Resource):
    """What every type has whose provider cannot recognise a repeat."""

    on_ambiguous: OnAmbiguous = Field(
        "retry",
        description="when nobody can tell whether a message arrived; retry: send it again, it may be there twice;"
        " dead: send it no more, it may be missing",
    )
