"""How a description becomes a method of the clients, and what type checkers see of it.

Each module of `sre_edge.calls` ends with a class that lists its methods. A client says how a
description is carried out (`sre_edge.methods`), and gets a method for each: it takes the parameters
of its description, and gives what its client gives: a result, or an awaitable of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

if TYPE_CHECKING:
    from sre_edge.aio import AsyncClient, AsyncSubscription
    from sre_edge.calls.stream import Stream
    from sre_edge.client import Client, Subscription
    from sre_edge.exchange import Exchange, Following

P = ParamSpec("P")
Result = TypeVar("Result")
Item = TypeVar("Item")


class Call(Generic[P, Result]):
    """A call with one result."""

    def __init__(self, describe: Callable[P, Exchange[Result]]) -> None:
        self.describe = describe

    if TYPE_CHECKING:

        @overload
        def __get__(self, client: Client, owner: Any) -> Callable[P, Result]: ...
        @overload
        def __get__(self, client: AsyncClient, owner: Any) -> Callable[P, Awaitable[Result]]: ...
        def __get__(self, client: Any, owner: Any) -> Any: ...


class Follow(Generic[P, Result]):
    """A call that is repeated, with intermediate results."""

    def __init__(self, describe: Callable[P, Following[Result]]) -> None:
        self.describe = describe

    if TYPE_CHECKING:

        @overload
        def __get__(self, client: Client, owner: Any) -> Callable[P, Iterator[Result]]: ...
        @overload
        def __get__(
            self, client: AsyncClient, owner: Any
        ) -> Callable[P, AsyncIterator[Result]]: ...
        def __get__(self, client: Any, owner: Any) -> Any: ...


class Subscribe(Generic[P, Item]):
    """A stream."""

    def __init__(self, describe: Callable[P, Stream[Item]]) -> None:
        self.describe = describe

    if TYPE_CHECKING:

        @overload
        def __get__(self, client: Client, owner: Any) -> Callable[P, Subscription[Item]]: ...
        @overload
        def __get__(
            self, client: AsyncClient, owner: Any
        ) -> Callable[P, AsyncSubscription[Item]]: ...
        def __get__(self, client: Any, owner: Any) -> Any: ...
