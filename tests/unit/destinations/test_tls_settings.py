"""The setting `tls`: what agrees, and that nothing of it is shown."""

from __future__ import annotations

import os
from typing import Any

import pytest
from pydantic import ValidationError

from alertd.destinations.registry import parse_settings
from alertd.destinations.tls_files import TlsFiles

TYPES = {
    "webhook": {"url": "{}://hooks.example.com/x"},
    "alertmanager": {"url": "{}://alertmanager.example.com"},
    "mattermost": {"url": "{}://chat.example.com/hooks/x"},
    "rocketchat": {"url": "{}://chat.example.com/hooks/x/y"},
    "ntfy": {"url": "{}://ntfy.example.com", "topic": "t"},
}


def parsed(type_name: str, scheme: str = "https", **tls: Any) -> Any:
    """Validate the settings of a type with these certificates."""
    settings = {name: text.format(scheme) for name, text in TYPES[type_name].items()}
    return parse_settings(type_name, settings | {"tls": tls})


@pytest.mark.parametrize("type_name", TYPES)
def test_certificates_belong_to_https(type_name: str) -> None:
    """Over plain http nothing would be shown or proved: an error at the setting; without files there is nothing to say."""
    assert parsed(type_name, cert_file="/c.pem").tls.files
    assert not parsed(type_name, "http").tls.files
    for given in ({"cert_file": "/c.pem"}, {"ca_file": "/ca.pem"}):
        with pytest.raises(ValidationError) as caught:
            parsed(type_name, "http", **given)
        assert [error["loc"] for error in caught.value.errors(include_input=False)] == [("tls",)]


@pytest.mark.parametrize(
    ("tls", "place"),
    [
        ({"key_file": "/k.pem"}, ("tls", "key_file")),
        ({"key_password": "p"}, ("tls", "key_password")),
        ({"cert_file": ""}, ("tls", "cert_file")),
        ({"cert_file": "a\0b"}, ("tls", "cert_file")),
        ({"certfile": "/c.pem"}, ("tls", "certfile")),
        ({"cert_file": "/c.pem", "key_password": ""}, ("tls", "key_password")),
    ],
)
def test_what_is_wrong_is_named(tls: dict[str, str], place: tuple[str, ...]) -> None:
    """Each bad setting is an error at its own place, which repeats no password."""
    with pytest.raises(ValidationError) as caught:
        parsed("webhook", **tls)
    assert place in [error["loc"] for error in caught.value.errors(include_input=False)]


def test_the_password_is_a_secret() -> None:
    """It is in no representation."""
    settings = parsed("webhook", cert_file="/c.pem", key_password="hunter2-hunter2")  # noqa: S106 - a test's
    assert "hunter2" not in repr(settings) + repr(settings.tls.files) + settings.model_dump_json()


def test_a_stamp_tells_of_every_change(tmp_path: Any) -> None:
    """A file that is written, replaced, removed or made has another stamp than before; one left alone has the same."""
    file = tmp_path / "c.pem"
    files = TlsFiles(cert_file=str(file))
    stamps = [files.stamp()]
    for text in ("a", "bb"):
        file.write_text(text)
        stamps.append(files.stamp())
        assert files.stamp() == stamps[-1]
    (tmp_path / "new").write_text("cc")
    (tmp_path / "new").replace(file)
    stamps.append(files.stamp())
    assert len(set(stamps)) == 4
    file.unlink()
    assert files.stamp() == stamps[0]


@pytest.mark.parametrize("name", ["ca_file", "cert_file", "key_file"])
def test_only_files_are_read(tmp_path: Any, name: str) -> None:
    """A pipe, from which nothing ever comes, is refused instead of waited for; so is a directory."""
    pem = tmp_path / "all.pem"
    pem.write_text("no certificate")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        given: dict[str, Any] = {"cert_file": str(pem)} | {name: str(path)}
        with pytest.raises(OSError, match="not a file") as caught:
            TlsFiles(**given, place="tls.").load()
        assert str(caught.value) == f"tls.{name} {path}: not a file"
