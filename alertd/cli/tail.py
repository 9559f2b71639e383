"""`alertd tail`: verdicts and delivery attempts as they happen."""

import sys
from typing import Any

from alertd.cli.options import ConfigOption, JsonOption, TokenOption, UrlOption, WorkspaceOption, harmless, note


def tail(
    workspace: WorkspaceOption = "default",
    json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
    token_file: TokenOption = None,
) -> None:
    """Show verdicts and attempts live, one line each.

    Ends with Ctrl-C, or when the daemon stops. It does not connect again by itself: what happened meanwhile would be
    missing without a word. The history has everything.
    """
    import http.client

    from alertd.cli.client import Client, Server, below, with_client

    def follow(client: Client) -> None:
        try:
            for kind, item in client.stream(below(workspace, "deliveries", "stream")):
                _show(kind, item, as_json=json, place=f"{workspace} at {client.base_url}")
        except (ConnectionResetError, http.client.IncompleteRead):
            raise ConnectionError("the connection to the daemon broke") from None
        note("the daemon ended the stream")

    try:
        with_client(Server(url, config, token_file), follow)
    except KeyboardInterrupt:
        return


def _show(kind: str, item: Any, *, as_json: bool, place: str) -> None:
    from alertd.cli.options import print_json

    if kind == "ready":
        note(f"listening to the workspace {place}; Ctrl-C ends")
    elif as_json:
        print_json({"kind": kind, **item})
    else:
        sys.stdout.write(harmless(line_of(kind, item)) + "\n")
        sys.stdout.flush()


def line_of(kind: str, item: dict[str, Any]) -> str:
    """Write one live entry as a line, its time first."""
    at = f"{item['at']}  " if item.get("at") else ""
    if kind == "verdict":
        return f"{at}verdict   {item['type']}  {item['subscription']}: {item['verdict']}  ({item['event_id']})"
    if kind == "delivery":
        shown = [f"{at}delivery  {item.get('type')}  {item.get('destination')}: {item.get('outcome')}"]
        shown += [str(item[name]) for name in ("status", "detail") if item.get(name)]
        if item.get("state") in ("dead", "cancelled"):
            shown.append(f"{item['state']}, not tried again")
        shown.append(f"({item.get('delivery_id') or item.get('delivery')})")
        return "  ".join(shown)
    return f"{kind}  " + " ".join(f"{name}={value}" for name, value in item.items())
