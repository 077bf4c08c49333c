"""Certificates and the token: read from files, and read again when the files change."""

from __future__ import annotations

import hmac
import logging
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import grpc

from server.settings import Settings, SettingsError

MIN_TOKEN = 16
CHECK_EVERY_S = 1.0

_log = logging.getLogger(__name__)
Content = TypeVar("Content")


class WatchedFiles(Generic[Content]):
    """The content of some files, read again when they change; safe to use from any thread.

    New content that cannot be used is logged, and the previous content stays in use.

    Parameters
    ----------
    paths
        The files.
    read
        Reads and checks them; raises `SettingsError`.
    """

    def __init__(self, paths: tuple[Path, ...], read: Callable[[], Content]) -> None:
        self._paths, self._read = paths, read
        self._lock = threading.Lock()
        self._checked_s = time.monotonic()
        self._last_versions = self._versions()
        self._content = read()

    def get(self) -> Content:
        """Give the content; checks the files at most once a second."""
        now_s = time.monotonic()
        with self._lock:
            if now_s - self._checked_s >= CHECK_EVERY_S:
                self._checked_s = now_s
                self._reload_changed()
            return self._content

    def _reload_changed(self) -> None:
        versions = self._versions()
        if versions == self._last_versions:
            return
        names = ", ".join(map(str, self._paths))
        try:
            self._content = self._read()
            _log.info("files were read again", extra={"fields": {"files": names}})
        except SettingsError as error:
            fields = {"files": names, "error": str(error)}
            _log.error("changed files cannot be used", extra={"fields": fields})
        self._last_versions = versions

    def _versions(self) -> tuple[object, ...]:
        return tuple(_version(path) for path in self._paths)


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM texts: key and chain of the server, and the CA of client certificates.

    Attributes
    ----------
    context
        The same for Python's `ssl`, without client certificates.
    """

    key: bytes
    chain: bytes
    client_ca: bytes | None
    context: ssl.SSLContext

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """Give the certificates in the form that gRPC needs."""
        return grpc.ssl_server_certificate_configuration(
            [(self.key, self.chain)], root_certificates=self.client_ca
        )


def certificates(settings: Settings) -> WatchedFiles[Certificates] | None:
    """Load the certificates of the settings; None without TLS.

    Raises
    ------
    SettingsError
        If they cannot be used.
    """
    cert, key, client_ca = settings.tls_cert, settings.tls_key, settings.client_ca
    if cert is None or key is None:
        return None

    def read() -> Certificates:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        variable = f"SRE_EDGE_TLS_CERT={cert}, SRE_EDGE_TLS_KEY={key}"
        try:
            context.load_cert_chain(cert, key, password="")
            if client_ca is not None:
                variable = f"SRE_EDGE_CLIENT_CA={client_ca}"
                context.load_verify_locations(client_ca)
            return Certificates(
                key.read_bytes(),
                cert.read_bytes(),
                None if client_ca is None else client_ca.read_bytes(),
                context,
            )
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"{variable}: expected matching PEM files ({_reason(error)})"
            ) from error

    return WatchedFiles((cert, key, *([client_ca] if client_ca else [])), read)


def server_credentials(
    watched: WatchedFiles[Certificates], *, mutual: bool
) -> grpc.ServerCredentials:
    """Make credentials for gRPC that give each new connection the latest certificates."""
    return grpc.dynamic_ssl_server_credentials(
        watched.get().configuration(),
        lambda: watched.get().configuration(),
        require_client_authentication=mutual,
    )


class Token:
    """The token that clients must send."""

    def __init__(self, path: Path) -> None:
        """Read the token.

        Raises
        ------
        SettingsError
            If the file cannot be read, or the token is too short.
        """
        self._watched = WatchedFiles((path,), lambda: _token(path))

    def matches(self, authorization: str) -> bool:
        """Whether an `authorization` header has the token; compares in constant time."""
        expected = b"Bearer " + self._watched.get()
        return hmac.compare_digest(authorization.encode(errors="replace"), expected)


def token(settings: Settings) -> Token | None:
    """Load the token of the settings; None without one.

    Raises
    ------
    SettingsError
        If it cannot be used.
    """
    return None if settings.token_file is None else Token(settings.token_file)


def _token(path: Path) -> bytes:
    try:
        text = path.read_bytes().strip()
    except OSError as error:
        reason = _reason(error)
        raise SettingsError(f"SRE_EDGE_TOKEN_FILE={path}: expected a file ({reason})") from error
    if len(text) < MIN_TOKEN:
        raise SettingsError(
            f"SRE_EDGE_TOKEN_FILE={path}: expected a token of at least {MIN_TOKEN} characters"
        )
    return text


def _version(path: Path) -> object:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "not PEM"
    return error.strerror or "not readable"
