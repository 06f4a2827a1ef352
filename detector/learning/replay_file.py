"""Prints as tokens in one small file: what a network learned from, to be replayed while it learns more.

Some dozens of prints take a few MB. Embeddings mean something to the frame network that made them alone, so
its version stands beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from detector.files import replacing
from detector.learning.seen import FrameJudge, see
from detector.learning.sequences import Filed, TokenSequence, read_sequence
from detector.learning.shards import PrintFacts, facts_of, shards_in
from detector.model.frame_network import EMBEDDING_DIM, FrameNetwork
from detector.model.past import sights
from features.channels import NAMES, SENSOR_DIM
from ingest.errors import UsageError

FORMAT = "nozzlewatch replay 1"
REPLAY = Path(__file__).parent.parent / "weights" / "replay.safetensors"
"""The one that comes along, of the watch model that comes along."""
READABLE = 0o644

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]
_PLAIN = ("embeddings", "sensors", "beats", "labels", "since_s", "weights")
_BITS = ("seen", "heard")


def keep_some(
    path: Path, frame: FrameNetwork, folders: Sequence[Path], cache: Path, count: int = 40, seed: int = 0
) -> list[str]:
    """Write some prints of preprocess to be replayed, as the frame network sees them; the prints' names.

    ``frame`` is to be that of a file of weights: stored in half precision, it is not quite what was trained.
    """
    shards = shards_in(folders)
    chosen = [shards[at] for at in drawn([facts_of(shard) for shard in shards], count, seed)]
    judge = FrameJudge(frame)
    filed = [Filed(*each) for each in zip(chosen, see(judge, chosen, cache), strict=True)]
    write_replay(path, [read_sequence(each) for each in filed], judge.version)
    return [each.stem for each in chosen]


def write_replay(path: Path, prints: Sequence[TokenSequence], frame_version: str) -> None:
    """Write prints, whole or not at all; ``frame_version`` is ``seen.version_of`` what made the embeddings.

    Raises UsageError without a print.
    """
    if not prints:
        raise UsageError(f"{path}: found no print to write, expected some to replay")
    arrays = {name: np.concatenate([getattr(one, name) for one in prints]) for name in _PLAIN}
    arrays["embeddings"] = arrays["embeddings"][:, :EMBEDDING_DIM]  # the rest follows from these
    arrays |= {name: np.packbits(np.concatenate([getattr(one, name) for one in prints])) for name in _BITS}
    arrays["known"] = np.packbits(np.concatenate([one.known for one in prints]), axis=1)
    arrays["ends"] = np.cumsum([len(one.beats) for one in prints], dtype=np.int64)
    metadata = {
        "format": FORMAT,
        "names": ",".join(NAMES),
        "frame_version": frame_version,
        "facts": msgspec.json.encode([one.facts for one in prints]).decode(),
    }
    with replacing(path) as fresh:
        fresh.write_bytes(save({name: np.ascontiguousarray(each) for name, each in arrays.items()}, metadata))
        fresh.chmod(READABLE)


def read_replay(path: Path, frame_version: str) -> list[TokenSequence]:
    """The prints of a file. Raises UsageError for another file, and for one of another frame network."""
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            _check(path, metadata, frame_version)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path}: found no prints to replay ({error}), expected a file of them") from error
    return list(_prints(arrays, msgspec.json.decode(metadata["facts"], type=list[PrintFacts])))


def drawn(prints: Sequence[PrintFacts], count: int, seed: int = 0) -> list[int]:
    """Which prints a replay file should hold: half sound ones, the others of each kind as many; ascending."""
    rng = np.random.default_rng(seed)
    order = [int(at) for at in rng.permutation(len(prints))]
    sound = [at for at in order if prints[at].kind is None][: count // 2]
    queues = {kind: [at for at in order if prints[at].kind == kind] for kind in _kinds(prints)}
    failing: list[int] = []
    while len(failing) < count - len(sound) and any(queues.values()):
        failing += [queue.pop() for queue in queues.values() if queue]
    return sorted(sound + failing[: count - len(sound)])


def _kinds(prints: Sequence[PrintFacts]) -> list[str]:
    return sorted({one.kind for one in prints if one.kind is not None})


def _prints(arrays: Arrays, facts: Sequence[PrintFacts]) -> Iterator[TokenSequence]:
    total = len(arrays["beats"])
    whole = {name: arrays[name] for name in _PLAIN}
    whole |= {name: np.unpackbits(arrays[name], count=total).astype(np.bool_) for name in _BITS}
    whole["known"] = np.unpackbits(arrays["known"], axis=1, count=SENSOR_DIM).astype(np.bool_)
    begin = 0
    for end, fact in zip(arrays["ends"].tolist(), facts, strict=True):
        own = {name: each[begin:end] for name, each in whole.items()}
        yield TokenSequence(facts=fact, **own | {"embeddings": sights(own["embeddings"], own["seen"])})
        begin = end


def _check(path: Path, metadata: Mapping[str, str], frame_version: str) -> None:
    if metadata.get("format") != FORMAT:
        raise UsageError(f"{path}: found {metadata.get('format', 'another file')}, expected {FORMAT}")
    if metadata.get("names") != ",".join(NAMES):
        raise UsageError(f"{path}: found sensor tokens of another make, expected those of this version")
    if metadata.get("frame_version") != frame_version:
        raise UsageError(
            f"{path}: found embeddings of the frame network {metadata.get('frame_version')}, expected those "
            f"of {frame_version}: name folders of preprocessed prints to replay (--replay), or the model "
            "that it came with"
        )
