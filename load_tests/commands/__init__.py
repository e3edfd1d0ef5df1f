"""One file per command of ``python -m load_tests``."""
