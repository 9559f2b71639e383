"""The settings of the destination type `webhook`."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, AwareDatetime, Field, SecretStr, StringConstraints, ValidationInfo, field_validator

from alertd.destinations.header_names import FRAMING, TOKEN
from alertd.destinations.settings_fields import OnAmbiguous, TemplateText, Url
from alertd.destinations.signing import parse_key, parse_private_key
from alertd.destinations.tls_settings import ABOUT, OwnTls, TlsSettings
from alertd.model.fields import Resource, needed

HEADERS_MAX: Final = 64
"""Headers of a user's own."""

HEADER_BYTES_MAX: Final = 4096
"""Bytes in one header's value, and characters in one of the query."""

QUERY_MAX: Final = 32
"""Parameters of the query."""

HUB_HEADER: Final = "X-Hub-Signature-256"

_VALUE: Final = re.compile(r"[\x20-\x7e\t]*", re.ASCII)
_OURS: Final = FRAMING | {"content-encoding", "content-type", HUB_HEADER.lower()}
"""Headers that frame or describe the request itself."""
_OUR_PREFIXES: Final = ("webhook-", "x-rustrak-", "ce-")
"""Those of signatures and formats."""


def _check_secret(secret: SecretStr) -> SecretStr:
    parse_key(secret.get_secret_value())
    return secret


def _check_private_key(key: SecretStr) -> SecretStr:
    parse_private_key(key.get_secret_value())
    return key


def _check_headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    if len(headers) > HEADERS_MAX:
        raise ValueError(f"at most {HEADERS_MAX} headers")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("headers that are each named once (their case does not count)")
    for name, value in headers.items():
        _check_header(name, value.get_secret_value())
    return headers


def _check_header(name: str, value: str) -> None:
    _check_name(name)
    if len(value) > HEADER_BYTES_MAX:
        raise ValueError(f"a value of {name} of at most {HEADER_BYTES_MAX} bytes")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"a value of {name} of printable ASCII, on one line")


def _check_name(name: str) -> str:
    if not TOKEN.fullmatch(name):
        raise ValueError(f"a header name of letters, digits and signs such as - in place of {name!r}")
    if name.lower() in _OURS or name.lower().startswith(_OUR_PREFIXES):
        raise ValueError(f"no header {name}: alertd sets it")
    return name


def _check_query(query: dict[str, SecretStr]) -> dict[str, SecretStr]:
    if len(query) > QUERY_MAX:
        raise ValueError(f"at most {QUERY_MAX} parameters")
    for name, value in query.items():
        if not name or len(name) + len(value.get_secret_value()) > HEADER_BYTES_MAX:
            raise ValueError(f"parameters with a name, and with their values of at most {HEADER_BYTES_MAX} characters")
        if not (name + value.get_secret_value()).isprintable():
            raise ValueError(f"printable characters, on one line, in the parameter {name!r}")
    return query


Secret = Annotated[SecretStr, AfterValidator(_check_secret)]
PrivateKey = Annotated[SecretStr, AfterValidator(_check_private_key)]
HeaderName = Annotated[str, StringConstraints(max_length=128), AfterValidator(_check_name)]
HeaderText = Annotated[str, StringConstraints(max_length=64, pattern=r"^[!-~]*$")]


class WebhookSettings(Resource):
    """Where to post, in which form, how to sign, and what to add."""

    url: Url = Field(
        repr=False,
        description="http:// or https://; whoever may read the workspace sees it: what is secret belongs into query or headers",
    )
    secret: Secret | None = Field(None, description="whsec_ and base64, or any text (its UTF-8 bytes); null: unsigned")
    headers: Annotated[dict[str, SecretStr], AfterValidator(_check_headers)] = Field(
        default_factory=dict, description="added to every request; values are kept as secrets"
    )
    format: Literal["standard", "rustrak", "nora", "alertmanager", "cloudevents", "template"] = Field(
        "standard",
        description="the body's form; rustrak takes alerts about issues only; template is one's own",
    )
    template: TemplateText | None = Field(
        None, validate_default=True, description="format: template only: the body, as a jinja2 template"
    )
    content_type: Annotated[str, StringConstraints(max_length=128, pattern=r"^[!-~]+/[!-~]+( ?; ?[!-~]+)*$")] = Field(
        "application/json", description="format: template only: what the template makes; JSON is checked"
    )
    method: Literal["POST", "PUT", "PATCH"] = Field("POST", description="the request's method")
    query: Annotated[dict[str, SecretStr], AfterValidator(_check_query)] = Field(
        default_factory=dict, description="parameters added to the URL; values are kept as secrets"
    )
    mode: Literal["structured", "binary"] = Field(
        "structured", description="cloudevents only: everything in the body, or the attributes in ce- headers"
    )
    private_key: PrivateKey | None = Field(
        None, description="whsk_ and the base64 of an ed25519 key: signs as v1a, beside the secret or without one"
    )
    signature: Literal["standard", "hub", "custom"] = Field(
        "standard",
        description="which headers carry the signature; standard: Standard Webhooks; hub: X-Hub-Signature-256;"
        " custom: signature_header; rustrak has headers of its own",
    )
    signature_header: HeaderName | None = Field(
        None, validate_default=True, description="the header's name, with signature: custom"
    )
    signature_prefix: HeaderText = Field("", description="what stands before a custom signature, such as sha256=")
    signature_encoding: Literal["hex", "base64"] = Field("hex", description="how a custom signature is written")
    signed: Literal["body", "ts_body"] = Field(
        "body",
        description="what rustrak's and a custom signature cover: the body, or the timestamp, a dot and the body",
    )
    previous_secret: Secret | None = Field(
        None, validate_default=True, description="while a secret is replaced: the old one, which signs as well"
    )
    previous_private_key: PrivateKey | None = Field(
        None, validate_default=True, description="while a private key is replaced: the old one, which signs as well"
    )
    previous_until: AwareDatetime | None = Field(
        None, description="when the old ones stop to sign (RFC 3339); null: when they are taken out"
    )
    gzip_above_bytes: Annotated[int, Field(ge=0)] | None = Field(
        None,
        description="bodies of more bytes are sent compressed; the signature is of the body before that; null: none is",
    )
    on_ambiguous: OnAmbiguous = Field(
        "retry",
        description="when nobody can tell whether a request arrived; retry: send it again under the same id, by which a"
        " receiver can drop it; dead: send it no more, for those that cannot",
    )
    tls: OwnTls = Field(TlsSettings(), description=ABOUT)

    @field_validator("template")
    @classmethod
    def _where_it_belongs(cls, template: str | None, info: ValidationInfo) -> str | None:
        own = info.data.get("format") == "template"
        if own and template is None:
            raise needed("a template: format: template needs it")
        if template is not None and not own and "format" in info.data:
            raise ValueError("nothing: a template belongs to format: template")
        return template

    @field_validator("private_key")
    @classmethod
    def _carried(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if key is not None and info.data.get("format") == "rustrak":
            raise ValueError("no private key: rustrak has a signature of its own")
        return key

    @field_validator("signature")
    @classmethod
    def _own(cls, signature: str, info: ValidationInfo) -> str:
        if signature != "standard" and info.data.get("format") == "rustrak":
            raise ValueError("standard: rustrak has a signature of its own")
        if signature != "standard" and info.data.get("private_key") is not None:
            raise ValueError("standard: a private key signs in no other way")
        return signature

    @field_validator("signature_header")
    @classmethod
    def _named(cls, name: str | None, info: ValidationInfo) -> str | None:
        custom = info.data.get("signature") == "custom"
        if custom and name is None:
            raise needed("the header's name: signature: custom needs it")
        if name is not None and not custom:
            raise ValueError("nothing: only signature: custom has a header of its own")
        if name is not None and name.lower() in {each.lower() for each in info.data.get("headers", {})}:
            raise ValueError("a name that headers does not have too")
        return name

    @field_validator("previous_secret", "previous_private_key")
    @classmethod
    def _replaced(cls, old: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        name = (info.field_name or "").removeprefix("previous_")
        if old is None or name not in info.data:
            return old
        if info.data[name] is None:
            raise ValueError(f"{name} beside it, which replaces it")
        if info.data.get("format") == "rustrak" or info.data.get("signature") != "standard":
            raise ValueError("nothing, or signature: standard: two signatures fit into no other header")
        return old


def texts(values: dict[str, SecretStr]) -> dict[str, str]:
    """Give values as they are sent."""
    return {name: value.get_secret_value() for name, value in values.items()}
