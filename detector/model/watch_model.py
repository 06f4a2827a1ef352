"""The trained network of the watch in one file: frames, time, and what it needs to be read again.

Parameters are stored in half precision, which keeps the file small, and computed with in single precision:
figures are to be taken from what ``load_watch_model`` gives.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import torch
from torch import Tensor, nn

from detector.model.frame_network import BACKBONES, GRID, FrameNetwork
from detector.model.kinds import KINDS
from detector.model.past import SIGHT_DIM
from detector.model.temporal import TemporalNetwork, TemporalShape
from detector.model.weights import load_weights, save_weights
from features.beats import BEAT_WINDOWS
from features.channels import NAMES, SENSOR_DIM
from features.frame import SIDE
from ingest.errors import UsageError

KEY = "nozzlewatch.watch"
DEFAULT = Path(__file__).parent.parent / "weights" / "watch.safetensors"
"""The one that comes along."""
EXPECTED = "expected a file of `nozzlewatch train`"


class WatchAbout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file says of its networks. Raises ValueError for figures that contradict.

    ``kinds``, ``sensors``, ``side`` (pixels), ``beat_windows`` and ``grid`` are what it was trained on: they
    must be what this version feeds it. A beat's probabilities are softmax(logits / ``temperatures`` +
    ``biases``), a number per class (none for no biases). ``threshold`` is of the alarm score, ``thresholds``
    of kinds for which it is another; an alarm takes ``min_beats`` of ``within_beats`` at or above it. From
    ``beyond`` on, pictures alone make an alarm (``detector.beyond``); None where they do not.
    """

    version: str  # goes into Scores.model
    backbone: str
    temporal: TemporalShape
    kinds: tuple[str, ...] = tuple(KINDS)
    sensors: tuple[str, ...] = NAMES
    side: int = SIDE
    beat_windows: int = BEAT_WINDOWS
    grid: int = GRID
    temperatures: tuple[float, ...] = (1.0,) * (1 + len(KINDS))
    biases: tuple[float, ...] = ()
    threshold: float
    thresholds: dict[str, float] = {}
    min_beats: int
    within_beats: int
    beyond: float | None = None
    simulator: str = ""
    figures: dict[str, float] = {}
    data: tuple[str, ...] = ()
    sha256: str = ""  # of the tensors as they are stored

    def __post_init__(self) -> None:
        classes = 1 + len(self.kinds)
        if len(self.temperatures) != classes or min(self.temperatures) <= 0:
            raise ValueError(
                f"found temperatures {self.temperatures}, expected one above 0 for each of {classes} classes"
            )
        if self.biases and (len(self.biases) != classes or not all(map(math.isfinite, self.biases))):
            raise ValueError(
                f"found biases {self.biases}, expected none or one for each of {classes} classes"
            )
        limits = (self.threshold, *self.thresholds.values())
        if any(not 0 < limit < 1 for limit in limits) or not set(self.thresholds) <= set(self.kinds):
            raise ValueError(f"found thresholds {limits}, expected them between 0 and 1, of known kinds")
        if self.beyond is not None and not self.beyond > 0:
            raise ValueError(f"found beyond {self.beyond}, expected it above 0, or none")
        if not 1 <= self.min_beats <= self.within_beats:
            raise ValueError(
                f"found {self.min_beats} of {self.within_beats} beats, expected 1 or more of as many"
            )


class WatchModel(NamedTuple):
    """Two networks that are ready to judge, on the CPU and in evaluation mode."""

    frame: FrameNetwork
    temporal: TemporalNetwork
    about: WatchAbout


def save_watch_model(path: Path, model: WatchModel) -> None:
    """Write it as safetensors, whole or not at all; ``about.sha256`` is filled in."""
    stored = _halved(_both(model.frame, model.temporal))
    about = msgspec.structs.replace(model.about, sha256=tensors_sha256(stored.state_dict()))
    save_weights(path, stored, {KEY: msgspec.json.encode(about).decode()})


def load_watch_model(path: Path) -> WatchModel:
    """Read what ``save_watch_model`` wrote.

    Raises UsageError for anything else, for tensors that were changed since, and for a network that was
    trained on other inputs than this version has.
    """
    weights = load_weights(path)
    about = _about(path, weights.metadata)
    found = tensors_sha256(weights.tensors)
    if found != about.sha256:
        raise UsageError(
            f"{path}: found tensors with the hash {found[:12]}, expected {about.sha256[:12] or 'one'}: the "
            "file was changed or damaged after it was written; copy or train it anew"
        )
    _check_inputs(path, about)
    model = WatchModel(FrameNetwork(about.backbone), TemporalNetwork(about.temporal), about)  # type: ignore[arg-type]
    try:
        _both(model.frame, model.temporal).load_state_dict(weights.tensors)
    except RuntimeError as error:
        raise UsageError(
            f"{path}: found tensors that do not fit {about.backbone} and {about.temporal} ({error}), "
            "expected its own: train anew with this version"
        ) from error
    model.frame.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model._replace(frame=model.frame.eval(), temporal=model.temporal.eval())


def default_watch_model() -> WatchModel | None:
    """The model that comes along; None where there is none. Raises UsageError where it cannot be read."""
    return load_watch_model(DEFAULT) if DEFAULT.is_file() else None


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """A hash over names, shapes, types and bytes of tensors, in the order of their names."""
    told = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        told.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        told.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return told.hexdigest()


def _both(frame: FrameNetwork, temporal: TemporalNetwork) -> nn.ModuleDict:
    return nn.ModuleDict({"frame": frame, "temporal": temporal})


def _halved(networks: nn.Module) -> nn.Module:
    """A copy with its parameters in half precision; what is counted and averaged stays as it is."""
    stored = copy.deepcopy(networks)
    for parameter in stored.parameters():
        parameter.data = parameter.data.half()
    return stored


def _about(path: Path, metadata: Mapping[str, str]) -> WatchAbout:
    try:
        return msgspec.json.decode(metadata.get(KEY, ""), type=WatchAbout)
    except (msgspec.DecodeError, UsageError) as error:
        raise UsageError(
            f"{path}: found weights that do not say what they watch ({error}), {EXPECTED}"
        ) from error


def _check_inputs(path: Path, about: WatchAbout) -> None:
    """Whether it was trained on what this version feeds it. Raises UsageError with all that differs."""
    pairs = {
        "kinds": (about.kinds, tuple(KINDS)),
        "sensor numbers": (about.sensors, NAMES),
        "pictures of": (f"{about.side} px", f"{SIDE} px"),
        "windows a beat": (about.beat_windows, BEAT_WINDOWS),
        "cells a side": (about.grid, GRID),
        "numbers of an embedding": (about.temporal.embedding, SIGHT_DIM),
        "numbers of a sensor token": (about.temporal.sensors, SENSOR_DIM),
        "mixer": (about.temporal.mixer, "attention"),
    }
    wrong = [f"{name}: {_apart(*pair)}" for name, pair in pairs.items() if pair[0] != pair[1]]
    if about.backbone not in BACKBONES:
        wrong.append(f"backbone: found {about.backbone}, expected one of {', '.join(BACKBONES)}")
    if wrong:
        raise UsageError(
            f"{path}: the network was trained on other inputs ({'; '.join(wrong)}): "
            "train anew with this version, or use the version that it was trained with"
        )


def _apart(found: object, expected: object) -> str:
    """Where two differ: of long lists, the first item that is another one."""
    if not isinstance(found, tuple) or not isinstance(expected, tuple):
        return f"found {found}, expected {expected}"
    if len(found) != len(expected):
        return f"found {len(found)}, expected {len(expected)}"
    at = next(at for at, pair in enumerate(zip(found, expected, strict=True)) if pair[0] != pair[1])
    return f"found {found[at]!r} as number {at}, expected {expected[at]!r}"
