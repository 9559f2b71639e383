"""Acceptance: what the README says to type works as it is printed, against the daemon that it says to start."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.daemon import Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
ROOT = Path(__file__).parents[2]
BASE = "http://127.0.0.1:8080"


def examples() -> Iterator[str]:
    """Every curl command of the README, in order, but those about a destination that only the reader has."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    for block in blocks:
        for line in block.splitlines():
            if line.startswith("curl ") and "ops-hook" not in line:
                yield line


async def test_curl_examples_work_as_printed(tmp_path: Path) -> None:
    """Each answers with what it asked for: no problem document, no error of curl."""
    daemon = Daemon(tmp_path, (ROOT / "config" / "alertd.yml").read_text())
    async with daemon:
        for line in examples():
            typed = line.replace(BASE, daemon.base_url)
            process = await asyncio.create_subprocess_shell(
                typed.replace("curl ", "curl --max-time 20 --fail-with-body ", 1),
                cwd=tmp_path,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            said, _ = await process.communicate()
            assert process.returncode == 0, (line, said)
            assert b'"status":4' not in said, (line, said)
