"""Features, labels, training, evaluation, and ONNX inference of the incident predictor."""

import os

# ONNX Runtime collects usage data unless this is set before it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
