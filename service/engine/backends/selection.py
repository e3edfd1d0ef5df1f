"""Which backend serves: the first candidate that loads and reproduces the golden answers."""

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from service.engine.backends import Backend, BackendError
from service.engine.backends.registry import BACKENDS, BackendName, automatic, kind_of_device
from service.engine.bundle import Bundle, BundleError
from service.engine.golden import GoldenText, prove_backend
from service.engine.memory_limit import memory_limit

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Selection:
    backend: Backend
    reason: str


def open_backend(
    name: str, bundle: Bundle, device: str, threads: int, trust_torchscript: bool
) -> Backend:
    """Load one backend by name.

    Raises:
        BundleError, BackendError: as the backends do, or TorchScript from an untrusted bundle.
    """
    kind = BACKENDS[name]
    if kind_of_device(device) not in kind.devices:
        raise BackendError(f"it does not run on {device}")
    if kind.is_program and not trust_torchscript:
        raise BackendError(
            "TorchScript is a program: it is loaded only from the shipped bundle,"
            f" or with --bundle-digest {bundle.digest}"
        )
    return kind.load(bundle, device, threads)


def select_backend(
    requested: BackendName,
    bundle: Bundle,
    golden: Sequence[GoldenText],
    device: str,
    threads: int,
    trust_torchscript: bool,
    max_tokens: int,
) -> Selection:
    """The backend to serve with, proven on the golden texts and a text of ``max_tokens``.

    ``auto`` tries the device's candidates in the order of the registry, as far as the bundle was
    verified with them, going on to the next with a warning.

    Raises:
        BackendError: the requested backend, or every candidate, failed.
    """
    candidates = [requested]
    if requested == "auto":
        candidates = [kind.name for kind in automatic(device)]
    failures = []
    for name in candidates:
        # CUDA maps more than any such limit before it loads anything.
        limit = memory_limit() if device == "cpu" else contextlib.nullcontext()
        try:
            if requested == "auto" and name not in bundle.manifest.backends:
                raise BackendError("the bundle was not verified with it")
            with limit:
                backend = open_backend(name, bundle, device, threads, trust_torchscript)
                difference = prove_backend(backend, golden, max_tokens)
        except (BackendError, BundleError) as error:
            failures.append(f"{name}: {error}")
            if name != candidates[-1]:
                logger.warning("backend %s is passed over: %s", name, error)
            continue
        why = f"first to work on {device}" if requested == "auto" else "requested"
        if failures:
            why += f" (passed over: {'; '.join(failures)})"
        reason = f"{why}; golden answers reproduced within {difference:.1e}"
        return Selection(backend, reason)
    raise BackendError("no backend can serve the bundle: " + "; ".join(failures))
