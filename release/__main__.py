"""``python -m release``: the bundle's archive, bill of materials and checksums, in a directory.

``python -m release --licences`` writes THIRD_PARTY.md instead.
"""

import argparse
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from release.bill_of_materials import bill_of_materials
from release.bundle_archive import archive_bundle, checksums
from release.dependency import dependencies
from release.requirements import requirements
from release.third_party import third_party
from service import __version__
from service.engine.bundle import Bundle, BundleError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("models/sentiment"))
    parser.add_argument("--directory", type=Path, default=Path("dist"))
    parser.add_argument("--licences", action="store_true")
    arguments = parser.parse_args()
    required = requirements(["cpu"])
    serving = dependencies(required)
    if arguments.licences:
        Path("THIRD_PARTY.md").write_text(third_party(serving), encoding="utf-8")
        return 0
    directory: Path = arguments.directory
    directory.mkdir(parents=True, exist_ok=True)
    try:
        archive_bundle(Bundle(arguments.bundle), directory)
    except BundleError as error:
        print(f"python -m release: {error}", file=sys.stderr)
        return 2
    direct = [canonicalize_name(Requirement(line).name) for line in required]
    bill = bill_of_materials(serving, direct)
    (directory / f"packed-sentiment-{__version__}-cpu.cdx.json").write_text(bill, encoding="utf-8")
    (directory / "SHA256SUMS").write_text(checksums(directory), encoding="utf-8")
    print((directory / "SHA256SUMS").read_text(encoding="utf-8"), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
