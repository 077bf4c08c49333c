"""Settings of the dashboard, from flags and `SRE_EDGE_*` variables, and their limits."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

LISTEN = "127.0.0.1:8050"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


class SettingsError(ValueError):
    """A setting that cannot be used."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a dashboard.

    Attributes
    ----------
    listen
        host:port of the web server.
    insecure
        Whether unencrypted traffic beyond loopback is allowed.
    hosts
        Host names that browsers may use, in addition to those of loopback.
    """

    listen: str = LISTEN
    insecure: bool = False
    hosts: tuple[str, ...] = ()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on.

        Raises
        ------
        SettingsError
            If `listen` is none, or not on loopback without `insecure`.
        """
        host, colon, port = self.listen.rpartition(":")
        if not colon or not host or not port.isdecimal() or int(port) > 65_535:
            raise SettingsError(f"SRE_EDGE_DASHBOARD_LISTEN={self.listen}: expected HOST:PORT")
        if not _is_loopback(host) and not self.insecure:
            raise SettingsError(
                f"SRE_EDGE_DASHBOARD_LISTEN={self.listen}: traffic is not encrypted, so expected a "
                "loopback address; in a private network --insecure "
                "(SRE_EDGE_INSECURE=true) allows others"
            )
        return host.strip("[]"), int(port)

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Names that a browser may call this dashboard by, without the port."""
        return frozenset((*LOOPBACK_NAMES, *self.hosts))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
