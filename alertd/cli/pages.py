"""Lists of the API, walked to their end."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from alertd.cli.client import Client

PAGE = 200


def all_items(client: "Client", path: str) -> list[Any]:
    """Return every item of a list."""
    items: list[Any] = []
    query: dict[str, Any] = {"limit": PAGE}
    while True:
        page = client.call("GET", f"{path}?{urlencode(query)}", needs=("items", "next_cursor"))
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        query["cursor"] = page["next_cursor"]
