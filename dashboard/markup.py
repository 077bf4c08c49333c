"""What a view draws: a tree that the browser compares with what it shows, and patches in.

A node is `[tag, attributes, *children]`, a child is a node or a text. What is patched in is never
read as HTML, so nothing has to be escaped; only the page itself is written as HTML.
"""

from __future__ import annotations

from html import escape
from typing import Any

Node = list[Any]
Child = Node | str | None


def h(tag: str, *children: Child | list[Child] | list[Node], **attributes: Any) -> Node:
    """Make a node.

    Parameters
    ----------
    tag
        Name of the element; classes may follow with dots, as in "span.status.healthy".
    children
        Nodes and texts; a list of nodes is taken as its members, None as nothing.
    attributes
        None and False are left out, True is an empty attribute; "_" becomes "-" and a trailing one
        is dropped. `key` tells children of one parent apart when their order changes.
    """
    name, *classes = tag.split(".")
    given = {
        attribute.rstrip("_").replace("_", "-"): "" if value is True else value
        for attribute, value in attributes.items()
        if value is not None and value is not False
    }
    if classes:
        given["class"] = " ".join([*classes, *str(given.get("class", "")).split()])
    node: Node = [name, given]
    for child in children:
        if child is None:
            continue
        if isinstance(child, list) and not (child and isinstance(child[0], str)):
            node.extend(one for one in child if one is not None)
        else:
            node.append(child)
    return node


def present(*nodes: Node | None) -> list[Node]:
    """Leave out what is not there."""
    return [node for node in nodes if node is not None]


def html(node: Child) -> str:
    """Write a tree as HTML."""
    if node is None or isinstance(node, str):
        return escape(node or "", quote=False)
    tag, attributes, *children = node
    given = "".join(f' {name}="{escape(str(value))}"' for name, value in attributes.items())
    return f"<{tag}{given}>{''.join(map(html, children))}</{tag}>"


def text_of(node: Child) -> str:
    """All text of a node, as a reader would see it."""
    if node is None or isinstance(node, str):
        return node or ""
    return " ".join(filter(None, (text_of(child) for child in node[2:]))).strip()


def find(node: Child, **attributes: str) -> list[Node]:
    """All nodes in a tree that have these attributes."""
    if node is None or isinstance(node, str):
        return []
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    here = [node] if all(node[1].get(key) == value for key, value in given.items()) else []
    return here + [found for child in node[2:] for found in find(child, **attributes)]


def action(name: str, **values: Any) -> dict[str, Any]:
    """Attributes of a control that asks for an action; see `dashboard.actions`."""
    return {
        "data-action": name,
        **{f"data-value-{key.replace('_', '-')}": value for key, value in values.items()},
    }
