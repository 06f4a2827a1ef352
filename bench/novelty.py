"""How well novelty tells a lasting change from a print that goes on.

    python -m bench.novelty [--data DIR] [--prints N] [--eval]

Simulated printers are watched as the demo watches them, at one frame per second from their first minute on.

Real prints come as a few pictures only, so sequences at one frame per second are made of them: the part grows
by fading from one picture to the next, the gantry moves at random, light and sensor are noisy. Constants were
chosen on emptydeck P1 and simulated seeds 1 to 4 ("chosen on"); everything else is reported as it came.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from bench.machine import data_dir
from detector.model.build import VERSION, build_encoder
from detector.model.encoder import SIDE
from detector.novelty import Z_HALF, advance
from features.frame import decode_frame
from ingest.records import NS_PER_S
from ingest.simulate.demo import demo_printers
from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.toolpath import Order

Picture = npt.NDArray[np.uint8]
Random = np.random.Generator

WIDE, HIGH = 320, 240
FRAMES, CHANGE_AT = 200, 120
WITHIN = 50  # frames after the change in which it must be found
MESS_AT_S = (50, 200)
ORDERS = (Order(60, "M104 S216"), Order(120, "M106 S128"), Order(180, "M220 S80"), Order(300, "M220 S150"))
encoder = build_encoder("cpu")


def embedded(jpegs: list[bytes]) -> npt.NDArray[np.float16]:
    return encoder.encode([frame for jpeg in jpegs if (frame := decode_frame(jpeg, SIDE)) is not None])


def scores(embeddings: npt.NDArray[np.float16]) -> npt.NDArray[np.float64]:
    """z of every frame at 1 frame/s, NaN while it is safe."""
    state, found = None, []
    for at, embedding in enumerate(embeddings):
        state, novelty = advance(state, embedding, at * NS_PER_S)
        found.append(np.nan if novelty.z is None else novelty.z)
    return np.array(found)


def prints(data: Path) -> dict[str, list[Path]]:
    """Files of each print in the order of its frames."""
    rows = defaultdict(list)
    with (data / "images" / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            rows[row["print_id"]].append((int(row["frame"] or 0), data / "images" / row["file"]))
    return {name: [path for _, path in sorted(files)] for name, files in rows.items() if name}


def picture_of(file: Path) -> Picture:
    read = cv2.imread(str(file))
    assert read is not None, file
    return np.asarray(cv2.resize(read, (WIDE, HIGH), interpolation=cv2.INTER_AREA), np.uint8)


def noisy(picture: Picture, random: Random) -> bytes:
    """Camera shake, light that flickers by 2 %, sensor noise, JPEG."""
    shake = np.array([[1, 0, random.normal() * 0.7], [0, 1, random.normal() * 0.7]], np.float32)
    moved = cv2.warpAffine(picture, shake, (WIDE, HIGH), borderMode=cv2.BORDER_REPLICATE)
    light = moved * (1 + random.normal() * 0.02) + random.normal(0, 4, moved.shape)
    return cv2.imencode(".jpg", np.clip(light, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 80])[
        1
    ].tobytes()


def live(pictures: list[Picture], at: float, random: Random) -> Picture:
    """The part as far as ``at`` (in pictures), the upper 60 % (gantry) shifted sideways at random."""
    first = int(at)
    picture = cv2.addWeighted(pictures[first], 1 - (at - first), pictures[first + 1], at - first, 0)
    top, shift = int(0.6 * HIGH), np.array([[1, 0, int(random.uniform(-25, 25))], [0, 1, 0]], np.float32)
    picture[:top] = cv2.warpAffine(picture[:top], shift, (WIDE, top), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(picture, np.uint8)


def mess(picture: Picture, strands: int, seed: int) -> Picture:
    random, messy = np.random.default_rng(seed), picture.copy()
    for _ in range(strands):
        points = (np.cumsum(random.normal(0, 6, (25, 2)), 0) + np.array([160, 170])).astype(np.int32)
        cv2.polylines(messy, [points], False, [int(c) for c in random.integers(30, 230, 3)], 2)
    return messy


def moved(picture: Picture) -> Picture:
    shift = np.array([[1, 0, 14], [0, 1, 6]], np.float32)
    return np.asarray(cv2.warpAffine(picture, shift, (WIDE, HIGH), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def hand(picture: Picture) -> Picture:
    return np.asarray(
        cv2.ellipse(picture.copy(), (120, 120), (90, 60), 30, 0, 360, (120, 150, 200), -1), np.uint8
    )


def changes(first: Picture, seed: int) -> dict[str, Callable[[Picture, int], Picture]]:
    """What happens to a picture, ``since`` frames after the change."""
    return {
        "normal": lambda picture, since: picture,
        "hand, 3 frames": lambda picture, since: hand(picture) if since < 3 else picture,
        "mess grows": lambda picture, since: mess(picture, min(since + 1, 40), seed),
        "small mess": lambda picture, since: mess(picture, min(since // 2 + 1, 10), seed),
        "part gone": lambda picture, since: first,
        "camera moved": lambda picture, since: moved(picture),
        "camera covered": lambda picture, since: (picture * 0.05 + 8).astype(np.uint8),
    }


def emptydeck(files: list[Path], seed: int, speed: float) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
    """Each change in one print; ``speed`` in pictures per sequence (above 1: only what is normal)."""
    pictures = [picture_of(file) for file in files]
    for name, change in changes(pictures[0], seed).items():
        if speed > 1 and name != "normal":
            continue
        random, jpegs = np.random.default_rng(seed), []
        for frame in range(FRAMES):
            picture = live(pictures, 3 + speed * frame / FRAMES, random)
            jpegs.append(noisy(change(picture, frame - CHANGE_AT) if frame >= CHANGE_AT else picture, random))
        yield name, scores(embedded(jpegs))


def watched(printer: SimulatedPrinter, seconds: int) -> npt.NDArray[np.float64]:
    """z of every second of a simulated printer whose camera is never silent."""
    jpegs = [jpeg for at in range(seconds) if (jpeg := printer.jpeg_at(float(at))) is not None]
    return scores(embedded(jpegs))


def simulated(title: str, seeds: range) -> None:
    """Prints of 600 s, every other with overrides; a mess early and later; the demo's four printers."""
    print(f"\nsimulated printers, seeds {seeds.start} to {seeds.stop - 1} ({title})")
    normal = [watched(SimulatedPrinter("", seed, orders=() if seed % 2 else ORDERS), 600) for seed in seeds]
    print(f"  {'normal, 600 s':24s} highest z", *(f"{np.nanmax(z):5.1f}" for z in normal))
    for at in MESS_AT_S:
        messes = [Fault(kind=FaultKind.SPAGHETTI, at_s=at)]
        after = [watched(SimulatedPrinter("", seed, messes), at + 70)[at:] for seed in seeds]
        print(f"  {f'mess from {at} s':24s} told for good after", *(f"{lasting(z):3d}" for z in after), "s")
    farms = [demo_printers(4, 90, seed) for seed in seeds]
    for number, printers in enumerate(zip(*farms, strict=True), 1):
        peaks = [np.nanmax(watched(printer, 90)) for printer in printers]
        print(f"  {f'demo, printer-{number}':24s} highest z", *(f"{peak:5.1f}" for peak in peaks))


def lasting(z: npt.NDArray[np.float64]) -> int:
    """From which frame on every one is told; len(z) where the last is not."""
    untold = np.flatnonzero(~(z >= Z_HALF))
    return int(untold[-1]) + 1 if len(untold) else 0


def show(title: str, results: dict[str, list[npt.NDArray[np.float64]]]) -> None:
    print(f"\n{title}")
    for name, sequences in results.items():
        peaks = [
            np.nanmax(z) if name == "normal" else np.nanmax(z[CHANGE_AT : CHANGE_AT + WITHIN])
            for z in sequences
        ]
        told = [z[CHANGE_AT:] >= Z_HALF for z in sequences]
        delay = [int(np.argmax(above)) for above in told if above.any()]
        print(
            f"  {name:15s} {sum(p >= Z_HALF for p in peaks):3d} of {len(peaks):2d} told, highest z "
            f"{min(peaks):6.1f} / {np.median(peaks):6.1f} / {max(peaks):6.1f} (least / median / most)"
            + (f", delay {np.median(delay):.0f} frames" if delay and name != "normal" else "")
        )


def gathered(
    parts: Iterator[tuple[str, npt.NDArray[np.float64]]],
) -> dict[str, list[npt.NDArray[np.float64]]]:
    results = defaultdict(list)
    for name, z in parts:
        results[name].append(z)
    return results


def fixed_camera(files: dict[str, list[Path]]) -> None:
    """Real frames of one camera: normal series alone, then each followed by each failing series."""
    series = {
        name: embedded([p.read_bytes() for p in paths])
        for name, paths in files.items()
        if name.startswith("mdfix")
    }
    normal = {name: jpegs for name, jpegs in series.items() if "scratch" in name}
    print("\nmysticaldawn_fixedcam (eval): normal series alone")
    for name, jpegs in normal.items():
        z = scores(jpegs)[30:]
        print(f"  {name:20s} {len(z)} judged, highest z {z.max():6.1f}, told {(z >= Z_HALF).sum()}")
    print("mysticaldawn_fixedcam (eval): a whole normal series, then another series of that camera")
    for first, before in normal.items():
        for then, after in series.items():
            if then != first:
                z = scores(np.concatenate([before, after]))[len(before) :]
                delay = int(np.argmax(z >= Z_HALF)) if (z >= Z_HALF).any() else None
                print(f"  {first:16s} -> {then:20s} highest z {z.max():6.1f}, told after {delay} frames")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=data_dir())
    parser.add_argument("--prints", type=int, default=6, help="how many prints of each printer (default 6)")
    parser.add_argument("--eval", action="store_true", help="also what no constant was chosen on")
    asked = parser.parse_args()
    files = prints(asked.data)
    print(f"{VERSION}, told from z {Z_HALF}; sequences of {FRAMES} frames, change at {CHANGE_AT}")
    for printer, title in (("p1", "chosen on"), ("p2", "eval"))[: 1 + asked.eval]:
        names = [n for n in sorted(files) if n.startswith(f"emptydeck_{printer}_") and len(files[n]) == 10]
        for speed, pace in ((0.25, "1 frame/s"), (6.0, "about 1 frame every 25 s, played as 1/s")):
            parts = (
                part for i, n in enumerate(names[: asked.prints]) for part in emptydeck(files[n], i, speed)
            )
            show(f"emptydeck {printer} ({title}), {pace}", gathered(parts))
    simulated("chosen on", range(1, 5))
    if asked.eval:
        simulated("eval", range(5, 11))
        fixed_camera(files)


if __name__ == "__main__":
    main()
