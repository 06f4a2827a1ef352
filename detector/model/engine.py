"""Networks that only judge, compiled for one size of picture: OpenVINO where it is installed, else torch.

OpenVINO (Apache-2.0, ``pip install "nozzlewatch[fast]"``) takes a third of torch's time on one core. Both
give the same answer but for rounding; where the processor has bfloat16 in hardware, both compute in it.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from detector.model.hardware import has_bfloat16
from ingest.errors import UsageError

Floats: TypeAlias = npt.NDArray[np.float32]
Engine: TypeAlias = Callable[[Floats], list[Floats]]
"""Takes pictures [n, 3, h, w] of the size that it was compiled for; n may differ from call to call.

One thread at a time: an engine reuses its buffers.
"""
EngineName: TypeAlias = Literal["auto", "openvino", "torch"]
ENGINES: tuple[EngineName, ...] = ("auto", "openvino", "torch")


def compiled(
    network: nn.Module, outputs: Sequence[str], side: int, *, engine: EngineName = "auto", threads: int = 1
) -> Engine:
    """The network's named outputs (fields of what its ``judge`` returns) for pictures of side x side.

    ``network`` lies on the CPU in evaluation mode; it is not changed. Raises UsageError where OpenVINO is
    asked for and not installed.
    """
    there = importlib.util.find_spec("openvino") is not None
    if engine == "openvino" and not there:
        raise UsageError(
            'engine: found no OpenVINO, expected it: pip install "nozzlewatch[fast]", or ask for torch'
        )
    chosen = _Outputs(network, outputs)
    if engine != "torch" and there:
        return _openvino(chosen, side, threads)
    return _torch(chosen, threads)


class _Outputs(nn.Module):
    """A network cut down to some of its outputs, as plain tensors: what compilers take."""

    def __init__(self, network: nn.Module, outputs: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.outputs = tuple(outputs)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        judged = self.network.judge(pictures)  # type: ignore[operator]
        return tuple(getattr(judged, name) for name in self.outputs)


def _torch(network: _Outputs, threads: int) -> Engine:
    bfloat16 = has_bfloat16(torch.device("cpu"))
    parameters = {
        name: value.to(memory_format=_layout(value)) for name, value in network.state_dict().items()
    }

    def run(pictures: Floats) -> list[Floats]:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            batch = torch.from_numpy(pictures).contiguous(memory_format=torch.channels_last)
            precision = torch.autocast("cpu", torch.bfloat16) if bfloat16 else nullcontext()
            with torch.inference_mode(), precision:
                found = torch.func.functional_call(network, parameters, (batch,))
        finally:
            torch.set_num_threads(before)
        return [each.float().numpy() for each in found]

    return run


def _layout(value: Tensor) -> torch.memory_format:
    """Channels last for kernels: convolutions on a CPU take less time so."""
    return torch.channels_last if value.ndim == 4 else torch.contiguous_format  # noqa: PLR2004 - [out, in, h, w]


def _openvino(network: _Outputs, side: int, threads: int) -> Engine:
    import openvino  # noqa: PLC0415 - an extra

    model = _converted(network, side)
    model.reshape({model.inputs[0]: openvino.PartialShape([-1, 3, side, side])})
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "bf16" if has_bfloat16(torch.device("cpu")) else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # every process would take the same core, and they would share it
    }
    request = openvino.compile_model(model, "CPU", settings).create_infer_request()
    count = len(network.outputs)

    def run(pictures: Floats) -> list[Floats]:
        given = request.infer({0: pictures})
        return [np.array(given[at], np.float32) for at in range(count)]

    return run


def _converted(network: _Outputs, side: int) -> Any:
    """The network as OpenVINO's graph.

    By its reader of PyTorch alone: ``openvino.convert_model`` does the same and reports its use to the
    maker's servers.
    """
    from openvino.frontend import FrontEndManager  # noqa: PLC0415 - an extra
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder  # noqa: PLC0415

    reader = FrontEndManager().load_by_framework("pytorch")
    with warnings.catch_warnings():
        # Tracing tells of every size that it takes for fixed: it is, see ``side``.
        warnings.simplefilter("ignore")
        # And it would run what it traced three times more, to see whether it does the same each time.
        decoder = TorchScriptPythonDecoder(
            network,
            example_input=(torch.zeros(1, 3, side, side),),
            trace_kwargs={"check_trace": False},
        )
        return reader.convert(reader.load(decoder))
