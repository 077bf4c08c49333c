"""Learning mode: what is recorded of live experiments, the models, and who trains them."""
