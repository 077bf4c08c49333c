"""The seed's design: Flask, JSON, pandas, and XGBoost's scikit-learn wrapper.

`python -m benchmarks.peers.flask_wrapper MODEL.json [--lean]` prints its port. With the flag it
does without what such servers do for convenience: features come as a list and not by name, there
is no pandas, and connections stay open.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import numpy as np
import pandas as pd
import xgboost
from flask import Flask, jsonify, request
from waitress.server import create_server
from werkzeug.serving import make_server

PATH = "/predict"


def main(model: str, *, lean: bool) -> None:
    """Serve until killed."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = Flask(__name__)
    classifier = xgboost.XGBClassifier()
    classifier.load_model(model)

    @app.post(PATH)
    def predict() -> Any:
        features = request.get_json()["features"]
        rows = np.array([features], dtype=np.float32) if lean else pd.DataFrame([features])
        probability = float(classifier.predict_proba(rows)[0, 1])
        return jsonify({"incident_probability": probability})

    if lean:
        production = create_server(app, host="127.0.0.1", port=0)
        print(f"port {production.effective_port}", flush=True)
        production.run()
        return
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(f"port {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], lean="--lean" in sys.argv)
