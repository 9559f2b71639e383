"""An empty folder to stand in, and a served API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import structlog

from tests.unit.cli.stage import Stage, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder, with nothing of alertd in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("ALERTD_URL", "ALERTD_TOKEN", "ALERTD_CONFIG", "ALERTD_SERVER__LISTEN", "ALERTD_STORE__URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the log of a server within this process apart from what commands print, and logging as it was."""
    monkeypatch.setattr("alertd.log.configure_logging", lambda *_: None)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Serve the API."""
    with serving() as served:
        yield served
