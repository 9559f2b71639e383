"""The setting `tls` of destination types that people run themselves: whom to trust, and who alertd is to them."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, ValidationInfo, field_validator

from alertd.destinations.tls_files import TlsFiles
from alertd.model.fields import Resource

File = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")]

ABOUT: Final = "certificates of one's own, for https; the files are read again when they change"
"""What the setting is for, where a type has it."""


class TlsSettings(Resource):
    """Certificates of one's own for https."""

    ca_file: File | None = Field(None, description="PEM file of the authorities to trust; null: the system's")
    cert_file: File | None = Field(None, description="PEM file of alertd's own certificate (mTLS)")
    key_file: File | None = Field(None, description="PEM file of its key; null: in cert_file")
    key_password: Annotated[SecretStr, Field(min_length=1)] | None = Field(
        None, description="what the key is encrypted with"
    )

    @field_validator("key_file", "key_password")
    @classmethod
    def _with_certificate(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and "cert_file" in info.data and info.data["cert_file"] is None:
            raise ValueError("cert_file beside it")
        return value

    @property
    def files(self) -> TlsFiles:
        """The files, as they are read."""
        return TlsFiles(self.ca_file, self.cert_file, self.key_file, self.key_password, "tls.")


def _check_scheme(tls: TlsSettings, info: ValidationInfo) -> TlsSettings:
    url = info.data.get("url")
    text = url.get_secret_value() if isinstance(url, SecretStr) else str(url)
    if tls.files and text.lower().startswith("http://"):
        raise ValueError("a url with https://: over http:// no certificate is shown")
    return tls


OwnTls = Annotated[TlsSettings, AfterValidator(_check_scheme)]
"""The type of the setting, in a model whose `url` stands before it."""
