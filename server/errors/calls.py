"""Errors that any call or stream may end with."""

from __future__ import annotations

from server.errors.catalogue import Reason, ServerError


def too_many_streams(limit: int) -> ServerError:
    """Report that the limit of open streams is reached."""
    return ServerError(
        Reason.TOO_MANY_STREAMS,
        f"{limit} streams are already open, which is the limit",
        {"limit": str(limit)},
    )


def too_many_calls(limit: int) -> ServerError:
    """Report that the limit of concurrent calls is reached."""
    return ServerError(
        Reason.TOO_MANY_CALLS,
        f"{limit} calls are already in progress, which is the limit; try again soon",
        {"limit": str(limit)},
    )


def request_too_large(size: int, limit: int) -> ServerError:
    """Report that a request is larger than its call allows."""
    return ServerError(
        Reason.REQUEST_TOO_LARGE,
        f"expected a request of at most {limit:,} bytes, got {size:,}",
        {"limit": str(limit)},
    )


def unauthenticated() -> ServerError:
    """Report that the token is missing or wrong."""
    return ServerError(
        Reason.UNAUTHENTICATED,
        'expected the token of this server, in the metadata "authorization: Bearer TOKEN"',
    )


def slow_subscriber(seconds: float) -> ServerError:
    """Report that a subscriber did not read for too long."""
    return ServerError(
        Reason.SLOW_SUBSCRIBER,
        f"the client read nothing for {seconds:g} s; resume after the last cursor",
    )


def store_unavailable() -> ServerError:
    """Report that the database failed; details are in the log only."""
    return ServerError(
        Reason.STORE_UNAVAILABLE,
        "the server's database does not respond; the server's log has details",
    )


def not_stored(holds: str, *, done: bool) -> ServerError:
    """Report that a change could not be stored, and what holds now.

    Parameters
    ----------
    holds
        Sentence, without a full stop, that says what holds now and what a restart changes.
    done
        Whether the change holds until a restart; otherwise nothing is changed.
    """
    return ServerError(
        Reason.STORE_UNAVAILABLE,
        f"the server's database cannot be written: {holds}",
        {"done": "true" if done else "false"},
    )


def shutting_down() -> ServerError:
    """Report that the server is stopping."""
    return ServerError(Reason.SHUTTING_DOWN, "the server is stopping; try again soon")


def internal() -> ServerError:
    """Report an unexpected error; details are in the log only."""
    return ServerError(Reason.INTERNAL, "internal error; the server's log has details")
