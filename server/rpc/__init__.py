"""The gRPC API: services, conversions, streams and errors."""
