"""Every backend that there is: a new one is an entry here and a class.

Nothing is imported before it is loaded: settings and API processes need the names only.
"""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from service.engine.backends import Backend
from service.engine.bundle import Bundle


@dataclass(frozen=True, slots=True)
class BackendKind:
    """What is known of a backend before it is loaded."""

    name: str
    implementation: str  # "module:class", made of a bundle, this entry, a device and threads
    file: str  # of the bundle
    devices: tuple[str, ...]
    automatic_on: tuple[str, ...]  # the devices on which ``auto`` tries it, in this file's order
    # The largest difference of a probability from its golden value.
    golden_tolerance: float
    platform: str  # its name in Open Inference Protocol v2
    is_program: bool = False  # its file runs with the rights of the service
    proven_at_export: bool = True  # a bundle is published only if it works with this backend

    def load(self, bundle: Bundle, device: str, threads: int) -> Backend:
        """Raises BundleError or BackendError when it can't run the bundle on the device."""
        make: Callable[[Bundle, BackendKind, str, int], Backend] = pkgutil.resolve_name(
            self.implementation
        )
        return make(bundle, self, device, threads)


_KINDS = (
    BackendKind(
        name="torchscript",
        implementation="service.engine.backends.torchscript:TorchScriptBackend",
        file="model.ts",
        devices=("cpu", "cuda"),
        automatic_on=("cuda",),
        # fp32 differs in the order of additions only.
        golden_tolerance=1e-4,
        platform="pytorch_libtorch",
        is_program=True,
    ),
    BackendKind(
        name="onnx",
        implementation="service.engine.backends.onnx:OnnxBackend",
        file="model.onnx",
        devices=("cpu", "cuda"),
        automatic_on=("cpu", "cuda"),
        golden_tolerance=1e-4,
        platform="onnxruntime_onnx",
    ),
    BackendKind(
        name="onnx-int8",
        implementation="service.engine.backends.onnx:OnnxBackend",
        file="model.int8.onnx",
        devices=("cpu",),
        automatic_on=(),
        # It scales its activations anew for every batch.
        golden_tolerance=0.1,
        platform="onnxruntime_onnx",
    ),
    # These two serve where they are asked for by name, any bundle that has weights which the kernel
    # can compute. ``auto`` and exports leave them alone until the wheels carry the compiled kernel.
    BackendKind(
        name="packed",
        implementation="service.engine.backends.packed:PackedBackend",
        file="weights.safetensors",
        devices=("cpu",),
        automatic_on=(),
        # Hidden states and weights are rounded to 14 bits.
        golden_tolerance=1e-3,
        platform="packed",
        proven_at_export=False,
    ),
    BackendKind(
        name="packed-int8",
        implementation="service.engine.backends.packed:PackedBackend",
        file="weights.safetensors",
        devices=("cpu",),
        automatic_on=(),
        golden_tolerance=0.05,
        platform="packed",
        proven_at_export=False,
    ),
)
BACKENDS = {kind.name: kind for kind in _KINDS}

if TYPE_CHECKING:
    BackendName = str
else:
    BackendName = Literal["auto", *BACKENDS]


def kind_of_device(device: str) -> str:
    """``cuda`` for ``cuda:1``."""
    return device.partition(":")[0]


def automatic(device: str) -> list[BackendKind]:
    """What ``auto`` tries on a device, the best first."""
    return [kind for kind in _KINDS if kind_of_device(device) in kind.automatic_on]
