"""What is hidden while others are imported."""

from __future__ import annotations

import importlib
import os
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from alertd.cli.absent import absent, certificates

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


@pytest.mark.parametrize("given", [None, "/etc/own.pem"])
def test_certificates_are_not_read_within(given: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made there trusts nobody; afterwards the environment is as it was, also after an error."""
    if given is None:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    else:
        monkeypatch.setenv("SSL_CERT_FILE", given)
    with certificates(os.devnull):
        assert ssl.create_default_context().get_ca_certs() == []
    assert os.environ.get("SSL_CERT_FILE") == given
    with pytest.raises(ZeroDivisionError), certificates(os.devnull):
        _ = 1 / 0
    assert os.environ.get("SSL_CERT_FILE") == given


def test_the_library_reads_no_certificates_for_the_daemon() -> None:
    """Its contexts are made when aiohttp is imported: tried in a process that has not imported it yet."""
    program = (
        "import os\nfrom alertd.cli.absent import certificates\n"
        "with certificates(os.devnull):\n    import aiohttp.connector as made\n"
        "print(len(made._SSL_CONTEXT_VERIFIED.get_ca_certs()), made._SSL_CONTEXT_VERIFIED.verify_mode.name)"
    )
    said = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=120
    )
    assert said.stdout.split() == ["0", "CERT_REQUIRED"]
