"""The address of a page: all of its state, so that a link opens the same view."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote, urlencode

VIEWS = {
    "overview": "/",
    "chaos": "/chaos",
    "predictions": "/predictions",
    "incidents": "/incidents",
    "architecture": "/architecture",
}
SERVICES = "/services/"
RANGES = {"5m": 300, "15m": 900, "1h": 3600}
LAYOUTS = ("levels", "breadthfirst", "circle", "concentric", "cose")
MIN_YEAR, MAX_YEAR = 1970, 9998


@dataclass(frozen=True, slots=True)
class Address:
    """What a page shows.

    Attributes
    ----------
    view
        One of `VIEWS`, or "service" for the page of one service.
    service
        Selected service; "" without one.
    at
        Moment of the history that is shown, simulated clock; None: live.
    range
        Length of the charts and of the timeline, one of `RANGES`.
    find
        Text that the names of the shown services contain.
    unhealthy
        Whether to show only services in trouble.
    group
        Group of services that is expanded, in systems too large for one picture.
    layout
        How the graph is arranged, one of `LAYOUTS`.
    sort
        Column that sorts the risk table, with "-" in front for descending order.
    kind
        Kind of events to show; "" for all.
    of
        Service whose events are shown; "" for all.
    compare
        Experiments to compare side by side.
    model
        Version of the model that is described; "" for the live one.
    """

    view: str = "overview"
    service: str = ""
    at: datetime | None = None
    range: str = "5m"
    find: str = ""
    unhealthy: bool = False
    group: str = ""
    layout: str = "levels"
    sort: str = "-risk"
    kind: str = ""
    of: str = ""
    compare: tuple[str, ...] = ()
    model: str = ""

    @property
    def seconds(self) -> int:
        """Length of the time range, simulated time."""
        return RANGES[self.range]

    def link(self, **changes: object) -> str:
        """Address of the same view with some changes."""
        changed = replace(self, **changes)  # type: ignore[arg-type]
        path = VIEWS.get(changed.view, "")
        if changed.view == "service":
            path = f"{SERVICES}{quote(changed.service)}"
        query = {
            "service": "" if changed.view == "service" else changed.service,
            "at": _written(changed.at) if changed.at else "",
            "range": changed.range if changed.range != "5m" else "",
            "find": changed.find,
            "only": "unhealthy" if changed.unhealthy else "",
            "group": changed.group,
            "layout": changed.layout if changed.layout != "levels" else "",
            "sort": changed.sort if changed.sort != "-risk" else "",
            "kind": changed.kind,
            "of": changed.of,
            "compare": ",".join(changed.compare),
            "model": changed.model,
        }
        given = {key: value for key, value in query.items() if value}
        return f"{path}?{urlencode(given)}" if given else path


def parse(href: str) -> Address:
    """Read an address; what is not known in it is left out."""
    path, _, search = href.partition("?")
    query = dict(parse_qsl(search.partition("#")[0]))
    view = next((name for name, known in VIEWS.items() if known == path), "overview")
    service = query.get("service", "")
    if path.startswith(SERVICES):
        view, service = "service", unquote(path.removeprefix(SERVICES))
    chosen_range, layout = query.get("range", "5m"), query.get("layout", "levels")
    return Address(
        view=view,
        service=service,
        at=_time(query.get("at", "")),
        range=chosen_range if chosen_range in RANGES else "5m",
        find=query.get("find", "").strip(),
        unhealthy=query.get("only") == "unhealthy",
        group=query.get("group", ""),
        layout=layout if layout in LAYOUTS else "levels",
        sort=query.get("sort", "-risk"),
        kind=query.get("kind", ""),
        of=query.get("of", ""),
        compare=tuple(filter(None, query.get("compare", "").split(",")))[:4],
        model=query.get("model", ""),
    )


def _written(time: datetime) -> str:
    """Write a time to the next millisecond: an interval that begins there holds it."""
    up = time + timedelta(microseconds=-time.microsecond % 1000)
    return up.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not MIN_YEAR <= time.year <= MAX_YEAR:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
