"""The first token: made once, kept in a file, and never taken from another store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.api.bootstrap import admin_token
from alertd.clock import SystemClock
from alertd.model.ids import IdSource
from alertd.model.token import Role, digest_of

if TYPE_CHECKING:
    from pathlib import Path


def _first(file: Path) -> tuple[str | None, bytes]:
    clock = SystemClock()
    kept, secret = admin_token(file, IdSource(clock), clock)
    assert (kept.name, kept.role, kept.workspace) == ("admin", Role.ADMIN, None)
    return secret, kept.digest


def test_the_first_token_is_shown_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    """The secret is returned and written with mode 0600; what is kept is its hash alone."""
    file = tmp_path / "admin.token"
    secret, digest = _first(file)
    assert secret is not None
    assert file.read_text() == secret + "\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert digest == digest_of(secret)


def test_a_second_store_in_the_folder_takes_the_same_token(tmp_path: Path) -> None:
    """The file of another store is used, not replaced: nobody is locked out of the first."""
    file = tmp_path / "admin.token"
    secret, digest = _first(file)
    again, second = _first(file)
    assert again is None
    assert second == digest
    assert file.read_text().strip() == secret


def test_a_file_without_a_token_is_replaced(tmp_path: Path) -> None:
    """What is no secret of ours is not made one."""
    file = tmp_path / "admin.token"
    file.write_text("guess\n")
    secret, _ = _first(file)
    assert secret is not None
    assert file.read_text().strip() == secret
