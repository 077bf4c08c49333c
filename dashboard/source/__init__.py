"""Where the dashboard gets its state from: the gRPC API, followed once for the whole process."""
