"""Channels over HTTP, with the built-in ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from alertd.api.resources import Collection
from alertd.model.channel import SYSTEM_CHANNELS, Channel, ChannelKind
from alertd.resources.kinds import CHANNEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from alertd.api.context import Context
    from alertd.resources.entry import Entry


class Channels(Collection):
    """`/api/v1/workspaces/{workspace}/channels`."""

    choices = ("built_in",)

    def __init__(self, context: Context) -> None:
        super().__init__(context, CHANNEL)

    @override
    def status(self, entry: Entry) -> dict[str, Any]:
        """Tell own ones from those that are built in."""
        return {"built_in": entry.built_in}

    @override
    def made_by_nobody(self, workspace: str) -> Sequence[Entry]:
        """List none: `critical-types` is no system channel, and is shown where it is asked for by name."""
        return ()

    @override
    def built_in(self, workspace: str) -> Iterable[dict[str, Any]]:
        """Give the system channels."""
        for name in SYSTEM_CHANNELS:
            channel = Channel.model_construct(None, name=name, kind=ChannelKind.LITERAL, pattern=name)
            nowhere = {"provisioned": False, "origin": None, "created_at": None, "updated_at": None}
            yield {**channel.model_dump(mode="json"), **nowhere, "built_in": True}
