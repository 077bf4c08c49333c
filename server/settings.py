"""Settings of the server, from flags and `SRE_EDGE_*` variables, and their checks."""

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
"""Maximum size of a request, except for those that hold a topology."""
MAX_TOPOLOGY_BYTES = 32 << 20
"""Maximum size of a request with a topology: one of `MAX_SERVICES` takes half of it."""
MAX_SERVICES, MAX_DEPENDENCIES = 10_000, 50_000
"""Maximum size of a system."""


class SettingsError(ValueError):
    """A setting that cannot be used."""


def default_data() -> Path:
    """Find the data directory of this user, according to the XDG Base Directory Specification."""
    data_home = os.environ.get("XDG_DATA_HOME", "")
    base = Path(data_home) if os.path.isabs(data_home) else Path.home() / ".local" / "share"
    return base / "sre-edge"


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a server.

    Attributes
    ----------
    listen, metrics_listen
        host:port of gRPC and of `/metrics`; port 0 picks a free port.
    insecure
        Whether the server may listen off loopback without TLS or token.
    tls_cert, tls_key
        PEM files of the server's certificate, with its chain, and of its key; None: plain traffic.
    client_ca
        PEM file of the CA of client certificates; None: clients need no certificate.
    token_file
        File with the token that clients must send; None: no token is needed.
    systems
        The systems file; None: one system, a recording or the simulation of the settings that
        follow.
    recording
        Directory of a recording to play; None: a simulation.
    recordings, topologies
        Folders of recordings and topology files that calls may name when they add a system; None:
        they may not.
    topology
        A topology file, or the name of a built-in topology.
    seed
        Seed of the simulation.
    speed
        Seconds of the system's time per second, 0.1 to 100.
    model
        Model directory.
    data
        Directory for trained models and, by default, the database.
    store
        URL of the database; None: a file in `data`.
    learn_after
        Number of new experiments after which a training starts automatically; None: never.
    history
        Number of snapshots kept in memory.
    max_streams, max_streams_per_connection, max_calls, max_faults
        Maximum numbers of open streams, unary calls in progress, and active faults.
    write_timeout_s
        How long a write to a subscriber may block, seconds.
    slo_scale
        Factor for the length of error budget windows, above 0 to 1; 1 is real time.
    slo_min_rps
        Request rate below which error budget alerts do not fire, requests per second.
    """

    listen: str = LISTEN
    metrics_listen: str = METRICS_LISTEN
    insecure: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    client_ca: Path | None = None
    token_file: Path | None = None
    systems: Path | None = None
    recording: Path | None = None
    recordings: Path | None = None
    topologies: Path | None = None
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
        """Check ranges and combinations, which types cannot express.

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
                    "--insecure (SRE_EDGE_INSECURE=true) allows plain traffic"
                )
        if (self.tls_cert is None) != (self.tls_key is None):
            raise SettingsError("expected SRE_EDGE_TLS_CERT and SRE_EDGE_TLS_KEY together")
        if self.client_ca is not None and self.tls_cert is None:
            raise SettingsError("SRE_EDGE_CLIENT_CA: expected SRE_EDGE_TLS_CERT with it")
        if not MIN_SPEED <= self.speed <= MAX_SPEED:
            expected = f"expected {MIN_SPEED:g} to {MAX_SPEED:g}"
            raise SettingsError(f"SRE_EDGE_SPEED={self.speed:g}: {expected}")
        if self.recording is not None and self.systems is not None:
            raise SettingsError(
                "expected SRE_EDGE_SYSTEMS or SRE_EDGE_RECORDING, not both: a systems file names "
                "recordings itself, as sources of the kind recording"
            )
        if not 0.0 < self.slo_scale <= 1.0:
            expected = "expected more than 0 and at most 1"
            raise SettingsError(f"SRE_EDGE_SLO_SCALE={self.slo_scale:g}: {expected}")
        if not 0.0 <= self.slo_min_rps < math.inf:
            raise SettingsError(f"SRE_EDGE_SLO_MIN_RPS={self.slo_min_rps:g}: expected at least 0")

    def public(self) -> dict[str, object]:
        """List the settings for the log, without the database URL, which may hold a password."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.repr}

    @property
    def _protected(self) -> bool:
        return None not in (self.tls_cert, self.tls_key, self.token_file)


def host_and_port(address: str, variable: str) -> tuple[str, int]:
    """Split host:port.

    Raises
    ------
    SettingsError
        If the address is malformed.
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
