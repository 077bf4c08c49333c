"""Places on the page that the views fill."""

from __future__ import annotations

from dashboard.markup import Child, Node, h


def place(part: str, classes: str = "") -> Node:
    """Make room for a part; empty, it shows that it is loading."""
    return h("div", id=part, class_=f"part {classes}".strip())


def panel(heading: str, *children: Child, classes: str = "") -> Node:
    """Frame some places, with a heading."""
    return h(
        "section",
        h("h2", heading) if heading else None,
        *children,
        class_=f"panel {classes}".strip(),
    )


def view(name: str, heading: str, children: list[Node]) -> Node:
    """Hold what one view shows; hidden until the address asks for it."""
    return h("div.view", h("h1", heading), children, hidden=True, data_view=name)


def figure(component: str, classes: str = "") -> Node:
    """Make room for a chart; it comes with the first figure."""
    return h("div", data_slot=component, class_=classes or None)


def graph(component: str, classes: str) -> Node:
    """Make room for a graph."""
    return h(
        "div", data_slot=component, class_=classes, role="img",
        aria_label="Graph; the list next to it has the same content as text",
    )  # fmt: skip
