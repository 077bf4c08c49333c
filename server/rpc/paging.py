"""Sizes and tokens of pages."""

from __future__ import annotations

from server.errors import ServerError, Violation, invalid

NORMAL_SIZE, MOST = 50, 500


def size(asked: int) -> int:
    """Give the size of a page.

    Raises
    ------
    ServerError
        INVALID_FIELD, if it is negative.
    """
    if asked < 0:
        raise invalid([Violation("page_size", "expected at least 0")])
    return min(asked or NORMAL_SIZE, MOST)


def place(token: str) -> int | None:
    """Give the place that a page begins before; None for the first page.

    Raises
    ------
    ServerError
        INVALID_FIELD, for what is no token.
    """
    if not token:
        return None
    if not (token.isascii() and token.isdecimal() and len(token) <= 18):
        raise wrong_token()
    return int(token)


def token(place: int | None) -> str:
    """Give the token of a place."""
    return "" if place is None else str(place)


def wrong_token() -> ServerError:
    """Report what is no token."""
    return invalid([Violation("page_token", "expected the next_page_token of the page before")])
