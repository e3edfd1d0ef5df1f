"""Load on a running service, and the figures that come of it."""
