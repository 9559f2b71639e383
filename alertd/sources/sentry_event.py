"""An error or message of Sentry as the `data` of an event, whatever brought it: SDK, webhook or Kafka.

Names are Sentry's own where Sentry has one. What has nothing to say is absent, never null or empty; `always` marks the
exceptions. `[n]` is the greatest length in characters; a text that was cut ends in `…`.

event_id     always: 32 small hexadecimal digits
title        always: what was given, else `type: value`, else the message, its first line [256]
level        always: fatal, error, warning, info or debug
culprit      what was given, else the transaction, else where the crash frame is [256]
platform [64], logger [128], transaction [200], release [250], dist [64], environment [128], server_name [200]
exception    type [256], value [4096], module [256], handled: those of the raised exception; absent in a message;
             handled is false where any exception of the chain was not (Node.js tells it of the cause)
  values       always: 1 to 10, oldest cause first, the raised exception last; `omitted` counts those left out after the
               second. Each: type, value, module; mechanism (type, source [128]; handled, synthetic, is_exception_group;
               exception_id, parent_id); stacktrace
stacktrace   the event's own or that of its crashed (else current, else only) thread; only where the raised exception
             has none. Each stack trace: `frames`, 1 to 50, oldest caller first, the crash frame last; `omitted` counts
             those left out. Each frame: filename [512], abs_path [512] where it differs, module [256], function [256],
             lineno, colno, in_app (always), context_line [200]; of the application's own frames also pre_context and
             post_context, up to 5 lines each [200]
logentry     formatted [8192] (always), message [8192]: the template, params: up to 32 scalars, in a list or an object
fingerprint  texts, 1 to 32; a longer part than 256 is its beginning, `#`, and 32 digits of its SHA-256
user         id, username, email, ip_address [128]
request      method [16], url [512] without its query; nothing else: headers, cookies and bodies are not kept
contexts     trace, runtime, os, browser, device: a few names each [200]
sdk          name [64], version [64]
sentry       webhooks only: issue_id, issue_url, project_id, organization, triggered_rule, resource
trimmed      what was cut or left out, for its size or as one of many (`alertd.engine.issues.sample`): a sorted list of dotted
             paths without indices; `data` alone: almost all

Variables, breadcrumbs, extra, modules and debug images are never kept. Tags are the event's labels.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from alertd.model.frames import Crash
from alertd.sources.sentry_exception import exception_of
from alertd.sources.sentry_fields import cut, first_line, level_of, picked, place_of, text_of
from alertd.sources.sentry_message import logentry_of
from alertd.sources.sentry_stack import stacktrace_of

if TYPE_CHECKING:
    from collections.abc import Mapping

TITLE_MAX: Final = 256
"""Greatest length of a title and of a culprit, in characters."""
PARTS_MAX: Final = 32
"""Greatest number of parts of a fingerprint."""
PART_MAX: Final = 256
"""Greatest length of one part, in characters."""
UNLABELED: Final = "<unlabeled event>"
"""The title of an event that says nothing."""

_DIGEST_HEX: Final = 32
_SCALARS: Final = {"platform": 64, "logger": 128, "transaction": 200, "dist": 64, "server_name": 200}
_RELEASE_MAX: Final = 250
_USER: Final = {"id": 128, "username": 128, "email": 128, "ip_address": 128}
_SDK: Final = {"name": 64, "version": 64}
_NAMED: Final = {"name": 200, "version": 200}
_CONTEXTS: Final = {
    "trace": ({"trace_id": 200, "span_id": 200, "op": 200}, "contexts.trace."),
    "runtime": (_NAMED, "contexts.runtime."),
    "os": (_NAMED, "contexts.os."),
    "browser": (_NAMED, "contexts.browser."),
    "device": ({"family": 200, "model": 200}, "contexts.device."),
}
_METHOD_MAX: Final = 16
_URL_MAX: Final = 512


def is_error(data: Mapping[str, Any]) -> bool:
    """Tell whether an event's `data` is of this layout: an error or a message, to be grouped."""
    return "event_id" in data and "title" in data and "level" in data


def describe(given: Mapping[str, Any], event_id: str, tags: Mapping[str, str], trimmed: set[str]) -> dict[str, Any]:
    """Lay an event of Sentry out as above, but for `sentry` and `trimmed`. Never raises; linear in the size."""
    get = given.get
    exception = exception_of(get("exception"), trimmed)
    logentry = logentry_of(get("logentry"), get("message"), trimmed)
    data: dict[str, Any] = {
        "event_id": event_id,
        "title": _title(get("title"), exception, logentry),
        "level": level_of(get("level") or tags.get("level")),
    }
    data |= picked(given, _SCALARS, "", trimmed)
    release = text_of(get("release") or tags.get("release"), _RELEASE_MAX, "release", trimmed)
    if release:
        data["release"] = release
    environment = place_of(get("environment") or tags.get("environment"))
    if environment:
        data["environment"] = environment
    if exception is not None:
        data["exception"] = exception
    crash = exception["values"][-1].get("stacktrace") if exception else None
    if crash is None:
        crash = _own_stacktrace(given, trimmed)
        if crash is not None:
            data["stacktrace"] = crash
    culprit = _culprit(get("culprit"), data, crash)
    if culprit:
        data["culprit"] = culprit
    if logentry is not None:
        data["logentry"] = logentry
    _add_surroundings(data, given, trimmed)
    return data


def fingerprint_of(given: Any, trimmed: set[str]) -> list[str]:
    """Read a fingerprint as Sentry does: texts as they are, numbers whole, True and False; what else there is is dropped."""
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list):
        return []
    parts = [part for each in given[: PARTS_MAX + 1] if (part := _part(each, trimmed)) is not None]
    if len(given) > PARTS_MAX:
        trimmed.add("fingerprint")
    return parts[:PARTS_MAX]


def _part(given: Any, trimmed: set[str]) -> str | None:
    if isinstance(given, bool):
        return str(given)
    if isinstance(given, (int, float)):
        given = str(int(given))
    if not isinstance(given, str):
        return None
    if len(given) <= PART_MAX:
        return given
    trimmed.add("fingerprint")
    digest = sha256(given.encode()).hexdigest()[:_DIGEST_HEX]
    return f"{given[: PART_MAX - _DIGEST_HEX - 1]}#{digest}"


def _title(given: Any, exception: Mapping[str, Any] | None, logentry: Mapping[str, Any] | None) -> str:
    if isinstance(given, str) and (title := first_line(given, TITLE_MAX)):
        return title
    if exception is not None:
        return _title_of(exception) or UNLABELED
    if logentry is not None and (title := first_line(logentry["formatted"], TITLE_MAX)):
        return title
    return UNLABELED


def _title_of(exception: Mapping[str, Any]) -> str:
    if type(exception) is Crash and exception.title is not None:
        return exception.title
    value = first_line(exception.get("value", ""), TITLE_MAX)
    title = cut(": ".join([part for part in (exception.get("type"), value) if part]), TITLE_MAX)
    if type(exception) is Crash:
        exception.title = title
    return title


def _culprit(given: Any, data: Mapping[str, Any], crash: Mapping[str, Any] | None) -> str | None:
    if isinstance(given, str) and given:
        return cut(given, TITLE_MAX)
    if "transaction" in data:
        return str(data["transaction"])
    if crash is None:
        return None
    frame = crash["frames"][-1]
    where = frame.get("module") or frame.get("filename")
    function = frame.get("function")
    return cut(f"{where} in {function}" if where and function else where or function, TITLE_MAX)


def _own_stacktrace(given: Mapping[str, Any], trimmed: set[str]) -> dict[str, Any] | None:
    """Read the stack trace of an event whose exception has none, or of the thread that matters most."""
    own = stacktrace_of(given.get("stacktrace"), "stacktrace", trimmed)
    if own is not None:
        return own
    threads = given.get("threads")
    if isinstance(threads, dict):
        threads = threads.get("values")
    if not isinstance(threads, list):
        return None
    traced = [each for each in threads if isinstance(each, dict) and each.get("stacktrace")]
    for sign in ("crashed", "current"):
        for thread in traced:
            if thread.get(sign) is True:
                return stacktrace_of(thread["stacktrace"], "stacktrace", trimmed)
    return stacktrace_of(traced[0]["stacktrace"], "stacktrace", trimmed) if len(traced) == 1 else None


def _add_surroundings(data: dict[str, Any], given: Mapping[str, Any], trimmed: set[str]) -> None:
    """Add fingerprint, user, request, contexts and SDK."""
    get = given.get
    if fingerprint := fingerprint_of(get("fingerprint"), trimmed):
        data["fingerprint"] = fingerprint
    if user := _user(get("user"), trimmed):
        data["user"] = user
    if request := _request(get("request"), trimmed):
        data["request"] = request
    if contexts := _contexts(get("contexts"), trimmed):
        data["contexts"] = contexts
    if sdk := picked(get("sdk"), _SDK, "sdk.", trimmed):
        data["sdk"] = sdk


def _user(given: Any, trimmed: set[str]) -> dict[str, str]:
    """Read who it happened to; the address that SDKs leave to the receiver to fill in is none."""
    kept = picked(given, _USER, "user.", trimmed)
    if kept.get("ip_address") == "{{auto}}":
        del kept["ip_address"]
    return kept


def _request(given: Any, trimmed: set[str]) -> dict[str, str]:
    if not isinstance(given, dict):
        return {}
    kept = picked(given, {"method": _METHOD_MAX}, "request.", trimmed)
    url = given.get("url")
    if isinstance(url, str) and (url := url.partition("?")[0].partition("#")[0]):
        kept["url"] = text_of(url, _URL_MAX, "request.url", trimmed) or ""
    return kept


def _contexts(given: Any, trimmed: set[str]) -> dict[str, Any]:
    if not isinstance(given, dict):
        return {}
    return {
        name: kept
        for name, (bounds, place) in _CONTEXTS.items()
        if name in given and (kept := picked(given[name], bounds, place, trimmed))
    }
