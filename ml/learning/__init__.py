"""Learning mode: examples from experiments on a live system, a candidate, and its comparison.

What owns state (the store, the process that trains, the live model) is in `server/learning/`.
"""
