"""The seed's design: Flask, JSON, and XGBoost's scikit-learn wrapper.

`python -m benchmarks.peers.flask_wrapper MODEL.json [--kept-open]` prints its port. As it comes,
Flask's own server closes the connection after each answer; with the flag connections stay open.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import numpy as np
import xgboost
from flask import Flask, jsonify, request
from werkzeug.serving import WSGIRequestHandler, make_server

PATH = "/predict"


def main(model: str, *, kept_open: bool) -> None:
    """Serve until killed."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    if kept_open:
        WSGIRequestHandler.protocol_version = "HTTP/1.1"
    app = Flask(__name__)
    classifier = xgboost.XGBClassifier()
    classifier.load_model(model)

    @app.post(PATH)
    def predict() -> Any:
        features = np.array([request.get_json()["features"]], dtype=np.float32)
        probability = float(classifier.predict_proba(features)[0, 1])
        return jsonify({"incident_probability": probability})

    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(f"port {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], kept_open="--kept-open" in sys.argv)
