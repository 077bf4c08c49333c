"""Sizes and tokens of pages."""

from __future__ import annotations

from server.errors import ServerError, Violation, invalid

DEFAULT_SIZE, MAX_SIZE = 50, 500


def size(requested: int) -> int:
    """Determine the size of a page.

    Raises
    ------
    ServerError
        INVALID_FIELD, if it is negative.
    """
    if requested < 0:
        raise invalid([Violation("page_size", "expected at least 0")])
    return min(requested or DEFAULT_SIZE, MAX_SIZE)


def position(token: str) -> int | None:
    """Parse a token: the position that a page begins at; None for the first page.

    Raises
    ------
    ServerError
        INVALID_FIELD, for an invalid token.
    """
    if not token:
        return None
    if not (token.isascii() and token.isdecimal() and len(token) <= 18):
        raise invalid_token()
    return int(token)


def token(position: int | None) -> str:
    """Make the token of a position."""
    return "" if position is None else str(position)


def invalid_token() -> ServerError:
    """Report an invalid token."""
    return invalid([Violation("page_token", "expected the next_page_token of the page before")])
