"""docker-compose files: services and their dependencies."""

from __future__ import annotations

from typing import Any

from simulator.importers.imported import Builder, ForeignFileError, Imported, number
from telemetry.document import parse

_KINDS = {
    "database": ("postgres", "mysql", "mariadb", "mongo", "cassandra", "cockroach", "mssql"),
    "cache": ("redis", "memcached", "valkey"),
    "queue": ("rabbitmq", "kafka", "nats", "activemq", "mosquitto"),
    "gateway": ("nginx", "traefik", "envoy", "haproxy", "caddy", "kong"),
}


def read(text: str, source: str) -> Imported:
    """Read a compose file.

    Raises
    ------
    DocumentError
        If it is none.
    """
    document = parse(text, source)
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict):
        raise ForeignFileError([f"{source}: services: expected a mapping of services"])
    builder = Builder(source)
    for name, stated in services.items():
        service = stated if isinstance(stated, dict) else {}
        builder.service(str(name), kind=_kind(service), replicas=_replicas(service))
    for name, stated in services.items():
        for callee in _depends_on(stated, source, str(name)):
            if callee not in services:
                where = f"{source}: services.{name}.depends_on"
                raise ForeignFileError(
                    [f"{where}: expected a service of this file, got {callee!r}"]
                )
            builder.call(str(name), callee)
        links = stated.get("links") if isinstance(stated, dict) else None
        for link in links or []:
            callee = str(link).partition(":")[0]
            if callee in services:
                builder.call(str(name), callee)
    builder.warn("depends_on only gives the start order; assumed that it lists the calls as well")
    return builder.finish(str(document.get("name") or "compose"))


def _depends_on(stated: Any, source: str, name: str) -> list[str]:
    listed = stated.get("depends_on") if isinstance(stated, dict) else None
    if listed is None:
        return []
    if not isinstance(listed, list | dict):
        where = f"{source}: services.{name}.depends_on"
        raise ForeignFileError([f"{where}: expected a list or a mapping"])
    return [str(callee) for callee in listed]


def _kind(service: dict[str, Any]) -> str | None:
    image = str(service.get("image", "")).rpartition("/")[2]
    for kind, names in _KINDS.items():
        if image.startswith(names):
            return kind
    return None


def _replicas(service: dict[str, Any]) -> int | None:
    deploy = service.get("deploy")
    stated = deploy.get("replicas") if isinstance(deploy, dict) else None
    found = number(stated if stated is not None else service.get("scale"))
    return int(found) if found else None
