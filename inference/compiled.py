"""Networks ready to run: compiled by OpenVINO on a processor, by torch on a CUDA device.

On a processor OpenVINO takes an eighth to a third of the time of torch. Its precision is always
set: left alone it chooses bfloat16 where the processor can, which changes labels at borders.
Compiled networks are kept in the user's cache.

OpenVINO comes with a package that reports its use to a server. It is never imported: OpenVINO is
told that it is not installed, and uses its own stand-in that does nothing.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import torch

from inference.devices import processor_threads
from inference.locations import compiled_networks_folder
from inference.window import Network

if TYPE_CHECKING:
    import openvino

Precision: TypeAlias = Literal["f32", "bf16"]

_KEPT = 16  # networks; the oldest are removed
_log = logging.getLogger(__name__)


def ready(
    network: torch.nn.Module,
    shape: tuple[int, ...],
    *,
    device: str,
    key: str,
    precision: Precision = "f32",
) -> Network:
    """Return the fastest way to run a network on a device.

    Parameters
    ----------
    network : Module
        With its weights, in evaluation mode.
    shape : tuple of five int
        Of every batch: (1, channels, k, j, i).
    device : str
        ``cpu`` or ``cuda:N``.
    key : str
        Tells this network from all others: the hash of its weights, with whatever else shapes it.
    precision : str
        On a processor: ``f32``, or ``bf16`` where it is measured not to change labels.
    """
    if device != "cpu":
        return _on_torch(network, device)
    digest = hashlib.sha256(repr((key, shape, torch.__version__)).encode()).hexdigest()[:32]
    path = compiled_networks_folder() / f"{digest}.xml"
    try:
        return _compiled(_cached(path) or _converted(network, shape, path), precision)
    except MemoryError:
        raise
    except Exception as error:  # OpenVINO's exceptions have no common class
        _log.warning("OpenVINO cannot run this network, torch does: %s", error)
        torch.set_num_threads(processor_threads())
        return _on_torch(network, device)


def ready_onnx(data: bytes, shape: tuple[int, ...], precision: Precision = "f32") -> Network:
    """Return a network in ONNX, compiled for the processor.

    Parameters
    ----------
    data : bytes
        The file.
    shape : tuple of five int
    precision : str
        As for :func:`ready`.

    Raises
    ------
    ValueError
        It cannot be read, or does not take batches of this shape.
    """
    try:
        model = _openvino().Core().read_model(data)
        model.reshape(list(shape))
        return _compiled(model, precision)
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(f"OpenVINO cannot run it: {error}") from error


def _openvino() -> ModuleType:
    """Import OpenVINO without the package that reports its use."""
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    return cast(ModuleType, openvino)


def _on_torch(network: torch.nn.Module, device: str) -> Network:
    network = network.eval().to(device)

    def run(batch: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            result = network(batch.to(device))
        assert isinstance(result, torch.Tensor)
        return result

    return run


def _compiled(model: openvino.Model, precision: Precision) -> Network:
    """Return a converted network as a function of tensors."""
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": processor_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = _openvino().Core().compile_model(model, "CPU", settings).create_infer_request()

    def run(batch: torch.Tensor) -> torch.Tensor:
        found = request.infer({0: batch.contiguous().numpy()}, share_inputs=True)
        return torch.from_numpy(found[0])

    return run


def _converted(network: torch.nn.Module, shape: tuple[int, ...], path: Path) -> openvino.Model:
    """Return a network in OpenVINO's form, and keep it."""
    ov = _openvino()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    torch.set_num_threads(processor_threads())
    example = torch.zeros(shape)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of shapes that become constants, as they are
        if not isinstance(network, torch.jit.ScriptModule):
            # traced once; the decoder would run the network several times
            network = torch.jit.trace(  # type: ignore[no-untyped-call]
                network.eval(), example, check_trace=False
            )
        decoder = TorchScriptPythonDecoder(network)
        frontend = FrontEndManager().load_by_framework("pytorch")
        model = frontend.convert(frontend.load(decoder))
    model.reshape(list(shape))
    try:
        _keep(ov, model, path)
    except OSError as error:
        _log.warning("the compiled network is not kept: %s", error)
    return model


def _keep(ov: ModuleType, model: openvino.Model, path: Path) -> None:
    """Write a converted network into the cache, the part that makes it valid last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder, path.name)
        ov.save_model(model, part, compress_to_fp16=False)
        os.replace(part.with_suffix(".bin"), path.with_suffix(".bin"))
        os.replace(part, path)
    networks = sorted(path.parent.glob("*.xml"), key=lambda kept: kept.stat().st_mtime)
    for old in networks[:-_KEPT]:
        old.unlink(missing_ok=True)
        old.with_suffix(".bin").unlink(missing_ok=True)


def _cached(path: Path) -> openvino.Model | None:
    """Return a network of the cache; None when it is not there, or damaged."""
    if not path.is_file():
        return None
    try:
        return _openvino().Core().read_model(path)
    except RuntimeError as error:
        _log.warning("a compiled network is made again: %s", error)
        return None
