"""Secrets are never shown: not by the configuration itself, and not in what is said of a broken one."""

from __future__ import annotations

import re
import traceback
from typing import TYPE_CHECKING

import pytest

from alertd.errors import ConfigError
from tests.unit.config.files import VALID, load, write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PLANTED = "hunter2"
ENVIRON = {"SECRET": f"{PLANTED}-environment", "SERVER": f"{PLANTED}.example:99999"}

BROKEN = {
    "token is a list": ("value: hunter2-token", "value: [hunter2-token]"),
    "token is a mapping": ("value: hunter2-token", "value: {hunter2-token: hunter2}"),
    "token with spaces": ("value: hunter2-token", "value: hunter2 hunter2"),
    "token from elsewhere": ("value: hunter2-token", 'value: "${SECRET} x"'),
    "token by a name of its own": ("value: hunter2-token", "valeu: hunter2-token"),
    "token twice": ("tokens:", "tokens:\n  - {name: other, role: admin, value: hunter2-token}"),
    "role from elsewhere": ("role: intake", 'role: "${SECRET}"'),
    "kafka password is a list": ("password: hunter2-kafka", "password: [hunter2-kafka]"),
    "kafka password is an alias": ("password: hunter2-kafka", "password: *hunter2"),
    "kafka password is a tag": ("password: hunter2-kafka", "password: !hunter2 x"),
    "kafka password is an anchor": ("password: hunter2-kafka", "password: &hunter2 [a]"),
    "kafka password unquoted": ("password: hunter2-kafka", "password: @hunter2"),
    "kafka password with a colon": ("password: hunter2-kafka", "password: {hunter2: [hunter2"),
    "kafka password without sasl": ("SASL_SSL", "SSL"),
    "key without certificate": ("ca_file: ca.pem", "key_password: hunter2-key"),
    "hook's secret": ("secret: hunter2-hook", "secret: whsec_hunter2!"),
    "hook's secret is a list": ("secret: hunter2-hook", "secret: [hunter2-hook]"),
    "hook's secret is misspelt": ("secret: hunter2-hook", "secert: hunter2-hook"),
    "hook's url": ("https://hooks.example.com/x", "ftp://hooks.example.com/hunter2"),
    "hook's url with a user": ("https://hooks.example.com/x", "https://hunter2:hunter2@h"),
    "hook's header": ("X-Team: ops", "X-Team: [hunter2]"),
    "hook's header's value": ("X-Team: ops", 'X-Team: "hunter2\\n"'),
    "hook's format": ("headers:", "format: hunter2, headers:"),
    "type from elsewhere": ("type: webhook", 'type: "${SECRET}"'),
    "unknown type": ("type: webhook", "type: webhok"),
    "store": ("sqlite:////var/lib/alertd/alertd.db", "postgresql://alertd:hunter2@db/alertd"),
    "public url": ("https://alerts.example.com", "https://alertd:hunter2@alerts.example.com"),
    "address from elsewhere": ("127.0.0.1:8080", '"${SERVER}"'),
    "pattern from elsewhere": ('"run:.*"', '"(?=${SECRET})"'),
    "matcher from elsewhere": ("'team=\"payments\"'", "'${SECRET}'"),
    "channel from elsewhere": ("channels: [runs,", 'channels: ["${SECRET}",'),
    "suggestion from elsewhere": ("channels: [runs,", "channels: [huntr2-environment,"),
    "name from elsewhere": ("name: budget", 'name: "${SECRET}.x"'),
    "name from elsewhere twice": (
        "name: budget, kind",
        'name: "${SECRET}", kind: glob, pattern: x}\n      - {name: "${SECRET}", kind',
    ),
    "number from elsewhere": ("capacity: 1000", 'capacity: "${SECRET}"'),
    "list from elsewhere": ("10.20.0.0/16", '"${SECRET} x"'),
    "workspace from elsewhere": ("workspace: default", 'workspace: "${SECRET}"'),
    "key": ("shutdown: {drain_seconds: 5}", 'shutdown: {drain_seconds: "${SECRET}"}'),
}


def said_of(folder: Path, text: str, environ: Mapping[str, str]) -> str:
    """Return everything that can be printed of a configuration, or of what is wrong with it."""
    try:
        config = load(folder, text, environ)
    except ConfigError as error:
        return "\n".join([str(error), repr(error), repr(error.problems), "".join(traceback.format_exception(error))])
    return "\n".join([str(config), repr(config), f"{config!r:>10}", str(config.tokens), str(config.workspaces)])


def test_a_good_configuration_keeps_its_secrets(tmp_path: Path) -> None:
    """Neither str nor repr shows what is planted in every secret field."""
    assert VALID.count(PLANTED) == 3
    assert PLANTED not in said_of(tmp_path, VALID, {})


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_a_broken_configuration_keeps_its_secrets(tmp_path: Path, change: tuple[str, str]) -> None:
    """Whatever is wrong with a secret, or with what came from elsewhere, is said without it."""
    text = VALID.replace(*change)
    assert text != VALID
    said = said_of(tmp_path, text, ENVIRON)
    assert "ConfigProblem" in said
    assert PLANTED not in re.sub(r"\$\{[A-Z]+\}", "", said)


@pytest.mark.parametrize(
    "environ",
    [
        {"ALERTD_TOKENS": "[{name: a, role: boss, value: hunter2}]"},
        {"ALERTD_TOKENS": "[hunter2"},
        {"ALERTD_TOKENS": "hunter2"},
        {"ALERTD_INTAKE__KAFKA__SECURITY__PASWORD": "hunter2"},
        {"ALERTD_INTAKE__KAFKA__SECURITY": "hunter2"},
        {"ALERTD_INTAKE__KAFKA__SECURITY": "{password: hunter2, username: [hunter2]}"},
        {"ALERTD_PASSWORD": "hunter2"},
    ],
)
def test_the_environment_keeps_its_secrets(tmp_path: Path, environ: dict[str, str]) -> None:
    """A variable that cannot be used is named, never quoted, where it may be a secret."""
    said = said_of(tmp_path, VALID, environ)
    assert "ConfigProblem" in said
    assert PLANTED not in said


def test_a_file_of_secrets_is_never_quoted(tmp_path: Path) -> None:
    """What a referenced file holds is not shown when it cannot be used."""
    (tmp_path / "token").write_text("hunter2 hunter2\n")
    said = said_of(tmp_path, VALID.replace("hunter2-token", '"file:token"'), {})
    assert "tokens[0].value" in said
    assert PLANTED not in said


def test_a_secret_in_a_broken_document_is_not_quoted(tmp_path: Path) -> None:
    """A syntax error is told by line and reason, without the line's text, wherever the file is cut off."""
    path = write(tmp_path, VALID)
    for end in range(0, len(VALID), 7):
        said = said_of(tmp_path, VALID[:end], {})
        assert PLANTED not in said
    assert path.exists()
