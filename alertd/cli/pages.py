"""Lists of the API, walked as far as they are needed."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Collection

    from alertd.cli.client import Client

PAGE = 200


def items_of(client: "Client", path: str, count: int | None = None, needs: "Collection[str]" = ()) -> list[Any]:
    """Return the items of a list, no more than `count` of them (None: all), each of which holds at least what is needed."""
    from alertd.cli.client import NotAlertdError

    items: list[Any] = []
    query: dict[str, Any] = {"limit": PAGE if count is None else min(PAGE, count)}
    while True:
        page = client.call("GET", f"{path}?{urlencode(query)}", needs=("items", "next_cursor"))
        items += page["items"]
        if any(not (isinstance(item, dict) and item.keys() >= set(needs)) for item in page["items"]):
            raise NotAlertdError
        if page["next_cursor"] is None or (count is not None and len(items) >= count):
            return items if count is None else items[:count]
        query["cursor"] = page["next_cursor"]
