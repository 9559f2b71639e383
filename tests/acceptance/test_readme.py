"""Acceptance: what the README and its pages say to type works as it is printed, against the daemon that it says to start."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from tests.daemon import PROGRAM, Daemon
from tests.machine import program

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
BASE = "http://127.0.0.1:8080"
PAGES = ("README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md"))))


COMMANDS = ("curl ", ".venv/bin/alertd send ", ".venv/bin/alertd explain ")


def examples() -> Iterator[str]:
    """Every command of the pages that talks to the daemon and ends, in order, but those about what only the reader has."""
    blocks = re.findall(r"```sh\n(.*?)```", "".join((ROOT / page).read_text() for page in PAGES), re.DOTALL)
    for block in blocks:
        for line in block.splitlines():
            if line.startswith(COMMANDS) and "ops-hook" not in line:
                yield line


def test_examples_are_for_the_address_of_the_configuration() -> None:
    """Each command asks the address that `make run` listens on, once, and nothing else of it depends on the port."""
    listen = re.findall(r"^  listen: (\S+)$", (ROOT / "config" / "alertd.yml").read_text(), re.MULTILINE)
    assert listen == [BASE.removeprefix("http://")]
    for line in examples():
        asks = int(line.startswith("curl "))  # the other commands find the address in the configuration
        assert line.count(BASE) == asks, line
        assert line.count(BASE.rsplit(":", 1)[1]) == asks, line


def test_the_first_hour_is_short() -> None:
    """It fits on a screen: start, send, explain, a webhook and a DSN in at most 25 lines."""
    text = (ROOT / "README.md").read_text()
    part = text.split("\n## The first hour\n")[1].split("\n## ")[0]
    assert len(part.strip().splitlines()) <= 25
    for word in ("make run", "alertd send", "alertd explain", '"webhook"', "/keys"):
        assert word in part


def test_every_role_is_in_the_readme() -> None:
    """A table says what each role may do, from the least to the greatest."""
    part = (ROOT / "README.md").read_text().split("\n## Who may do what\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ", part, re.MULTILINE)
    assert rows == ["intake", "viewer", "operator", "admin"]


async def test_examples_work_as_printed(tmp_path: Path) -> None:
    """Each answers with what it asked for: no problem document, no error of curl. Only the port is another than printed."""
    program("curl")
    elsewhere = {"ALERTD_SERVER__LISTEN": "127.0.0.1:0"}
    daemon = Daemon(tmp_path, (ROOT / "config" / "alertd.yml").read_text(), **elsewhere)
    with taken(int(BASE.rsplit(":", 1)[1])):
        async with daemon:
            assert daemon.base_url != BASE
            for line in examples():
                typed = line.replace(BASE, daemon.base_url)
                assert typed.replace(daemon.base_url, BASE) == line
                typed = typed.replace("curl ", "curl --max-time 20 --fail-with-body ", 1)
                process = await asyncio.create_subprocess_shell(
                    typed.replace(".venv/bin/alertd", shlex.quote(str(PROGRAM)), 1),
                    cwd=tmp_path,
                    env={**os.environ, "ALERTD_URL": daemon.base_url, "ALERTD_TOKEN": daemon.token},
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
