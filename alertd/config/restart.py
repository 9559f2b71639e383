"""Which settings a reload cannot change: they are bound to what is made once, when the daemon starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.config.settings import Config

NEED_RESTART: Final = (
    "server.listen",
    "store.url",
    "store.secrets_key",
    "shutdown.drain_seconds",
    "intake.http.max_body_bytes",
    "intake.queue",
    "intake.kafka",
)
"""Settings that take effect at the next start, whole sections by their name."""


def needs_restart(old: Config, new: Config) -> list[str]:
    """Name every setting that differs and takes effect only at the next start, as `intake.kafka.group_id`."""
    return [name for setting in NEED_RESTART for name in _changed(setting, _at(old, setting), _at(new, setting))]


def _at(config: Config, setting: str) -> Any:
    value: Any = config
    for part in setting.split("."):
        value = getattr(value, part)
    return value


def _changed(name: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, BaseModel) and type(old) is type(new):
        for field in type(old).model_fields:
            yield from _changed(f"{name}.{field}", getattr(old, field), getattr(new, field))
    elif old != new:
        yield name
