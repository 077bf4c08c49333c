"""Stubs generated from protos/sre_edge/v1 by `make protos`; not edited by hand."""
