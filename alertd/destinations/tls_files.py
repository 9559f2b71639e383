"""Certificates and keys in files: read when they are first needed, and again when they have changed.

Files that cannot be used do not take away what worked: the ones before stay in use, the log says why, and they are looked
at again as soon as they change.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import SecretStr

    Stamp = tuple[tuple[int, int, int] | None, ...]

_log = structlog.get_logger("alertd.tls")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: authorities to trust (None: the system's), one's own certificate, its key (None: in the same file).

    `place` is what stands before the names of the settings in errors (`security.`).
    """

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    key_password: SecretStr | None = field(default=None, repr=False)
    place: str = ""

    def __bool__(self) -> bool:
        """Whether anything differs from what everybody uses."""
        return self.ca_file is not None or self.cert_file is not None

    def load(self, protocols: Sequence[str] = ()) -> ssl.SSLContext:
        """Read them; `protocols` are offered by ALPN. Raises OSError that names setting and file, never a secret."""
        for name, path in (("ca_file", self.ca_file), ("cert_file", self.cert_file), ("key_file", self.key_file)):
            if path is not None and Path(path).exists() and not Path(path).is_file():
                raise OSError(f"{self.place}{name} {path}: not a file")  # a pipe or a device may never end
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise OSError(f"{self.place}ca_file {self.ca_file}: {_why(error)}") from error
        if protocols:
            context.set_alpn_protocols(list(protocols))
        if self.cert_file is not None:
            self._prove(context, self.cert_file)
        return context

    def stamp(self) -> Stamp:
        """Say what the files are now: it differs when one of them was written, replaced, made or removed."""
        return tuple(_stamp(path) for path in (self.ca_file, self.cert_file, self.key_file) if path is not None)

    def _prove(self, context: ssl.SSLContext, cert_file: str) -> None:
        password = "" if self.key_password is None else self.key_password.get_secret_value()
        try:
            context.load_cert_chain(cert_file, self.key_file, password)
        except OSError as error:
            names = f"{self.place}cert_file {cert_file}"
            if self.key_file is not None:
                names = f"{names} and key_file {self.key_file}"
            raise OSError(f"{names}: {_why(error)}") from error


class TlsIdentity:
    """The context that some files make, read anew when they change."""

    def __init__(self, files: TlsFiles, protocols: Sequence[str] = ()) -> None:
        self._files = files
        self._protocols = tuple(protocols)
        self._context: ssl.SSLContext | None = None
        self._stamp: Stamp | None = None
        self._reading = asyncio.Lock()

    async def context(self) -> ssl.SSLContext:
        """Return what to use now, the same object as long as nothing changes. Raises OSError when nothing can be used."""
        stamp = self._files.stamp()
        if self._context is not None and stamp == self._stamp:
            return self._context
        async with self._reading:
            if self._context is None or stamp != self._stamp:
                await self._read(stamp)
        if self._context is None:
            raise AssertionError("a read that failed has raised")
        return self._context

    async def _read(self, stamp: Stamp) -> None:
        try:
            self._context = await asyncio.to_thread(self._files.load, self._protocols)
        except OSError as error:
            if self._context is None:
                raise
            _log.warning("tls.kept", error=str(error), consequence="what the files held before stays in use")
        self._stamp = stamp


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _why(error: OSError) -> str:
    """Say it in a few words: OpenSSL's own carry the place in its source."""
    if isinstance(error, ssl.SSLError):
        return (getattr(error, "reason", None) or "not PEM, or not what belongs together").lower().replace("_", " ")
    return (error.strerror or str(error)).lower()
