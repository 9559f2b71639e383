"""Intake endpoints over HTTP, each with the URL to give to its service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from alertd.api.auth import caller
from alertd.api.resources import Collection
from alertd.model.token import Role
from alertd.resources.kinds import INTAKE_ENDPOINT

if TYPE_CHECKING:
    from aiohttp import web

    from alertd.api.context import Context
    from alertd.resources.entry import Entry


class IntakeEndpoints(Collection):
    """`/api/v1/workspaces/{workspace}/intake-endpoints`."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, INTAKE_ENDPOINT)

    @override
    def view(self, entry: Entry, request: web.Request) -> dict[str, Any]:
        """Show the URL to those who may send: whoever knows it can send."""
        shown = super().view(entry, request)
        may_send = caller(request).role >= Role.OPERATOR
        token = self.context.registry.url_token(entry)
        url = f"{self.context.base_url()}/api/v1/webhooks/{shown['source']}/{token}"
        return {**shown, "url": url if may_send else None, "verified": shown["secret"] is not None}
