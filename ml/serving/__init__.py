"""From features to predictions, reasons and advice: NumPy and ONNX Runtime alone."""
