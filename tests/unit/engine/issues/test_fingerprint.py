"""Which errors are one issue: the rules of grouping, and what does not matter to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.engine.issues.fingerprint import FRAMES, VERSION, fingerprint_of
from alertd.engine.issues.frame import crash_frames
from tests.unit.engine.issues.errors import error, frame

if TYPE_CHECKING:
    from collections.abc import Callable

STACK = [
    frame("main", "run.py", "run"),
    frame("view", "shop/views.py", "shop.views"),
    frame("total", "shop/cart.py", "shop.cart"),
]
LONG = [frame(f"f{number}", module=f"m{number}") for number in range(40)]


def test_it_begins_with_the_version_of_its_rules() -> None:
    """The version is part of it, and stays what it is: these digits were made by version 1 for ever."""
    assert fingerprint_of(error(frames=STACK)) == "1:25beb818798f90146dcfa522f0b224c7"
    assert fingerprint_of(error(frames=STACK)).startswith(f"{VERSION}:")
    with pytest.raises(KeyError):
        fingerprint_of(error(), version=999)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(error(frames=STACK), error(value="'other'", frames=STACK), id="the value beside a stack"),
        pytest.param(
            error(frames=STACK),
            error(frames=[{**each, "lineno": 7, "context_line": "x"} for each in STACK]),
            id="lines",
        ),
        pytest.param(error(frames=STACK), error(frames=STACK, level="fatal", release="2"), id="level and release"),
        pytest.param(
            error(frames=STACK),
            error(frames=[STACK[0], frame("lib", module="lib", own=False), *STACK[1:]]),
            id="frames that are not the application's",
        ),
        pytest.param(error(frames=LONG), error(frames=LONG[-FRAMES:]), id="callers far from the crash"),
        pytest.param(
            error(frames=[*STACK, frame("walk", module="tree")]),
            error(frames=[*STACK, *[frame("walk", module="tree")] * 30]),
            id="how deep a recursion went",
        ),
        pytest.param(
            error(frames=[frame("go", "/srv/a/app.3f2a1b9c.js?v=1")]),
            error(frames=[frame("go", "/opt/b/app.77aa01bd.js?v=2")]),
            id="the folder and the hash of a bundle",
        ),
        pytest.param(
            error(frames=[frame("run", module="shop.Cart$$EnhancerBySpringCGLIB$$1f2e")]),
            error(frames=[frame("run", module="shop.Cart$$EnhancerBySpringCGLIB$$9a9a")]),
            id="what a framework makes at run time",
        ),
        pytest.param(error(value="no order 17"), error(value="no order 18"), id="numbers in the value"),
        pytest.param(error(value="bad\nline two"), error(value="bad\nanother"), id="further lines of the value"),
        pytest.param(
            error(frames=STACK), error(frames=STACK, fingerprint=["{{ default }}"]), id="a fingerprint of the default"
        ),
        pytest.param(
            error(fingerprint=["a", "{{ type }}"]),
            error(value="x", frames=STACK, fingerprint=["a", "{{error.type}}"]),
            id="all but the explicit fingerprint",
        ),
    ],
)
def test_it_is_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """What changes between two occurrences of one problem does not part them."""
    assert fingerprint_of(one) == fingerprint_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(error(frames=STACK), error("TypeError", frames=STACK), id="the type"),
        pytest.param(error(frames=STACK), error(frames=STACK[:2]), id="where it crashed"),
        pytest.param(
            error(frames=STACK), error(frames=[*STACK[:2], frame("count", "shop/cart.py", "shop.cart")]), id="function"
        ),
        pytest.param(error(frames=STACK), error(), id="a stack and none"),
        pytest.param(error(value="no order"), error(value="no user"), id="the value without a stack"),
        pytest.param(error(transaction="/a"), error(transaction="/b"), id="the transaction without a stack"),
        pytest.param(error(fingerprint=["a"]), error(fingerprint=["b"]), id="explicit ones"),
        pytest.param(error(fingerprint=["a", "b"]), error(fingerprint=["ab"]), id="where their parts end"),
        pytest.param(error(frames=STACK), error(frames=STACK, fingerprint=["{{ default }}", "x"]), id="hybrid"),
        pytest.param(
            error(fingerprint=["{{ default }}", "x"]),
            error("TypeError", fingerprint=["{{ default }}", "x"]),
            id="the default in a hybrid",
        ),
        pytest.param(
            error(frames=[frame("go", "a.js")]),
            error(frames=[frame("go", "b.js")]),
            id="the file where there is no module",
        ),
    ],
)
def test_it_is_another(one: dict[str, Any], other: dict[str, Any]) -> None:
    """What makes it another problem parts them."""
    assert fingerprint_of(one) != fingerprint_of(other)


def message(formatted: str, template: str | None = None) -> dict[str, Any]:
    """Make the `data` of a message."""
    logentry = {"formatted": formatted} | ({} if template is None else {"message": template})
    return {"event_id": "0" * 32, "title": formatted, "level": "info", "logentry": logentry}


def test_a_message_is_its_template() -> None:
    """What was logged with one template is one issue; without a template the parameters are taken out."""
    assert fingerprint_of(message("Order ant failed", "Order %s failed")) == fingerprint_of(
        message("Order bee failed", "Order %s failed")
    )
    assert fingerprint_of(message("Order 1 failed")) == fingerprint_of(message("Order 2 failed"))
    assert fingerprint_of(message("Order ant failed")) != fingerprint_of(message("Order bee failed"))


def test_the_kinds_of_errors_in_a_group_count() -> None:
    """That a group of exceptions was raised says little: what is in it tells groups apart, in whatever order."""
    group = {"type": "ExceptionGroup", "value": "2 sub-exceptions", "mechanism": {"is_exception_group": True}}

    def of(*kinds: str) -> str:
        data = error("ExceptionGroup")
        data["exception"]["values"] = [*({"type": kind, "value": "x"} for kind in kinds), group]
        return fingerprint_of(data)

    assert of("KeyError", "OSError") == of("OSError", "KeyError")
    assert of("KeyError") != of("OSError")


def test_the_type_of_a_synthetic_exception_does_not_count() -> None:
    """A type that the SDK made up is none."""
    one, other = error("Error", frames=STACK), error("Signal", frames=STACK)
    for data in (one, other):
        data["exception"]["values"][0]["mechanism"] = {"synthetic": True}
    assert fingerprint_of(one) == fingerprint_of(other)


def test_messages_that_an_sdk_gives_a_stack_are_told_apart_by_what_they_say() -> None:
    """Two warnings of one function are two problems; one of two disks is one."""

    def of(value: str) -> str:
        data = error("Error", frames=STACK)
        data["exception"]["values"][0] |= {"value": value, "mechanism": {"synthetic": True}}
        return fingerprint_of(data)

    assert of("disk almost full") != of("payment queue stalled")
    assert of("disk 7 almost full") == of("disk 12 almost full")


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("{{ transaction }}", "/checkout"),
        ("{{ type }}", "KeyError"),
        ("{{ error.value }}", "'sku'"),
        ("{{ function }}", "total"),
        ("{{ stack.module }}", "shop.cart"),
        ("{{ stack.filename }}", "shop/cart.py"),
        ("{{ level }}", "error"),
        ("{{ logger }}", ""),
        ("{{ tags.team }}", "payments"),
        ("{{ message }}", "'sku'"),
        ("team-{{ tags.team }}", "team-payments"),
        ("{{ unheard_of }}", "{{ unheard_of }}"),
    ],
)
def test_variables_are_replaced(part: str, value: str) -> None:
    """A variable stands for what the event says, for nothing where it says nothing; an unknown one for itself."""
    data = error(frames=STACK, transaction="/checkout", fingerprint=["x", part])
    plain = error(frames=STACK, transaction="/checkout", fingerprint=["x", value])
    assert fingerprint_of(data, {"team": "payments"}) == fingerprint_of(plain)


texts = st.text(max_size=40)
frames = st.lists(
    st.fixed_dictionaries({"in_app": st.booleans()}, optional={"module": texts, "filename": texts, "function": texts}),
    min_size=1,
    max_size=8,
)


@given(
    data=st.builds(error, texts, texts, st.none() | frames),
    parts=st.none()
    | st.lists(st.sampled_from(["{{ default }}", "{{type}}", "x", "{{ function }}"]) | texts, min_size=1),
)
def test_it_is_made_of_anything(data: dict[str, Any], parts: list[str] | None) -> None:
    """Whatever the texts are, there is a fingerprint, always the same one."""
    if parts is not None:
        data["fingerprint"] = parts
    found = fingerprint_of(data)
    assert found == fingerprint_of(data)
    assert len(found) == 34


@pytest.mark.parametrize("wrong", [None, 7, "x", [], {}, [7], {"frames": 7}, {"frames": [7, None]}, {"values": []}])
@pytest.mark.parametrize("place", [lambda d, w: d.update(stacktrace=w), lambda d, w: d["exception"].update(values=[w])])
def test_a_stack_that_is_none_is_no_stack(wrong: Any, place: Callable[[dict[str, Any], Any], None]) -> None:
    """Reading the frames of what a native producer made up never fails."""
    data = error()
    place(data, wrong)
    assert crash_frames(data, 5) == []
