"""Features, labels, training, evaluation, and ONNX inference of the incident predictor."""
