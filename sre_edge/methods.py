"""The methods that both clients have: each call of the API, listed once.

What a call asks is described in `sre_edge.calls`; a client says how a description is carried out,
and gets a method for each. For type checkers the list consists of descriptors, so that a method
takes the parameters of its description and gives what its client gives: a result, or an awaitable
of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from sre_edge.calls import chaos, incident, prediction, simulation, stream
from sre_edge.calls.stream import Item, Stream
from sre_edge.exchange import Exchange, Following

if TYPE_CHECKING:
    from sre_edge.aio import AsyncClient, AsyncSubscription
    from sre_edge.client import Client, Subscription

P = ParamSpec("P")
Result = TypeVar("Result")


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


class Methods:
    """Makes the methods of a client.

    Parameters
    ----------
    call, follow, subscribe
        How this client carries out a description of each kind: functions that make a method of it.
    """

    topology = Call(simulation.topology)
    metrics = Call(simulation.metrics)
    history = Call(simulation.history)
    set_clock = Call(simulation.set_clock)
    catalog = Call(simulation.catalog)
    info = Call(simulation.info)
    reset = Call(simulation.reset)
    watch = Subscribe(stream.watch)

    inject = Call(chaos.inject)
    run_scenario = Call(chaos.run_scenario)
    stop = Call(chaos.stop)
    stop_experiment = Call(chaos.stop_experiment)
    stop_all = Call(chaos.stop_all)
    lift_kill_switch = Call(chaos.lift_kill_switch)
    experiments = Call(chaos.experiments)
    experiment = Call(chaos.experiment)
    follow_experiment = Follow(chaos.follow_experiment)

    predict = Call(prediction.predict)
    analysis = Call(prediction.analysis)
    alarms = Call(prediction.alarms)
    models = Call(prediction.models)
    model = Call(prediction.model)
    activate_model = Call(prediction.activate_model)
    train = Call(prediction.train)
    training = Call(prediction.training)
    follow_training = Follow(prediction.follow_training)

    incidents = Call(incident.incidents)
    slos = Call(incident.slos)
    events = Subscribe(stream.events)

    def __init_subclass__(
        cls,
        *,
        call: Callable[[Any], Callable[..., Any]],
        follow: Callable[[Any], Callable[..., Any]],
        subscribe: Callable[[Any], Callable[..., Any]],
    ) -> None:
        make = {Call: call, Follow: follow, Subscribe: subscribe}
        for name, listed in vars(Methods).items():
            if isinstance(listed, Call | Follow | Subscribe):
                setattr(cls, name, make[type(listed)](listed.describe))
