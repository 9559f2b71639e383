"""No two modules need each other, not even for their types: each can be read before those that import it."""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp


def test_imports_form_no_circle() -> None:
    """What an import goes to stands below, `TYPE_CHECKING` or not; a circle is shown module by module."""
    graph = grimp.build_graph("alertd", exclude_type_checking_imports=False, cache_dir=None)
    imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    order = [*TopologicalSorter(imported).static_order()]
    assert set(order) == graph.modules
