"""Sizes and tokens of pages."""

from __future__ import annotations

from server.errors import ServerError, Violation, invalid

DEFAULT_SIZE, MAX_SIZE = 50, 500


def size(requested: int) -> int:
    """Give the size of a page.

    Raises
    ------
    ServerError
        INVALID_FIELD, if it is negative.
    """
    if requested < 0:
        raise invalid([Violation("page_size", "expected at least 0")])
    return min(requested or DEFAULT_SIZE, MAX_SIZE)


def position(token: str) -> int | None:
    """Give the place that a page begins before; None for the first page.

    Raises
    ------
    ServerError
        INVALID_FIELD, for what is no token.
    """
    if not token:
        return None
    if not (token.isascii() and token.isdecimal() and len(token) <= 18):
        raise invalid_token()
    return int(token)


def token(position: int | None) -> str:
    """Give the token of a place."""
    return "" if position is None else str(position)


def invalid_token() -> ServerError:
    """Report what is no token."""
    return invalid([Violation("page_token", "expected the next_page_token of the page before")])
