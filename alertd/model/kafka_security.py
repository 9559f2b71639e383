"""How a connection to Kafka brokers is encrypted, and who alertd is to them: one model for reading and for writing."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, SecretStr, StringConstraints

from alertd.model.fields import Resource

Text = Annotated[str, StringConstraints(min_length=1, max_length=255)]
File = Annotated[str, StringConstraints(min_length=1)]

HUNG_UP: Final = "the broker closed the connection: check security.protocol, and whether it wants a client certificate"
"""What it usually means that a broker ends a connection without a word."""


class KafkaSecurity(Resource):
    """How the connection to the brokers is encrypted, and who alertd is to them."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="encryption (SSL) and a password (SASL), both or neither"
    )
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="how the password is proved, with SASL only"
    )
    username: Text | None = Field(None, description="with SASL only")
    password: Annotated[SecretStr, Field(min_length=1)] | None = Field(None, description="with SASL only")
    ca_file: File | None = Field(None, description="PEM file of the authorities to trust; null: the system's")
    cert_file: File | None = Field(None, description="PEM file of our own certificate (mTLS)")
    key_file: File | None = Field(None, description="PEM file of its key; null: in cert_file")
    key_password: Annotated[SecretStr, Field(min_length=1)] | None = Field(
        None, description="what the key is encrypted with"
    )

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.protocol in {"SSL", "SASL_SSL"}

    @property
    def uses_sasl(self) -> bool:
        """Whether alertd proves who it is by a password."""
        return self.protocol in {"SASL_PLAINTEXT", "SASL_SSL"}

    def client_options(self) -> dict[str, Any]:
        """Write it as aiokafka's clients take it, but for the certificates."""
        found: dict[str, Any] = {"security_protocol": self.protocol}
        if self.uses_sasl:
            found["sasl_mechanism"] = self.mechanism
            found["sasl_plain_username"] = self.username
            found["sasl_plain_password"] = self.password.get_secret_value() if self.password else None
        return found
