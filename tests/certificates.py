"""Certificates, made when a test needs them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.conftest import tool


class Authority:
    """A certificate authority in a directory of its own."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self.certificate, self._key = self._paths(name)
        self._openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", str(self._key), "-out", str(self.certificate),
        )  # fmt: skip

    def issue(self, name: str, file: str | None = None) -> tuple[Path, Path]:
        """Issue a certificate for localhost, 127.0.0.1 and a name; gives it and its key."""
        certificate, key = self._paths(file or name)
        request = self._directory / f"{name}.csr"
        self._openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
            "-addext", f"subjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1",
            "-keyout", str(key), "-out", str(request),
        )  # fmt: skip
        self._openssl(
            "x509", "-req", "-in", str(request), "-days", "2", "-copy_extensions", "copy",
            "-CA", str(self.certificate), "-CAkey", str(self._key), "-out", str(certificate),
        )  # fmt: skip
        return certificate, key

    def lock(self, key: Path, locked: Path) -> None:
        """Put a passphrase on a key."""
        self._openssl(
            "rsa", "-aes128", "-passout", "pass:secret", "-in", str(key), "-out", str(locked)
        )

    def _paths(self, name: str) -> tuple[Path, Path]:
        return self._directory / f"{name}.pem", self._directory / f"{name}.key"

    def _openssl(self, *arguments: str) -> None:
        subprocess.run([tool("openssl"), *arguments], check=True, capture_output=True)
