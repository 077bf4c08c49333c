"""A vectorised stochastic model of a microservice system, in NumPy.

No I/O beyond topology files and the command line, no wall clock, no network.
"""
