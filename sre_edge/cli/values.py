"""Values that people type on the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from sre_edge.calls.chaos import fault_kinds
from sre_edge.cli.command import did_you_mean
from sre_edge.client import Client
from sre_edge.connection import TARGET, Connection
from sre_edge.errors import SreEdgeError

COMPLETION_TIMEOUT_S = 1.0


class DurationType(click.ParamType[float]):
    """Seconds, from 90, 90s, 1.5m or 1h."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read a duration."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h)?", str(value).strip())
        if not found:
            self.fail(f"expected a duration such as 30s, 5m or 1h, got {value!r}", param, ctx)
        return float(found[1]) * {"s": 1.0, "m": 60.0, "h": 3600.0}[found[2] or "s"]


class TimeType(click.ParamType[datetime]):
    """A time, from ISO 8601; without a zone it is UTC."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read a time."""
        try:
            time = datetime.fromisoformat(str(value).strip())
        except ValueError:
            expected = "expected a date and a time such as 2026-05-01T12:30:00"
            self.fail(f"{expected}, got {value!r}", param, ctx)
        return time if time.tzinfo else time.replace(tzinfo=UTC)


class FaultKindType(click.Choice[str]):
    """Name of a kind of fault."""

    def __init__(self) -> None:
        super().__init__(fault_kinds(), case_sensitive=False)

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Read a kind, with or without dashes."""
        name = str(value).lower().replace("-", "_")
        if name not in self.choices:
            hint = did_you_mean(name, self.choices) or f"Known: {', '.join(self.choices)}"
            self.fail(f"no kind of fault is named {value!r}. {hint}", param, ctx)
        return name


class DocumentType(click.ParamType[str]):
    """Text of a file; "-" is standard input."""

    name = "file"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Read the file."""
        path = str(value)
        try:
            with click.open_file(path, encoding="utf-8") as file:
                return str(file.read())
        except OSError as error:
            self.fail(f"{path}: cannot be read ({error.strerror})", param, ctx)
        except UnicodeDecodeError:
            self.fail(f"{path}: expected text in UTF-8", param, ctx)


def _asked(ctx: click.Context) -> Client:
    """Make the client of a command whose values are being completed."""
    given = ctx.params
    connection = Connection(
        given.get("address") or TARGET, given.get("ca"), given.get("token_file"),
        given.get("cert"), given.get("key"), given.get("system") or "",
    )  # fmt: skip
    return Client(connection, timeout_s=COMPLETION_TIMEOUT_S)


class SystemType(click.ParamType[str]):
    """Id of a system; the server's ids complete it."""

    name = "system"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Ask the server for its systems; none if it does not answer at once."""
        try:
            with _asked(ctx) as client:
                ids = [system.id for system in client.systems()]
        except SreEdgeError:
            return []
        return [CompletionItem(one) for one in ids if one.startswith(incomplete)]


class TopologyType(DocumentType):
    """Text of a topology file, or the name of a topology that the server knows."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Read the file; what looks like a name and is no file stands for itself."""
        name = str(value)
        if re.fullmatch(r"[a-z0-9][a-z0-9-]*", name) and not Path(name).exists():
            return name
        return super().convert(value, param, ctx)


class ServiceType(click.ParamType[str]):
    """Name of a service; the server's names complete it."""

    name = "service"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Ask the server for its services; none if it does not answer at once."""
        try:
            with _asked(ctx) as client:
                names = [service.name for service in client.topology().services]
        except SreEdgeError:
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


DOCUMENT = DocumentType()
DURATION = DurationType()
FAULT_KIND = FaultKindType()
SERVICE = ServiceType()
SYSTEM = SystemType()
TIME = TimeType()
TOPOLOGY = TopologyType()
