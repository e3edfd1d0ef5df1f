"""Programs of the operating system that some tests use."""

import os
import shutil

import pytest


def system_tool(name: str) -> str:
    """The tool's path; without it the test skips, or fails where the tools are required."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("SENTIMENT_REQUIRE_TOOLS") == "1":
            pytest.fail(f"{name} is not installed and SENTIMENT_REQUIRE_TOOLS is 1")
        pytest.skip(f"{name} is not installed (make tools)")
    return path
