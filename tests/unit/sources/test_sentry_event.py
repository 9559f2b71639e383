"""Errors and messages of Sentry's SDKs as `data`: the layout, and every bound in it at the bound."""

from __future__ import annotations

from typing import Any

import pytest

from alertd.sources.sentry_defaults import SentryDefaults
from alertd.sources.sentry_event import UNLABELED, fingerprint_of, is_error
from alertd.sources.sentry_stack import FRAMES_MAX, NEAREST, OUTERMOST
from tests.unit.sources.sentry_samples import NOW, OTHER_ID, sdk_event


def data_of(**event: Any) -> dict[str, Any]:
    """Decode an event and return its `data`."""
    data: dict[str, Any] = sdk_event(**event)["data"]
    return data


def frames_of(frames: list[Any]) -> dict[str, Any]:
    """Decode an exception with these frames and return its stack trace, empty when it has none."""
    data = data_of(exception={"values": [{"type": "E", "stacktrace": {"frames": frames}}]})
    found: dict[str, Any] = data["exception"]["values"][-1].get("stacktrace", {})
    return found


def test_the_least_event() -> None:
    """An event that says nothing has an id, a title and a level."""
    assert sdk_event() == {
        "id": OTHER_ID,
        "type": "sentry.message",
        "workspace": "default",
        "source": "sentry-sdk",
        "severity": "error",
        "time": NOW,
        "key": UNLABELED,
        "message": UNLABELED,
        "data": {"event_id": OTHER_ID, "title": UNLABELED, "level": "error"},
    }
    assert is_error(data_of())
    assert not is_error({"action": "created", "title": "x", "level": "error"})


def test_a_whole_event() -> None:
    """Everything that the layout names is kept under its name, and nothing else."""
    data = data_of(
        timestamp="2026-11-20T22:00:00Z",
        platform="python",
        logger="shop.cart",
        transaction="/checkout/{id}",
        release="shop@1.2.3",
        dist="7",
        environment="prod",
        server_name="web-1",
        level="fatal",
        tags={"team": "payments", "n": 5, "none": None},
        exception={
            "values": [
                {
                    "type": "KeyError",
                    "value": "'sku'",
                    "module": "builtins",
                    "mechanism": {
                        "type": "logging",
                        "handled": True,
                        "synthetic": False,
                        "is_exception_group": False,
                        "exception_id": 0,
                        "parent_id": 1,
                        "source": "__cause__",
                        "data": {"errno": 1},
                    },
                }
            ]
        },
        logentry={"message": "Order %s failed", "formatted": "Order 17 failed", "params": [17, "x", None, [1]]},
        fingerprint=["{{ default }}", "x"],
        user={"id": 7, "username": "ann", "email": "ann@example.com", "ip_address": "192.0.2.1", "geo": {}},
        request={"method": "POST", "url": "https://x/pay?token=1#frag", "data": {"card": "4111"}, "cookies": "a"},
        contexts={
            "trace": {"trace_id": "a" * 32, "span_id": "b" * 16, "op": "http", "data": {"x": 1}},
            "runtime": {"name": "CPython", "version": "3.11.7", "build": "x"},
            "device": {"family": "Mac", "model": "M1"},
            "own": {"a": 1},
        },
        sdk={"name": "sentry.python", "version": "2.75.0", "packages": []},
        extra={"password": "x"},
        breadcrumbs={"values": [{"message": "x"}]},
        modules={"a": "1"},
        debug_meta={"images": []},
    )
    assert data == {
        "event_id": OTHER_ID,
        "title": "KeyError: 'sku'",
        "level": "fatal",
        "culprit": "/checkout/{id}",
        "platform": "python",
        "logger": "shop.cart",
        "transaction": "/checkout/{id}",
        "release": "shop@1.2.3",
        "dist": "7",
        "environment": "prod",
        "server_name": "web-1",
        "exception": {
            "type": "KeyError",
            "value": "'sku'",
            "module": "builtins",
            "handled": True,
            "values": [
                {
                    "type": "KeyError",
                    "value": "'sku'",
                    "module": "builtins",
                    "mechanism": {
                        "type": "logging",
                        "source": "__cause__",
                        "handled": True,
                        "synthetic": False,
                        "is_exception_group": False,
                        "exception_id": 0,
                        "parent_id": 1,
                    },
                }
            ],
        },
        "logentry": {"formatted": "Order 17 failed", "message": "Order %s failed", "params": [17, "x", None, None]},
        "fingerprint": ["{{ default }}", "x"],
        "user": {"id": "7", "username": "ann", "email": "ann@example.com", "ip_address": "192.0.2.1"},
        "request": {"method": "POST", "url": "https://x/pay"},
        "contexts": {
            "trace": {"trace_id": "a" * 32, "span_id": "b" * 16, "op": "http"},
            "runtime": {"name": "CPython", "version": "3.11.7"},
            "device": {"family": "Mac", "model": "M1"},
        },
        "sdk": {"name": "sentry.python", "version": "2.75.0"},
    }


BOUNDS = [
    ("platform", 64),
    ("logger", 128),
    ("transaction", 200),
    ("dist", 64),
    ("release", 250),
    ("server_name", 200),
]


@pytest.mark.parametrize(("name", "most"), BOUNDS)
def test_each_text_at_its_bound(name: str, most: int) -> None:
    """A text is kept whole at its bound; one beyond is cut, visibly, and marked."""
    whole = data_of(**{name: "ü" * most})
    assert whole[name] == "ü" * most
    assert "trimmed" not in whole
    over = data_of(**{name: "ü" * (most + 1)})
    assert over[name] == "ü" * (most - 1) + "…"
    assert over["trimmed"] == [name]


def test_long_texts_of_an_exception() -> None:
    """Type, value and module are cut at their bounds and marked."""
    at_bound = {"type": "T" * 256, "value": "v" * 4096, "module": "m" * 256}
    data = data_of(exception=[at_bound])
    assert {name: data["exception"][name] for name in at_bound} == at_bound
    assert "trimmed" not in data
    data = data_of(exception=[{name: text + "x" for name, text in at_bound.items()}])
    assert {name: len(data["exception"][name]) for name in at_bound} == {n: len(t) for n, t in at_bound.items()}
    assert data["trimmed"] == [f"exception.values.{name}" for name in ("module", "type", "value")]


def test_the_bounds_of_a_message() -> None:
    """A message is kept at its bound and cut beyond; its parameters are bounded in number and length."""
    assert data_of(message="m" * 8192)["logentry"] == {"formatted": "m" * 8192}
    over = data_of(message="m" * 8193)
    assert over["logentry"]["formatted"] == "m" * 8191 + "…"
    assert over["trimmed"] == ["logentry.formatted"]
    params = ["p" * 256] * 32
    kept = data_of(logentry={"message": "%s", "formatted": "x", "params": params})
    assert kept["logentry"]["params"] == params
    assert "trimmed" not in kept
    cut = data_of(logentry={"message": "%s", "formatted": "x", "params": [*params, 1]})
    assert cut["logentry"]["params"] == params
    assert cut["trimmed"] == ["logentry.params"]


@pytest.mark.parametrize(
    ("given", "logentry"),
    [
        ({"message": "hello"}, {"formatted": "hello"}),
        ({"message": {"message": "a %s", "params": ["b"]}}, {"formatted": "a b", "message": "a %s", "params": ["b"]}),
        ({"logentry": {"message": "plain"}}, {"formatted": "plain"}),
        ({"logentry": {"message": "t %s"}, "message": "t 1"}, {"formatted": "t 1", "message": "t %s"}),
        (
            {"logentry": {"message": "%(a)s of %(b)d, 100%%", "params": {"a": 1, "b": 2}}},
            {"formatted": "1 of 2, 100%", "message": "%(a)s of %(b)d, 100%%", "params": {"a": 1, "b": 2}},
        ),
        (
            {"logentry": {"message": "{} and {}", "params": ["x"]}},
            {"formatted": "x and {}", "message": "{} and {}", "params": ["x"]},
        ),
        (
            {"logentry": {"message": "%999999999d", "params": [1]}},
            {"formatted": "1", "message": "%999999999d", "params": [1]},
        ),
        ({"logentry": {"formatted": ""}, "message": ""}, None),
        ({"logentry": "x", "message": 5}, {"formatted": "5"}),
        ({"message": []}, None),
    ],
)
def test_every_shape_of_a_message(given: dict[str, Any], logentry: dict[str, Any] | None) -> None:
    """A message is read in every shape that SDKs give it; no template makes it long."""
    assert data_of(**given).get("logentry") == logentry


@pytest.mark.parametrize(
    ("given", "title"),
    [
        ({"exception": [{"type": "E", "value": "a\nb"}]}, "E: a"),
        ({"exception": [{"type": "E"}]}, "E"),
        ({"exception": [{"value": "only"}]}, "only"),
        ({"exception": [{"type": "E", "value": "v" * 300}]}, "E: " + "v" * 252 + "…"),
        ({"message": "\n  first\nsecond"}, "first"),
        ({"message": "  \n "}, UNLABELED),
        ({"title": "given", "message": "x"}, "given"),
        ({"title": 5, "message": "x"}, "x"),
    ],
)
def test_titles(given: dict[str, Any], title: str) -> None:
    """A title is what was given, else made of the exception, else of the message; one line, bounded."""
    assert data_of(**given)["title"] == title


@pytest.mark.parametrize(
    ("frame", "culprit"),
    [
        ({"module": "shop.cart", "filename": "shop/cart.py", "function": "checkout"}, "shop.cart in checkout"),
        ({"filename": "shop/cart.py", "function": "checkout"}, "shop/cart.py in checkout"),
        ({"abs_path": "/srv/cart.py"}, "/srv/cart.py"),
        ({"function": "main"}, "main"),
    ],
)
def test_the_culprit_is_the_crash_frame(frame: dict[str, Any], culprit: str) -> None:
    """Without a transaction the culprit is where it crashed."""
    data = data_of(exception=[{"type": "E", "stacktrace": {"frames": [{"function": "outer"}, frame]}}])
    assert data["culprit"] == culprit


def test_a_frame() -> None:
    """A frame keeps what groups and finds it, and no values of variables."""
    given = {
        "filename": "shop/cart.py",
        "abs_path": "/srv/shop/cart.py",
        "module": "shop.cart",
        "function": "checkout",
        "lineno": 17,
        "colno": 0,
        "in_app": True,
        "context_line": "x" * 200,
        "pre_context": list("abcdefg"),
        "post_context": [*"hijklmn"],
        "vars": {"secret": 1},
        "package": "shop",
    }
    assert frames_of([given]) == {
        "frames": [
            {
                "filename": "shop/cart.py",
                "module": "shop.cart",
                "function": "checkout",
                "abs_path": "/srv/shop/cart.py",
                "lineno": 17,
                "colno": 0,
                "in_app": True,
                "context_line": "x" * 200,
                "pre_context": list("cdefg"),
                "post_context": list("hijkl"),
            }
        ]
    }


def test_a_library_frame_has_one_line() -> None:
    """Of a frame that is not the application's only its own line is kept, and null is not in the application."""
    for in_app in (False, None, "yes", 1):
        frame = {"filename": "a.py", "in_app": in_app, "context_line": "l", "pre_context": ["p"], "post_context": ["q"]}
        assert frames_of([frame])["frames"] == [{"filename": "a.py", "in_app": False, "context_line": "l"}]


def test_odd_frames() -> None:
    """A path stands in for a missing file; what says nowhere is left out and counted; odd values are absent."""
    assert frames_of([{"abs_path": "/a", "filename": None}])["frames"] == [{"filename": "/a", "in_app": False}]
    assert frames_of([{"abs_path": "/a", "filename": "/a"}])["frames"] == [{"filename": "/a", "in_app": False}]
    odd: list[Any] = [
        {"lineno": 3},
        None,
        5,
        {"function": {}, "filename": []},
        {"function": "f", "lineno": -1, "colno": True},
    ]
    assert frames_of(odd) == {"frames": [{"function": "f", "in_app": False}], "omitted": 4}
    assert frames_of([{}, None]) == {}
    strange = {"function": 5, "lineno": 1.5, "pre_context": [None, 5, "x"], "in_app": True, "context_line": ""}
    assert frames_of([strange])["frames"] == [{"function": "5", "in_app": True, "pre_context": ["", "", "x"]}]


def test_long_lines_of_a_frame_are_cut_and_marked() -> None:
    """Lines, names and paths beyond their bounds are cut and marked."""
    frame = {"filename": "f" * 513, "function": "g" * 257, "in_app": True, "context_line": "x" * 201}
    data = data_of(exception=[{"type": "E", "stacktrace": {"frames": [frame | {"pre_context": ["p" * 201]}]}}])
    (kept,) = data["exception"]["values"][0]["stacktrace"]["frames"]
    assert {name: len(value) for name, value in kept.items() if isinstance(value, str)} == {
        "filename": 512,
        "function": 256,
        "context_line": 200,
    }
    assert len(kept["pre_context"][0]) == 200
    assert data["trimmed"] == ["exception.values.stacktrace.frames"]


def numbered(count: int, in_app: frozenset[int] = frozenset()) -> list[dict[str, Any]]:
    """Make frames that are told apart by their line."""
    return [{"function": "f", "lineno": number, "in_app": number in in_app} for number in range(count)]


def test_many_frames() -> None:
    """Of too many frames the nearest, the outermost and the application's own stay, in their order."""
    assert "omitted" not in frames_of(numbered(FRAMES_MAX))
    own = frozenset(range(100, 110))
    kept = frames_of(numbered(1000, own))
    assert kept["omitted"] == 1000 - FRAMES_MAX
    lines = [frame["lineno"] for frame in kept["frames"]]
    rest = FRAMES_MAX - NEAREST - OUTERMOST - len(own)
    nearest = range(1000 - NEAREST - rest, 1000)
    assert lines == [*range(OUTERMOST), *sorted(own), *nearest]
    alone = frames_of(numbered(1000, frozenset(range(1000))))
    assert [frame["lineno"] for frame in alone["frames"]] == [*range(OUTERMOST), *range(1000 - 45, 1000)]


def test_a_long_chain() -> None:
    """Of too many exceptions the two oldest causes and those nearest to the raised one stay."""
    chain = [{"type": f"E{number}"} for number in range(10)]
    assert "omitted" not in data_of(exception=chain)["exception"]
    data = data_of(exception={"values": [{"type": f"E{number}"} for number in range(25)]})
    assert [value["type"] for value in data["exception"]["values"]] == [f"E{n}" for n in (0, 1, *range(17, 25))]
    assert (data["exception"]["omitted"], data["exception"]["type"]) == (15, "E24")
    assert data["trimmed"] == ["exception.values"]


@pytest.mark.parametrize(
    ("said", "handled"),
    [
        ([True, True], True),
        ([False, True], False),
        ([True, False], False),
        ([None, True], True),
        ([False, None], False),
        ([True, None], None),
        ([None, None], None),
    ],
)
def test_what_was_not_handled_anywhere_was_not_handled(said: list[bool | None], handled: bool | None) -> None:
    """One exception of the chain that says so is enough: SDKs differ in which of them they say it of."""
    values = [{"type": "E", "mechanism": {"type": "x", "handled": each}} for each in said]
    assert data_of(exception={"values": values})["exception"].get("handled") is handled


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"values": [{"type": "E"}]}, "E"),
        ([{"type": "E"}], "E"),
        ({"type": "E"}, "E"),
        ({"values": [None, {"type": "E"}, {"module": "m"}, {"type": "", "value": None}]}, "E"),
        ({"values": [{"type": 5}]}, "5"),
        ({"values": None}, None),
        ({"values": [{"type": {}, "value": []}]}, None),
        ([], None),
        ("E", None),
    ],
)
def test_every_shape_of_an_exception(given: Any, kind: str | None) -> None:
    """Exceptions are read in every shape that SDKs give them; one without type and value is none."""
    assert data_of(exception=given).get("exception", {}).get("type") == kind


STACK = {"frames": [{"function": "f"}]}
KEPT = {"frames": [{"function": "f", "in_app": False}]}


@pytest.mark.parametrize(
    ("given", "stacktrace"),
    [
        ({"stacktrace": STACK}, KEPT),
        ({"threads": {"values": [{"stacktrace": STACK}]}}, KEPT),
        ({"threads": [{"stacktrace": {"frames": [{"function": "g"}]}}, {"current": True, "stacktrace": STACK}]}, KEPT),
        ({"threads": [{"current": True, "stacktrace": {}}, {"crashed": True, "stacktrace": STACK}]}, KEPT),
        ({"threads": [{"stacktrace": STACK}, {"stacktrace": STACK}]}, None),
        ({"threads": "x"}, None),
        ({"stacktrace": STACK, "exception": [{"type": "E"}]}, KEPT),
        ({"stacktrace": STACK, "exception": [{"type": "E", "stacktrace": STACK}]}, None),
    ],
)
def test_a_stack_trace_without_an_exception(given: dict[str, Any], stacktrace: Any) -> None:
    """The event's own stack trace, or that of the thread that matters, is kept where the exception has none."""
    assert data_of(**given).get("stacktrace") == stacktrace


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["a", 5, 5.9, True, None, [], {}], ["a", "5", "5", "True"]),
        ("one", ["one"]),
        ([], None),
        (None, None),
        ([None], None),
        ([str(n) for n in range(33)], [str(n) for n in range(32)]),
    ],
)
def test_fingerprints(given: Any, kept: list[str] | None) -> None:
    """A fingerprint is read as Sentry reads it; an empty one is none."""
    assert data_of(fingerprint=given).get("fingerprint") == kept


def test_long_fingerprints_stay_apart() -> None:
    """Two long parts that differ at their end differ still when they are shortened; one at the bound is kept."""
    assert fingerprint_of(["a" * 256], set()) == ["a" * 256]
    (one,), (other,) = (fingerprint_of(["a" * 256 + end], set()) for end in "xy")
    assert len(one) == len(other) == 256
    assert one != other


def test_tags_are_labels() -> None:
    """Tags, an object or pairs, are labels: text, bounded in number, names and values, what is cut is marked."""
    assert sdk_event(tags={"a": "x", "n": 5, "yes": True, "gone": None, "odd": [], "": "x"})["labels"] == {
        "a": "x",
        "n": "5",
        "yes": "True",
    }
    assert sdk_event(tags=[["a", "x"], ["b"], 5, [None, "x"], ["sentry:user", "1"]])["labels"] == {
        "a": "x",
        "user": "1",
    }
    at_bound = {f"t{n}": "v" for n in range(63)} | {"n" * 128: "v" * 1024}
    whole = sdk_event(tags=at_bound)
    assert whole["labels"] == at_bound
    assert "trimmed" not in whole["data"]
    for over in (at_bound | {"one": "more"}, {"n" * 129: "x"}, {"n": "v" * 1025}):
        body = sdk_event(tags=over)
        assert body["data"]["trimmed"] == ["labels"]
    assert "labels" not in sdk_event(tags="x")


def test_an_address_that_the_receiver_should_fill_in_is_none() -> None:
    """A browser leaves the user's address to the receiver; that is no address."""
    assert "user" not in data_of(user={"ip_address": "{{auto}}"})


def test_the_issue_is_the_key() -> None:
    """The key is what the wiring names, else the title on one line."""
    assert sdk_event(message="a\tb")["key"] == "a b"
    assert sdk_event(title="\x00")["key"] == "sentry.message"
    asked: list[tuple[str, str, dict[str, str]]] = []

    def issue_key(project: str, data: Any, labels: Any) -> str:
        asked.append((project, data["title"], labels))
        return "SHOP-42" if project else ""

    assert (
        sdk_event(SentryDefaults(project="shop", issue_key=issue_key), message="x", tags={"a": 1})["key"] == "SHOP-42"
    )
    assert sdk_event(SentryDefaults(issue_key=issue_key), message="x")["key"] == "x"
    assert asked == [("shop", "x", {"a": "1"}), ("", "x", {})]
