"""Variables that look like settings and are none."""

import difflib
import logging
import os
import re
from collections.abc import Mapping

PREFIX = "SENTIMENT_"
# Kubernetes tells every container about every Service, in these names (Service docs: "Environment
# variables"). One that is called "sentiment" makes SENTIMENT_PORT=tcp://10.0.0.11:8000.
_INJECTED_NAME = re.compile(
    r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_INJECTED_VALUE = re.compile(r"(tcp|udp|sctp)://")

logger = logging.getLogger(__name__)


def injected(name: str, value: str) -> bool:
    """Whether Kubernetes made this variable, named in full or without the prefix, for a Service."""
    bare = name.upper().removeprefix(PREFIX)
    return bool(_INJECTED_NAME.fullmatch(bare) or _INJECTED_VALUE.match(value))


def variable_warnings(environment: Mapping[str, str], settings: list[str]) -> list[str]:
    """One sentence for all that Kubernetes made, and one for each that is no setting."""
    ours = {name: value for name, value in environment.items() if name.upper().startswith(PREFIX)}
    made = sorted(name for name, value in ours.items() if injected(name, value))
    warnings = []
    if made:
        warnings.append(f"passed over, because Kubernetes made them: {', '.join(made)}")
    for name in sorted(ours.keys() - set(made)):
        setting = name.upper().removeprefix(PREFIX).lower()
        if setting in settings:
            continue
        near = difflib.get_close_matches(setting, settings, 1)
        hint = f"; is {PREFIX}{near[0].upper()} meant?" if near else ""
        warnings.append(f"{name} is no setting and changes nothing{hint}")
    return warnings


def warn_of_variables(settings: list[str]) -> None:
    for warning in variable_warnings(os.environ, settings):
        logger.warning("%s", warning)
