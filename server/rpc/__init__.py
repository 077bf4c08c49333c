"""The engine on the wire: gRPC services, their conversions, their errors."""
