"""How well the quality marks tell a camera that cannot see from one that can.

    python -m bench.quality [--data DIR] [--prints N] [--eval]

Single pictures: which bear a mark as they are, and which of them do once they are spoiled. Sequences: real
prints come as a few pictures only, so sequences at one frame per second are made of them as in bench.novelty
(the part fades from picture to picture, the gantry jumps, camera and light are unsteady); only the inner 70 %
of each are seen, so that a camera that is turned sees what lies beside it. Beside them stand the stored
frames played as they are, at one per second, and the simulator's.

Constants were chosen on the training sources and simulated seeds 1 to 4 ("chosen on"); with --eval everything
else is reported as it came.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from bench.machine import data_dir
from bench.novelty import HIGH, WIDE, live, noisy, picture_of, prints
from detector.model.encoder import SIDE
from detector.rules.pictures import FAULTS
from features.frame import decode_frame
from features.quality import MATURE, Quality, advance, look
from ingest.records import NS_PER_S
from ingest.simulate.simulated import SimulatedPrinter

Picture = npt.NDArray[np.uint8]
Random = np.random.Generator
Shades = npt.NDArray[np.floating[Any]]
"""A picture before it is rounded to whole grey levels."""
Spoiled = Callable[[Picture, Random], Picture]

FRAMES, CHANGE_AT = 220, 120
INNER = 0.7
TOLD_S = {fault.mark: fault.told_s for fault in FAULTS}
STILLS = (
    ("chosen on", ("train", "train_research"), ("prottos", "p3rc", "mysticaldawn", "emptydeck")),
    ("eval", ("eval",), ("22yeets22", "mysticaldawn_fixedcam", "hiltes", "emptydeck", "p3rc")),
    ("eval, nozzle close-ups", ("eval",), ("caxton", "fastcaxton")),
)
ROWS, COLUMNS = np.mgrid[0 : 1 : HIGH * 1j, 0 : 1 : WIDE * 1j]


class Told(NamedTuple):
    """What a sequence led to."""

    marks: list[Quality]
    told: Quality  # marks that lasted for as long as it takes to tell them


def levels(picture: Shades, random: Random, noise: float = 4.0) -> Picture:
    return np.clip(picture + random.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)


def unspoiled(picture: Picture, _: Random) -> Picture:
    """As it is."""
    return picture


def shadowed(picture: Picture, random: Random) -> Picture:
    """The light is off: 2 to 8 % of it are left."""
    return levels(picture * random.uniform(0.02, 0.08), random)


def burnt(picture: Picture, random: Random) -> Picture:
    """A lamp into the lens: four times the light and a veil."""
    return levels(picture * 4.0 + 120.0, random)


def covered(picture: Picture, random: Random) -> Picture:
    """A surface right before the lens, lit from one side."""
    colour = random.uniform(50, 220, 3)
    across = picture.shape[1]
    shade = 1 - random.uniform(0, 0.6) * np.linspace(0, 1, across)[None, :, None]
    return levels(np.broadcast_to(colour * shade, picture.shape).astype(np.float64), random)


def blurred(sigma: float) -> Spoiled:
    """Out of focus by ``sigma`` of the picture's width."""
    return lambda picture, random: levels(
        cv2.GaussianBlur(picture, (0, 0), sigma * picture.shape[1]).astype(np.float64), random, 2.0
    )


def lamp(kind: str) -> Spoiled:
    """Another light: dimmed, brighter, from the side, or a spot."""
    spot = np.exp(-(((COLUMNS - 0.7) / 0.2) ** 2 + ((ROWS - 0.3) / 0.2) ** 2))[..., None]
    change: dict[str, Callable[[Picture], Shades]] = {
        "dimmed": lambda picture: picture * 0.4,
        "brighter": lambda picture: picture * 1.6,
        "from the side": lambda picture: picture * (0.3 + 1.4 * COLUMNS[..., None]),
        "spot": lambda picture: picture * 0.5 + 150.0 * spot,
    }
    return lambda picture, _: np.clip(change[kind](picture), 0, 255).astype(np.uint8)


def hand(picture: Picture, random: Random) -> Picture:
    """A hand at work: somewhere else in each frame."""
    at = (int(random.uniform(80, 240)), int(random.uniform(80, 180)))
    return np.asarray(cv2.ellipse(picture.copy(), at, (90, 60), 30, 0, 360, (120, 150, 200), -1), np.uint8)


def seen(picture: Picture, right: float = 0.0, down: float = 0.0) -> Picture:
    """The inner part of a picture, by a camera that looks further right and down (in its widths, heights)."""
    height, width = (round(INNER * size) for size in picture.shape[:2])
    top = round((HIGH - height) / 2 + down * height)
    left = round((WIDE - width) / 2 + right * width)
    return picture[top : top + height, left : left + width]


def decoded(picture: Picture) -> Picture:
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    pixels = decode_frame(jpeg, SIDE)
    assert pixels is not None
    return pixels


def run(pictures: Iterable[Picture]) -> Told:
    """Look at pictures of model size, one per second."""
    state, marks, told = None, [], Quality.NONE
    for at, picture in enumerate(pictures):
        state, mark = advance(state, look(picture), at * NS_PER_S)
        marks.append(mark)
        for each in mark:
            told |= each if state.held_s(each) >= TOLD_S[each] else Quality.NONE
    return Told(marks, told)


def shifted(share: float, seed: int) -> tuple[float, float]:
    """A shift of the camera by so much, in a direction that the stored picture has room for."""
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
    return share * float(np.cos(angle)), share * float(np.sin(angle))


def sequence(files: list[Path], seed: int, change: str) -> Iterator[Picture]:
    """A print at one frame per second to which something happens at CHANGE_AT."""
    random, pictures = np.random.default_rng(seed), [picture_of(file) for file in files]
    still: Picture | None = None
    for frame in range(FRAMES):
        speed = 5.0 if change == "grows fast" else 0.25
        picture = live(pictures, 1 + speed * frame / FRAMES, random)
        since = frame - CHANGE_AT
        if since >= 0 and change == "frozen, other bytes":
            still = decoded(seen(picture)) if still is None else still
            yield still
            continue
        yield decoded(seen(*happened(picture, change, since, seed, random)))


def happened(
    picture: Picture, change: str, since: int, seed: int, random: Random
) -> tuple[Picture, float, float]:
    """The noisy picture after a change, and by how much its camera was turned."""
    noise = cv2.imdecode(np.frombuffer(noisy(picture, random), np.uint8), cv2.IMREAD_COLOR)
    assert noise is not None
    unsteady = np.asarray(noise, np.uint8)
    if since < 0:
        return unsteady, 0.0, 0.0
    if change.startswith("moved"):
        return unsteady, *shifted(float(change.split()[1]) / 100, seed)
    if change == "turned away":
        return np.asarray(cv2.flip(unsteady, -1), np.uint8), 0.0, 0.0
    if change == "hand, 25 s" and since >= 25:
        return unsteady, 0.0, 0.0
    return SPOILED.get(change, unspoiled)(unsteady, random), 0.0, 0.0


SPOILED: dict[str, Spoiled] = {
    "dark": shadowed,
    "burnt out": burnt,
    "covered": covered,
    "blurred 1.2 %": blurred(0.012),
    "blurred 2 %": blurred(0.02),
    "hand, 25 s": hand,
    **{f"lamp {kind}": lamp(kind) for kind in ("dimmed", "brighter", "from the side", "spot")},
}
SOUND = ("normal", "grows fast", "hand, 25 s", *(name for name in SPOILED if name.startswith("lamp")))
FAULTY = {
    "dark": Quality.DARK,
    "burnt out": Quality.OVEREXPOSED,
    "covered": Quality.COVERED,
    "blurred 1.2 %": Quality.BLURRED,
    "blurred 2 %": Quality.BLURRED,
    "frozen, other bytes": Quality.FROZEN,
    **{f"moved {share} %": Quality.MOVED for share in (5, 10, 20)},
    "turned away": Quality.MOVED,
}


def percent(count: int, of: int) -> str:
    return f"{count:5d} of {of:5d} ({100 * count / max(of, 1):5.1f} %)"


def names(marks: Counter[Quality]) -> str:
    told = (f"{mark.name} {count}" for mark, count in marks.most_common() if mark)
    return ", ".join(told) or "none"


def stills(data: Path, title: str, splits: tuple[str, ...], sources: tuple[str, ...]) -> None:
    """Each stored picture by itself: as it is, and spoiled."""
    print(f"\nsingle pictures ({title})")
    with (data / "images" / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] in splits]
    for source in sources:
        files = [data / "images" / row["file"] for row in rows if row["source"] == source]
        pictures = [frame for file in files if (frame := decode_frame(file.read_bytes(), SIDE)) is not None]
        found = Counter(advance(None, look(picture), 0)[1] for picture in pictures)
        marked = len(pictures) - found[Quality.NONE]
        print(f"  {source:22s} as they are: {percent(marked, len(pictures))} marked: {names(found)}")
        for name in ("dark", "burnt out", "covered"):
            random = np.random.default_rng(1)
            spoiled = (SPOILED[name](picture, random) for picture in pictures)
            right = sum(advance(None, look(picture), 0)[1] == FAULTY[name] for picture in spoiled)
            print(f"  {'':22s} {name:11s}: {percent(right, len(pictures))} found")


def sequences(title: str, files: dict[str, list[Path]]) -> None:
    """Sequences made of real prints: what is told of sound ones, and what of spoiled ones."""
    print(f"\nsequences of {FRAMES} s from {len(files)} prints, change at {CHANGE_AT} s ({title})")
    for change in (*SOUND, *FAULTY):
        results = [run(sequence(paths, seed, change)) for seed, paths in enumerate(files.values())]
        if change in FAULTY:
            faulty(change, results)
        else:
            sound(change, results)


def sound(name: str, results: list[Told]) -> None:
    marks = Counter(mark for result in results for mark in result.marks)
    told = Counter(mark for result in results for mark in result.told)
    marked = marks.total() - marks[Quality.NONE]
    print(
        f"  {name:19s} frames marked {percent(marked, marks.total())}: {names(marks)}; "
        f"told in {sum(map(bool, (result.told for result in results)))} of {len(results)}: {names(told)}"
    )


def faulty(name: str, results: list[Told]) -> None:
    """A moved camera is marked until it is told; the others until the end."""
    wanted = FAULTY[name]
    until = CHANGE_AT + round(TOLD_S[wanted]) if wanted is Quality.MOVED else FRAMES
    after = [mark for result in results for mark in result.marks[CHANGE_AT:until]]
    told = [result.told for result in results]
    others = Counter(mark for result in results for mark in result.told & ~wanted)
    print(
        f"  {name:19s} frames found  {percent(sum(wanted in mark for mark in after), len(after))}; "
        f"told in {sum(wanted in marks for marks in told)} of {len(told)}, also told: {names(others)}"
    )


def stored(title: str, files: dict[str, list[Path]]) -> None:
    """Stored frames of one camera as they are, each as if a second after the one before."""
    print(f"\nstored frames, one per second ({title})")
    for name, paths in files.items():
        if len(paths) > MATURE:
            frames = (decode_frame(path.read_bytes(), SIDE) for path in paths)
            sound(name, [run(frame for frame in frames if frame is not None)])


def simulated(title: str, seeds: range) -> None:
    print(f"\nsimulated prints of 600 s ({title}, seeds {seeds.start} to {seeds.stop - 1})")
    results = []
    for seed in seeds:
        printer = SimulatedPrinter("", seed)
        jpegs = (printer.jpeg_at(float(at)) for at in range(600))
        results.append(
            run(frame for jpeg in jpegs if jpeg and (frame := decode_frame(jpeg, SIDE)) is not None)
        )
    sound("normal", results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=data_dir())
    parser.add_argument("--prints", type=int, default=10, help="how many prints of each camera (default 10)")
    parser.add_argument("--eval", action="store_true", help="also what no constant was chosen on")
    asked = parser.parse_args()
    found: dict[str, dict[str, list[Path]]] = defaultdict(dict)
    for name, paths in prints(asked.data).items():
        found["_".join(name.split("_")[: 2 if name.startswith("emptydeck") else 1])][name] = paths
    for title, splits, sources in STILLS if asked.eval else STILLS[:1]:
        stills(asked.data, title, splits, sources)
    groups = (("emptydeck p1", "chosen on"), ("emptydeck p2", "eval"), ("mdfix", "eval"))
    for camera, title in groups if asked.eval else groups[:1]:
        whole = {n: p for n, p in found[camera.replace(" ", "_")].items() if len(p) >= 9}
        sequences(f"{camera}, {title}", dict(list(whole.items())[: asked.prints]))
    simulated("chosen on", range(1, 5))
    if asked.eval:
        simulated("eval", range(5, 11))
        for camera in ("mdfix", "hiltes"):
            stored(f"{camera}, eval", found[camera])


if __name__ == "__main__":
    main()
