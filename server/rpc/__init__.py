"""The system on the wire: gRPC services, their conversions, their errors."""
