"""Judges the part when its print has ended: fetches pictures, sums up what the surface network says."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import redis
from msgspec import Struct

from detector import finished
from detector.anomaly import InspectedPicture, Inspection
from detector.finished import Due, Finish
from detector.settings import DetectorSettings
from detector.surface.inspect import NONE_OF_THESE, Finding, Inspector
from detector.surface.model_file import load_model
from features.frame import masked
from features.picture import WHOLE, Picture, View
from features.stills import decode_still
from ingest.errors import SourceError
from ingest.records import FrameRef, Window
from ingest.stream import frame_key, shard_of
from ingest.writer import read_frames

log = logging.getLogger("nozzlewatch.detector")

NO_PICTURE = "surface: not judged, the print has left no clear picture"
PICTURES_GONE = "surface: not judged, the frame store had let the print's last pictures go"
FAILED = "surface: not judged, the network failed: the detector's log says how"


class Plan(Struct, frozen=True, kw_only=True):
    """How finished parts are judged on a farm."""

    model: str  # what judges: the network's type and the mark of its file
    shards: int
    pictures: int  # how many of a print's last clear ones
    sound: tuple[str, ...]  # classes that are no defect
    views: Mapping[str, View] = MappingProxyType({})  # how a printer's own pictures are to be read
    awaited: Collection[str] = ()  # printers that have a surface camera


class PartInspector:
    """A surface network with what it is to look at. One thread at a time."""

    def __init__(self, inspector: Inspector, plan: Plan) -> None:
        self._inspector, self._plan = inspector, plan

    def follow(
        self, frames: redis.Redis, state: Finish | None, window: Window, *, clear: bool
    ) -> tuple[Finish | None, list[Inspection]]:
        """Fold a window into the print's state, see ``detector.finished``, and judge the part that is due.

        Raises StoreUnreachable; then nothing has happened yet.
        """
        awaited = window.printer in self._plan.awaited
        state, due = finished.follow(state, window, clear=clear, most=self._plan.pictures, awaited=awaited)
        return state, [self._inspected(frames, window.printer, one) for one in due]

    def _inspected(self, frames: redis.Redis, printer: str, due: Due) -> Inspection:
        pictures = self._pictures(frames, printer, due.pictures)
        why_not = PICTURES_GONE if due.pictures else NO_PICTURE
        try:
            findings = self._inspector.inspect(list(pictures.values()))
        except Exception:  # the print is over anyway, and the watch over the others has to go on
            log.exception("%s: the surface network failed", printer)
            findings, why_not = [], FAILED
        verdict = summed_up(findings)
        return Inspection(
            printer=printer,
            job=due.job,
            at_ns=due.at_ns,
            verdict=verdict.label,
            sound=verdict.label in self._plan.sound,
            probability=verdict.probability,
            pictures=tuple(map(_told, pictures, findings)),
            text=verdict.text if findings else why_not,
            model=self._plan.model,
        )

    def _pictures(
        self, frames: redis.Redis, printer: str, refs: Sequence[FrameRef]
    ) -> dict[FrameRef, Picture]:
        """What is to be judged of each picture that is still there and can be read."""
        shard = shard_of(printer, self._plan.shards)
        jpegs = read_frames(frames, [frame_key(shard, printer, ref.captured_ns) for ref in refs])
        read = {ref: self._decoded(printer, ref, jpeg) for ref, jpeg in zip(refs, jpegs, strict=True)}
        return {ref: picture for ref, picture in read.items() if picture is not None}

    def _decoded(self, printer: str, ref: FrameRef, jpeg: bytes | None) -> Picture | None:
        """A picture at its full size, as its printer's are to be read; None where there is none."""
        if jpeg is None:
            return None
        try:
            picture = decode_still(jpeg, f"{printer}: {ref.camera}")
        except SourceError as error:
            log.warning("%s", error)
            return None
        view = WHOLE if ref.of_surface else self._plan.views.get(printer, WHOLE)
        return masked(np.ascontiguousarray(view.cut(picture)), view)


class Verdict(NamedTuple):
    """What several pictures of one part say together."""

    label: str  # a class, NONE_OF_THESE, or "" where there is no picture
    probability: float | None  # of the class
    agreeing: int  # pictures that say it by themselves
    pictures: int

    @property
    def text(self) -> str:
        """In words: "surface: stringing 93 % (2 of 3 pictures)"."""
        sure = "" if self.probability is None else f" {self.probability * 100:.0f} %"
        plural = "" if self.pictures == 1 else "s"
        return f"surface: {self.label}{sure} ({self.agreeing} of {self.pictures} picture{plural})"


def summed_up(findings: Sequence[Finding]) -> Verdict:
    """One verdict of all pictures: the most probable class in the mean of those that show one.

    Where most of them show none of the classes, that is the verdict.
    """
    known = [finding for finding in findings if finding.label is not None]
    if len(known) < len(findings) / 2 or not known:
        label = NONE_OF_THESE if findings else ""
        return Verdict(label, None, len(findings) - len(known), len(findings))
    means = {name: _mean(known, name) for name in known[0].probabilities}
    label = max(means, key=means.__getitem__)
    return Verdict(label, means[label], sum(finding.label == label for finding in known), len(findings))


def open_inspector(settings: DetectorSettings) -> PartInspector | None:
    """What judges a farm's finished parts, None where the farm file names no model for it.

    Raises UsageError for a file that is none of ``nozzlewatch surface train``.
    """
    path = settings.surface_model
    if path is None:
        return None
    model = load_model(path)
    plan = Plan(
        model=f"{model.about.model_type} {hashlib.blake2b(path.read_bytes(), digest_size=4).hexdigest()}",
        shards=settings.farm.table.shards,
        pictures=settings.surface.pictures,
        sound=tuple(settings.surface.sound) or model.about.sound,
        views=settings.views,
        awaited={printer.name for printer in settings.farm.printers if printer.surface_camera},
    )
    return PartInspector(Inspector(model, threads=settings.table.threads), plan)


def _mean(findings: Sequence[Finding], name: str) -> float:
    return float(np.mean([finding.probabilities[name] for finding in findings]))


def _told(ref: FrameRef, finding: Finding) -> InspectedPicture:
    return InspectedPicture(
        frame=ref,
        label=finding.label,
        nearest=finding.nearest,
        probability=finding.probability,
        unlikeness=finding.unlikeness,
    )
