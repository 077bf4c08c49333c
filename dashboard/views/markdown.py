"""Enough of Markdown for a model card: headings, paragraphs, lists, tables, code and emphasis."""

from __future__ import annotations

import re
from itertools import groupby

from dashboard.markup import Child, Node, h

_INLINE = re.compile(r"(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\([^)]+\))")


def nodes(text: str) -> list[Node]:
    """Draw a document. What is not understood is shown as it is written."""
    found: list[Node] = []
    for kind, lines in groupby(text.splitlines(), key=_kind):
        block = list(lines)
        if kind == "heading":
            found += [h("h4", *_inline(line.lstrip("# "))) for line in block]
        elif kind == "list":
            found.append(h("ul", [h("li", *_inline(line.lstrip("-* "))) for line in block]))
        elif kind == "table":
            found.append(_table(block))
        elif kind == "text":
            found.append(h("p", *_inline(" ".join(line.strip() for line in block))))
    return found


def _kind(line: str) -> str:
    text = line.strip()
    if not text:
        return "blank"
    if text.startswith("#"):
        return "heading"
    if text.startswith(("- ", "* ")):
        return "list"
    return "table" if text.startswith("|") else "text"


def _table(lines: list[str]) -> Node:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    rows = [row for row in rows if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]
    head, *body = rows
    return h(
        "div.scroll",
        h(
            "table",
            h("thead", h("tr", [h("th", *_inline(cell), scope="col") for cell in head])),
            h("tbody", [h("tr", [h("td", *_inline(cell)) for cell in row]) for row in body]),
        ),
        tabindex="0", role="region", aria_label="Table of the model card",
    )  # fmt: skip


def _inline(text: str) -> list[Child]:
    found: list[Child] = []
    for piece in filter(None, _INLINE.split(text)):
        if piece.startswith("`"):
            found.append(h("code", piece.strip("`")))
        elif piece.startswith("**"):
            found.append(h("strong", piece.strip("*")))
        elif piece.startswith("["):
            found.append(piece[1 : piece.index("]")])
        else:
            found.append(piece)
    return found
