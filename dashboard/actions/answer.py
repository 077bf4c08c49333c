"""The answer to an action of a page."""

from __future__ import annotations

from typing import Any, TypedDict


class Answer(TypedDict, total=False):
    """Answer to an action; every key is optional.

    Attributes
    ----------
    toast
        Text that says what was done.
    error
        Text that says what went wrong; shown next to the control, or as a toast.
    undo
        Name and values of the action that undoes this one.
    fill
        Texts by the id of the element to put them into.
    download
        Name and content of a file to download.
    """

    toast: str
    error: str
    undo: dict[str, Any]
    fill: dict[str, str]
    download: dict[str, str]
