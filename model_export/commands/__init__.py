"""One file per command of ``python -m model_export``."""
