"""The server: everything needed to answer a request, nothing that trains."""

__version__ = "0.1.0"
