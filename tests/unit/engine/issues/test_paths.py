"""Whether a file of a repository stands in a stack trace: compared from the end, whatever the root."""

from __future__ import annotations

import pytest

from alertd.engine.issues.frame import Frame
from alertd.engine.issues.paths import files_of, is_aside, is_vendored, likeness, nearness, segments


@pytest.mark.parametrize(
    "sent",
    [
        "/app/shop/cart.py",
        "/usr/src/app/shop/cart.py",
        "C:\\inetpub\\Shop\\Cart.py",
        "./shop/cart.py",
        "webpack:///./shop/cart.py",
        "webpack://acme/./shop/cart.py",
        "https://cdn.example.com/shop/cart.py?v=3",
        "file:///srv/shop/cart.py",
        "app:///shop/cart.py",
        "/srv/releases/17/lib/python3.11/site-packages/shop/cart.py",
    ],
)
def test_the_same_file_from_another_root(sent: str) -> None:
    """However it was deployed or bundled, it is surely that file."""
    assert likeness(segments("shop/cart.py"), segments(sent)) == 1
    assert likeness(segments("src/shop/cart.py"), segments(sent)) >= 0.5


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("shop/cart.py", "stock/cart.py", 0.15),
        ("shop/cart.py", "shop/cartridge.py", 0),
        ("handler.ts", "myhandler.ts", 0),
        ("cart.py", "/app/shop/cart.py", 0.5),
        ("a/b/shop/cart.py", "x/y/shop/cart.py", 0.4),
        ("shop/cart.py", "shop/cart.js", 0),
    ],
)
def test_how_surely(one: str, other: str, expected: float) -> None:
    """A name alone is half as sure, other folders hardly; a part of a name is another file."""
    assert likeness(segments(one), segments(other)) == expected
    assert likeness(segments(other), segments(one)) == expected


@pytest.mark.parametrize(
    ("frame", "changed"),
    [
        (Frame("com.acme.shop.Cart", "total", ("Cart.java",)), "src/main/java/com/acme/shop/Cart.java"),
        (Frame("com.acme.shop.Cart$Line", "total", ("Cart.java",)), "src/main/java/com/acme/shop/Cart.java"),
        (Frame("shop.cart", "total", ()), "shop/cart.py"),
        (Frame("", "total", ("shop/cart.rb",)), "app/shop/cart.rb"),
    ],
)
def test_a_module_names_a_file(frame: Frame, changed: str) -> None:
    """Where a stack has no path, the module is one."""
    assert max(likeness(segments(changed), each) for each in files_of(frame)) == 1


def test_nearness() -> None:
    """One folder is near, whatever lies above it; a folder without a name is nowhere."""
    assert nearness(segments("shop/cart.py"), segments("/app/shop/price.py")) == 1
    assert nearness(segments("src/shop/cart.py"), segments("/app/shop/price.py")) == 0.5
    assert nearness(segments("stock/cart.py"), segments("/app/shop/price.py")) == 0
    assert nearness(segments("cart.py"), segments("price.py")) == 0


@pytest.mark.parametrize(
    ("path", "aside"),
    [
        ("README.md", True),
        ("docs/guide.py", True),
        ("shop/tests/helper.py", True),
        ("shop/test_cart.py", True),
        ("web/cart.test.ts", True),
        ("web/cart_spec.rb", True),
        ("package-lock.json", True),
        ("go.sum", True),
        ("CHANGELOG", True),
        ("shop/cart.py", False),
        ("shop/contest.py", False),
        ("docker/run.py", False),
        ("shop/attestation.go", False),
        ("specials/price.py", False),
    ],
)
def test_what_does_not_run(path: str, aside: bool) -> None:
    """Documents, tests and lock files are told by whole words, not by parts of them."""
    assert is_aside(path) is aside


def test_what_is_somebody_elses() -> None:
    """Vendored folders are told wherever they stand."""
    assert is_vendored("web/node_modules/x/index.js")
    assert is_vendored("vendor/github.com/x/y.go")
    assert not is_vendored("shop/vendors.py")
