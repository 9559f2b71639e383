"""What `alertd check` says of places that the egress guard forbids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alertd.config.load import check_config, load_config
from alertd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORBIDDEN = """\
egress: {ports: "80, 443"}
mail: {host: 10.0.0.1}
heartbeat: {url: "http://127.0.0.1/s3cr3t"}
workspaces:
  - name: default
    destinations:
      - name: meta
        type: webhook
        settings:
          url: http://169.254.169.254/s3cr3t
      - {name: chat, type: slack, settings: {url: "https://localhost/s3cr3t"}}
      - {name: letters, type: email, settings: {to: [a@example.com], host: "::1"}}
      - {name: odd, type: webhook, settings: {url: "http://2130706433/"}}
      - {name: port, type: webhook, settings: {url: "http://example.com:25/"}}
      - {name: put-in, type: webhook, settings: {url: "${HOOK}"}}
      - {name: good, type: webhook, settings: {url: "https://example.com/"}}
"""


def problems(folder: Path, text: str, environ: Mapping[str, str]) -> list[tuple[int | None, str, str]]:
    """Check a file, which must be wrong; give line, path and what was expected."""
    path = folder / "alertd.yml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        check_config(path, environ)
    assert "s3cr3t" not in str(caught.value)
    return [(each.line, each.path, each.expected) for each in caught.value.problems]


def test_each_is_named_with_its_line(tmp_path: Path) -> None:
    """Every forbidden place is an error at its own line, with the reason, and without what else stands in the URL."""
    found = problems(tmp_path, FORBIDDEN, {"HOOK": "http://10.9.9.9/s3cr3t"})
    at = "workspaces[0].destinations"
    assert [(line, path) for line, path, _ in found] == [
        (2, "mail.host"),
        (3, "heartbeat.url"),
        (10, f"{at}[0].settings.url"),
        (11, f"{at}[1].settings.url"),
        (12, f"{at}[2].settings.host"),
        (13, f"{at}[3].settings.url"),
        (14, f"{at}[4].settings.url"),
        (15, f"{at}[5].settings.url"),
    ]
    said = [expected for _, _, expected in found]
    assert "169.254.169.254 is a metadata service; name it in egress.allow to permit it" in said[2]
    assert "is none of 80, 443" in said[6]
    assert "10.9.9.9" not in said[7]


def test_what_is_allowed_is_no_problem(tmp_path: Path) -> None:
    """The same file passes with the addresses in `egress.allow`, but for the one that is written as nobody should."""
    text = FORBIDDEN.replace(
        "egress: {", "egress: {allow: [10.0.0.0/8, 127.0.0.0/8, 169.254.169.254, '::1', example.com], "
    )
    found = problems(tmp_path, text, {"HOOK": "http://10.9.9.9/"})
    assert [path for _, path, _ in found] == ["workspaces[0].destinations[3].settings.url"]


def test_all_problems_at_once(tmp_path: Path) -> None:
    """Another error in the file does not hide these; one in `egress` itself does, for then nobody knows what is meant."""
    environ = {"HOOK": "https://example.com/"}
    more = problems(tmp_path, FORBIDDEN + "sever: {}\n", environ)
    assert {"mail.host", "sever"} <= {path for _, path, _ in more}
    broken = problems(tmp_path, FORBIDDEN.replace('"80, 443"', '"80, http"'), environ)
    assert {path for _, path, _ in broken} == {"egress.ports", "workspaces[0].destinations[3].settings.url"}


def test_the_daemon_takes_it(tmp_path: Path) -> None:
    """For the daemon it is no reason not to start: what is written well is delivered, the rest is told."""
    path = tmp_path / "alertd.yml"
    path.write_text(FORBIDDEN.replace("http://2130706433/", "http://127.0.0.1/"))
    assert len(load_config(path, {"HOOK": "http://10.9.9.9/"}).workspaces[0].destinations) == 7


def test_mail_without_tls_stays_on_this_machine(tmp_path: Path) -> None:
    """`tls: none` to another machine is named where it is set, for the platform's server and for a destination's own."""
    text = """\
egress: {allow: [127.0.0.0/8, "::1"]}
mail: {host: MAIL, tls: none}
workspaces:
  - name: default
    destinations:
      - {name: inherits, type: email, settings: {to: [a@example.com]}}
      - {name: own-host, type: email, settings: {to: [a@example.com], host: smtp.example.com}}
      - {name: own-tls, type: email, settings: {to: [a@example.com], host: mail.example.com, tls: none}}
      - {name: private, type: email, settings: {to: [a@example.com], host: mail.example.com, tls: starttls}}
      - {name: here, type: email, settings: {to: [a@example.com], host: "::1", tls: none}}
"""
    at = "workspaces[0].destinations"
    own = [(7, f"{at}[1].settings.host"), (8, f"{at}[2].settings.tls")]
    for host in ("127.0.0.1", "localhost"):
        found = problems(tmp_path, text.replace("MAIL", host), {})
        assert [(line, path) for line, path, _ in found] == own
    found = problems(tmp_path, text.replace("MAIL", "mail.example.com"), {})
    assert [(line, path) for line, path, _ in found] == [(2, "mail.tls"), *own]
    assert "tls: none is for this machine alone, and mail.example.com is not it" in found[0][2]
    assert len(load_config(tmp_path / "alertd.yml", {}).workspaces[0].destinations) == 5
