"""THIRD_PARTY.md: every package that any environment installs, and its licence."""

import re

from release.dependency import Dependency, licence, pinned_versions

# Permissive, or weak copyleft that asks nothing of a program that only uses the library.
COMPATIBLE = re.compile(
    r"\b(MIT|BSD|0BSD|Apache|PSF|Python Software Foundation|MPL|Mozilla|ZPL|ISC|Zlib|CC0|BSL)",
    re.IGNORECASE,
)
# Not free software: the GPU environment's CUDA libraries, which their maker lets be installed and
# used, and which nothing here redistributes.
PROPRIETARY = "LicenseRef-NVIDIA-Proprietary"


def third_party(serving: list[Dependency]) -> str:
    """The page. ``serving`` is what the CPU image holds."""
    inside = {dependency.name for dependency in serving}
    lines = [
        "# Third-party packages",
        "",
        "Every package that any of the environments installs, as its own metadata describe it;"
        " `make licences` writes this page.",
        "The project itself is under Apache-2.0, with which all of these go together: they are"
        " permissive, or ask for their source only where they themselves are changed (MPL).",
        "The GPU environment adds NVIDIA's CUDA libraries, which are not free software: they are"
        " installed from the index under NVIDIA's own terms and are part of no release.",
        "",
        "| package | version | licence | in the CPU image |",
        "|---|---|---|---|",
    ]
    for name, version in sorted(pinned_versions().items()):
        lines.append(
            f"| {name} | {version} | {licence(name)} | {'yes' if name in inside else ''} |"
        )
    return "\n".join(lines) + "\n"
