"""A software bill of materials in CycloneDX 1.6: what serving installs.

https://cyclonedx.org/docs/1.6/json/
"""

import json
from collections.abc import Sequence

from release.dependency import Dependency
from service import __version__


def bill_of_materials(dependencies: list[Dependency], direct: Sequence[str]) -> str:
    """The same for the same dependencies: no time, no serial number."""
    purls = {dependency.name: dependency.purl for dependency in dependencies}
    application = f"pkg:generic/packed-sentiment@{__version__}"
    bill = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": application,
                "name": "packed-sentiment",
                "version": __version__,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": [
            {
                "type": "library",
                "bom-ref": dependency.purl,
                "name": dependency.name,
                "version": dependency.version,
                "licenses": [{"license": {"name": dependency.licence}}],
                "purl": dependency.purl,
            }
            for dependency in dependencies
        ],
        "dependencies": [
            {"ref": application, "dependsOn": sorted(purls[name] for name in direct)},
            *(
                {
                    "ref": dependency.purl,
                    "dependsOn": [purls[name] for name in dependency.requires],
                }
                for dependency in dependencies
            ),
        ],
    }
    return json.dumps(bill, indent=1) + "\n"
