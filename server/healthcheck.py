"""Asks the server of this machine whether it serves: `python -m server.healthcheck`."""

from __future__ import annotations

import os
import ssl
import sys
import urllib.request

from server.settings import METRICS_LISTEN, host_and_port
from server.web import HEALTH

TIMEOUT_S = 3.0


def serving(url: str) -> bool:
    """Whether a server says that it serves.

    The name in its certificate is not checked: this stays on the machine, sends no secret, and
    the certificate need not name 127.0.0.1.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S, context=context) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


def main() -> None:
    """Exit with 0 if the server serves, else with 1."""
    variable = "SRE_EDGE_METRICS_LISTEN"
    _, port = host_and_port(os.environ.get(variable, METRICS_LISTEN), variable)
    scheme = "https" if os.environ.get("SRE_EDGE_TLS_CERT") else "http"
    sys.exit(0 if serving(f"{scheme}://127.0.0.1:{port}{HEALTH}") else 1)


if __name__ == "__main__":
    main()
