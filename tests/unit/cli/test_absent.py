"""What is hidden while others are imported."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import pytest

from alertd.cli.absent import absent

if TYPE_CHECKING:
    from pathlib import Path


def test_package_is_hidden_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within, an import fails as if there were no such package; afterwards it does not."""
    monkeypatch.delitem(sys.modules, "ornament", raising=False)
    (tmp_path / "ornament.py").write_text("WEIGHT = 46\n")
    monkeypatch.syspath_prepend(tmp_path)
    with absent("ornament"), pytest.raises(ModuleNotFoundError):
        importlib.import_module("ornament")
    assert importlib.import_module("ornament").WEIGHT == 46


def test_loaded_package_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody has loaded is not taken away from him."""
    monkeypatch.setitem(sys.modules, "ornament", sys)
    with absent("ornament"):
        assert importlib.import_module("ornament") is sys
    assert sys.modules["ornament"] is sys


def test_package_is_found_again_after_an_error() -> None:
    """An import that fails within leaves nothing behind."""
    with pytest.raises(ZeroDivisionError), absent("garnish"):
        _ = 1 / 0
    assert "garnish" not in sys.modules
