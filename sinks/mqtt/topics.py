"""The names of all topics. Pure: a name always gives the same topic, whatever other printers there are.

<base>/<farm>/availability          online or offline (the last will)                        retained
<base>/<farm>/watch                 whether the watch is alive, and its stages               retained
<base>/<farm>/messages              what people are told, as JSON
<base>/<farm>/answer                an answer for the whole farm                             read
<base>/<farm>/<printer>/state       ok, failing or blind, and why                            retained
<base>/<farm>/<printer>/watched     whether it is watched                                    retained
<base>/<farm>/<printer>/picture     the picture of its last message, JPEG                    retained
<base>/<farm>/<printer>/answer      an answer for this printer                               read
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import NamedTuple

STEM = 48
"""Characters of a name that a changed slug keeps."""
MARK = 8
"""Hexadecimal digits at the end of a changed slug."""
_KEPT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MARKED = re.compile(rf".*-[0-9a-f]{{{MARK}}}")
_OTHER = re.compile(r"[^A-Za-z0-9_]+")


def slug(name: str) -> str:
    """A name as a level of a topic, and as a part of an id: letters, digits, "_" and "-", 1 to 64 of them.

    A name that is made of these stays as it is. Any other is written with them and marked with its hash, so
    that no two names share a slug; so is one that ends as if it were marked.
    """
    if _KEPT.fullmatch(name) and not _MARKED.fullmatch(name):
        return name
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    stem = _OTHER.sub("-", plain).strip("-")[:STEM] or "printer"
    encoded = name.encode("utf-8", "surrogatepass")
    return f"{stem}-{hashlib.blake2b(encoded, digest_size=MARK // 2).hexdigest()}"


def is_slug(level: str) -> bool:
    """Whether ``slug`` may have made it: a level may hold anything that others published."""
    return bool(_KEPT.fullmatch(level))


class Topics(NamedTuple):
    """The topics of one farm."""

    base: str
    farm: str  # a slug

    @property
    def root(self) -> str:
        return f"{self.base}/{self.farm}"

    @property
    def availability(self) -> str:
        return f"{self.root}/availability"

    @property
    def watch(self) -> str:
        return f"{self.root}/watch"

    @property
    def messages(self) -> str:
        return f"{self.root}/messages"

    @property
    def check(self) -> str:
        """Where a connection is tried: nothing stays there."""
        return f"{self.root}/check"

    @property
    def answers(self) -> tuple[str, str]:
        """Filters of what may be answered."""
        return f"{self.root}/answer", f"{self.root}/+/answer"

    @property
    def all_states(self) -> str:
        """The filter of all printers' states."""
        return f"{self.root}/+/state"

    def answer(self, printer_slug: str | None = None) -> str:
        return f"{self.root}/{printer_slug}/answer" if printer_slug else f"{self.root}/answer"

    def state(self, printer_slug: str) -> str:
        return f"{self.root}/{printer_slug}/state"

    def watched(self, printer_slug: str) -> str:
        return f"{self.root}/{printer_slug}/watched"

    def picture(self, printer_slug: str) -> str:
        return f"{self.root}/{printer_slug}/picture"

    def printer_of(self, topic: str) -> str | None:
        """The slug of the printer that a topic belongs to, None for one of the whole farm."""
        levels = topic.removeprefix(f"{self.root}/").split("/")
        return levels[0] if len(levels) > 1 else None
