"""The gRPC server: owns the simulated system, its clock, its model and its subscribers."""
