"""The service with a backend that hangs while it loads: ``python -m tests.e2e.hanging``."""
