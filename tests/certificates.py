"""Servers that demand a certificate, and the authority that gives them out."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trustme
from aiohttp import web
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.loopback import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Office:
    """An authority, and where the files stand that it gives out."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.folder = folder
        self.ca_file = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.ca_file))

    def give(self, name: str, *, authority: trustme.CA | None = None, password: str = "") -> dict[str, str]:
        """Write the certificate of a client, in place of what was there; return the settings."""
        issued = (authority or self.authority).issue_cert(f"{name}.client.example")
        files = {"cert_file": self.folder / "client.pem", "key_file": self.folder / "client.key"}
        files["cert_file"].write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key = issued.private_key_pem.bytes()
        if password:
            private = load_pem_private_key(key, None)
            how = BestAvailableEncryption(password.encode())
            key = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)
        files["key_file"].write_bytes(key)
        return {"ca_file": str(self.ca_file)} | {setting: str(path) for setting, path in files.items()}


class Bouncer:
    """A server that lets nobody in without a certificate; `seen` are the names of those who came."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.connections: set[int] = set()
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        """Answer 204, or the path's status."""
        assert request.transport is not None
        certificate = request.transport.get_extra_info("peercert")
        self.seen += [value for kind, value in certificate["subjectAltName"] if kind == "DNS"]
        self.connections.add(id(request.transport))
        await request.read()
        return web.Response(status=204)


def demanding(office: Office, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """Make the context of a server on loopback that lets nobody in without a certificate of the authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    office.authority.issue_cert("127.0.0.1").configure_cert(context)
    office.authority.configure_trust(context)
    return context


@asynccontextmanager
async def guarded(context: ssl.SSLContext) -> AsyncIterator[Bouncer]:
    """Run such a server."""
    made = Bouncer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.take)
    async with serving(app, context, shutdown_timeout=1) as port:
        made.url = f"https://127.0.0.1:{port}"
        yield made
