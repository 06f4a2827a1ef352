"""Pictures are drawn once, as soon as their frames are at hand, and never fill the memory."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ingest.store import Stores
from sinks import pictures
from sinks.pictures import Pictures, picture_key
from tests.sinks.messages import make_message

JPEG = cv2.imencode(".jpg", np.full((240, 320, 3), 128, np.uint8))[1].tobytes()


def test_what_is_at_hand_is_drawn_without_the_store(stores: Stores) -> None:
    message, drawing = make_message(), Pictures()
    drawing.offer([message], {picture_key(message): JPEG})
    drawn = drawing.of(stores.events, message)
    assert drawn is not None
    assert drawn != JPEG


def test_what_is_too_much_to_hold_is_fetched_later(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "AT_HAND_BYTES", len(JPEG) - 1)
    message, drawing = make_message(), Pictures()
    drawing.offer([message], {picture_key(message): JPEG})
    stores.events.set(picture_key(message), JPEG)
    drawn = drawing.of(stores.events, message)
    assert drawn is not None


def test_room_that_was_taken_is_given_back(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "AT_HAND_BYTES", len(JPEG))
    drawing = Pictures()
    for number in range(3):
        message = make_message(id=f"m{number}")
        drawing.offer([message], {picture_key(message): JPEG})
        assert drawing.of(stores.events, message) is not None, "nothing lies in the store"


def test_what_was_drawn_is_not_drawn_again(stores: Stores) -> None:
    message, drawing = make_message(), Pictures()
    drawing.offer([message], {picture_key(message): JPEG})
    first = drawing.of(stores.events, message)
    drawing.offer([message], {picture_key(message): JPEG})
    drawing.begin(stores.events, [message])
    assert drawing.of(stores.events, message) is first
