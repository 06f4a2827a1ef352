"""Random changes of pictures that leave what they show as it is, for training. Pure: chance is an argument.

Pictures are tensors [n, 3, h, w] in 0..255, BGR, uint8 or float32 (which is faster), on any device, and come
back as they came, anew; every picture draws its own change. All chance comes from the numpy generator that is
given: the same state gives the same pictures. It is drawn on the CPU, so a GPU changes nothing of it.
"""

from __future__ import annotations

from features.augment.light import blur, noise, noise_some, recolour, relight, tint
from features.augment.mixing import cutmix, erase, mixup
from features.augment.places import close_up, crop, flip, quarter_turn
from features.augment.together import as_cameras_differ, for_surfaces

__all__ = [
    "as_cameras_differ",
    "blur",
    "close_up",
    "crop",
    "cutmix",
    "erase",
    "flip",
    "for_surfaces",
    "mixup",
    "noise",
    "noise_some",
    "quarter_turn",
    "recolour",
    "relight",
    "tint",
]
