"""What can be set, from flags and `SRE_EDGE_*` variables, and what may not be."""

from __future__ import annotations

import ipaddress
import math
import os
from dataclasses import dataclass, field, fields
from pathlib import Path

from ml.serving.artefact import SHIPPED
from server.pipeline.clock import MAX_SPEED, MIN_SPEED

LISTEN = "127.0.0.1:50051"
METRICS_LISTEN = "127.0.0.1:9464"
MAX_MESSAGE_BYTES = 1 << 20
MAX_SERVICES, MAX_DEPENDENCIES = 10_000, 50_000
"""Size of the systems that are accepted."""


class SettingsError(ValueError):
    """A setting that cannot be used."""


def default_data() -> Path:
    """Directory for data of this user, as the XDG Base Directory Specification says."""
    stated = os.environ.get("XDG_DATA_HOME", "")
    base = Path(stated) if os.path.isabs(stated) else Path.home() / ".local" / "share"
    return base / "sre-edge"


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a server.

    Attributes
    ----------
    listen, metrics_listen
        host:port of gRPC and of `/metrics`; port 0 takes a free one.
    insecure
        Whether traffic off loopback may be plain, or without a token.
    tls_cert, tls_key
        PEM files of the server's certificate, with its chain, and of its key; None: plain traffic.
    client_ca
        PEM file of who signs the certificates that gRPC clients must have; None: they need none.
    token_file
        File with the token that clients must send; None: they need none.
    topology
        A topology file, or the name of a shipped one.
    seed
        Seed of the simulation.
    speed
        Simulated seconds per second, 0.1 to 100.
    model
        Model directory.
    data
        Directory of what outlives the server: trained models, and the database.
    store
        URL of the database; None: a file in `data`.
    learn_after
        New experiments after which a training begins by itself; None: never.
    history
        Snapshots that are kept.
    max_streams, max_streams_per_connection, max_calls, max_faults
        Limits, each of what goes on at a time.
    write_timeout_s
        How long a subscriber may not read.
    slo_scale
        Length of the windows of error budgets over that of real operations, above 0 to 1.
    slo_min_rps
        Request rate below which no alert fires.
    """

    listen: str = LISTEN
    metrics_listen: str = METRICS_LISTEN
    insecure: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    client_ca: Path | None = None
    token_file: Path | None = None
    topology: str = "default"
    seed: int = 1
    speed: float = 1.0
    model: Path = SHIPPED
    data: Path = field(default_factory=default_data)
    store: str | None = field(default=None, repr=False)  # may hold a password
    learn_after: int | None = None
    history: int = 900
    max_streams: int = 1000
    max_streams_per_connection: int = 100
    max_calls: int = 200
    max_faults: int = 100
    write_timeout_s: float = 30.0
    slo_scale: float = 1.0 / 60.0
    slo_min_rps: float = 1.0

    def check(self) -> None:
        """Check what the types do not say.

        Raises
        ------
        SettingsError
            Names the setting, and what was expected.
        """
        for variable, address in (
            ("SRE_EDGE_LISTEN", self.listen),
            ("SRE_EDGE_METRICS_LISTEN", self.metrics_listen),
        ):
            host, _ = host_and_port(address, variable)
            if not (is_loopback(host) or self.insecure or self._protected):
                raise SettingsError(
                    f"{variable}={address}: off loopback, expected TLS (SRE_EDGE_TLS_CERT, "
                    "SRE_EDGE_TLS_KEY) and a token (SRE_EDGE_TOKEN_FILE); in a private network "
                    "--insecure (SRE_EDGE_INSECURE=true) does without"
                )
        if (self.tls_cert is None) != (self.tls_key is None):
            raise SettingsError("expected SRE_EDGE_TLS_CERT and SRE_EDGE_TLS_KEY together")
        if self.client_ca is not None and self.tls_cert is None:
            raise SettingsError("SRE_EDGE_CLIENT_CA: expected SRE_EDGE_TLS_CERT with it")
        if not MIN_SPEED <= self.speed <= MAX_SPEED:
            expected = f"expected {MIN_SPEED:g} to {MAX_SPEED:g}"
            raise SettingsError(f"SRE_EDGE_SPEED={self.speed:g}: {expected}")
        if not 0.0 < self.slo_scale <= 1.0:
            expected = "expected more than 0, at most 1"
            raise SettingsError(f"SRE_EDGE_SLO_SCALE={self.slo_scale:g}: {expected}")
        if not 0.0 <= self.slo_min_rps < math.inf:
            raise SettingsError(f"SRE_EDGE_SLO_MIN_RPS={self.slo_min_rps:g}: expected at least 0")

    def public(self) -> dict[str, object]:
        """Give them for a log; the URL of the database, which may hold a password, is left out."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.repr}

    @property
    def _protected(self) -> bool:
        return None not in (self.tls_cert, self.tls_key, self.token_file)


def host_and_port(address: str, variable: str) -> tuple[str, int]:
    """Split host:port.

    Raises
    ------
    SettingsError
        If it is none.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise SettingsError(f"{variable}={address}: expected HOST:PORT")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether an address reaches this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
