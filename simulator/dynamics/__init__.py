"""How a system behaves, sub-step by sub-step: one module per mechanism."""
