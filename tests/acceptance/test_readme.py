"""Acceptance: what the README says to type works as it is printed, against the daemon that it says to start."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import socket
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


def test_examples_are_for_the_address_of_the_configuration() -> None:
    """Each command asks the address that `make run` listens on, once, and nothing else of it depends on the port."""
    listen = re.findall(r"^  listen: (\S+)$", (ROOT / "config" / "alertd.yml").read_text(), re.MULTILINE)
    assert listen == [BASE.removeprefix("http://")]
    for line in examples():
        assert line.count(BASE) == 1, line
        assert line.count(BASE.rsplit(":", 1)[1]) == 1, line


async def test_curl_examples_work_as_printed(tmp_path: Path) -> None:
    """Each answers with what it asked for: no problem document, no error of curl. Only the port is another than printed."""
    elsewhere = {"ALERTD_SERVER__LISTEN": "127.0.0.1:0"}
    daemon = Daemon(tmp_path, (ROOT / "config" / "alertd.yml").read_text(), **elsewhere)
    with taken(int(BASE.rsplit(":", 1)[1])):
        async with daemon:
            assert daemon.base_url != BASE
            for line in examples():
                typed = line.replace(BASE, daemon.base_url)
                assert typed.replace(daemon.base_url, BASE) == line
                process = await asyncio.create_subprocess_shell(
                    typed.replace("curl ", "curl --max-time 20 --fail-with-body ", 1),
                    cwd=tmp_path,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                )
                said, _ = await process.communicate()
                assert process.returncode == 0, (line, said)
                assert b'"status":4' not in said, (line, said)


@contextlib.contextmanager
def taken(port: int) -> Iterator[None]:
    """Let nobody here listen on a port, unless somebody does already."""
    with socket.socket() as own:
        with contextlib.suppress(OSError):
            own.bind(("127.0.0.1", port))
            own.listen()
        yield
