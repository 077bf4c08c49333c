"""Features, labels, training, evaluation, and ONNX inference of the incident predictor."""

import os

# ONNX Runtime collects usage data unless it is told not to before it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
