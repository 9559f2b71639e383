"""The certificate of the receiver, for 127.0.0.1, and the authority that vouches for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Write both as PEM, the second with its key, and return their files."""
    authority, own = folder / "authority.pem", folder / "receiver.pem"
    made = trustme.CA()
    made.cert_pem.write_to_path(authority)
    made.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(own)
    return authority, own
