"""The inference process: cuts micro-batches, runs them, answers. Knows no HTTP."""
