"""The key that seals secrets, recognised at the start: one that is not the store's own is told at once.

Secrets that another key sealed keep the daemon from starting, with words that say so. Where a store holds none, only what
was derived from the key changes, in silence: the URLs of intake endpoints, and links that acknowledge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from alertd.resources.vault import FILE_NAME

if TYPE_CHECKING:
    from alertd.resources.vault import Vault
    from alertd.store.base import NameStore

_KNOWN: Final = "secrets_key"
"""The small fact by which a store knows its key: derived from it, and no way back."""

_log = structlog.get_logger("alertd.app")


async def recognise_key(vault: Vault, store: NameStore) -> None:
    """Warn, once, of a key that is another one than before. Raises StoreError when that cannot be kept."""
    mark = vault.derive("mark")
    known = await store.get_meta(_KNOWN)
    if known == mark:
        return
    if known is not None:
        _log.warning(
            "secrets_key.changed",
            reason=f"the store was sealed with another key: was its {FILE_NAME}, or store.secrets_key, left behind?",
            consequence="intake endpoints have other URLs, links that acknowledge are no longer good, and what exports"
            " refer to as stored: cannot be read, until the key is back",
        )
    await store.set_meta(_KNOWN, mark)
