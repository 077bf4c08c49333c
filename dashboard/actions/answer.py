"""What a page is told after it asked for something."""

from __future__ import annotations

from typing import Any, TypedDict


class Answer(TypedDict, total=False):
    """All optional.

    Attributes
    ----------
    toast
        What was done.
    error
        What went wrong; shown beside the control, or as a toast.
    undo
        Action and values that take it back.
    fill
        Text by the id of the element to put it into.
    download
        Name and text of a file.
    """

    toast: str
    error: str
    undo: dict[str, Any]
    fill: dict[str, str]
    download: dict[str, str]
