"""The service with a backend that some texts break: ``python -m tests.e2e.poisoned``."""
