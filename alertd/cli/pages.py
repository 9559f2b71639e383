"""Lists of the API, walked as far as they are needed."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from alertd.cli.client import Client

PAGE = 200


def items_of(client: "Client", path: str, count: int | None = None) -> list[Any]:
    """Return the items of a list, no more than `count` of them (None: all)."""
    items: list[Any] = []
    query: dict[str, Any] = {"limit": PAGE if count is None else min(PAGE, count)}
    while True:
        page = client.call("GET", f"{path}?{urlencode(query)}", needs=("items", "next_cursor"))
        items += page["items"]
        if page["next_cursor"] is None or (count is not None and len(items) >= count):
            return items if count is None else items[:count]
        query["cursor"] = page["next_cursor"]
