"""Run by the Python of Home Assistant's own environment: does it take these discovery messages?

Reads a JSON object of topic → payload from standard input, and writes one of topic → complaint: empty where
Home Assistant's own topic pattern, abbreviations and schemas take everything, and know every key.
"""

from __future__ import annotations

import importlib
import json
import sys

import voluptuous as vol
from homeassistant.components.mqtt.abbreviations import ABBREVIATIONS
from homeassistant.components.mqtt.discovery import (
    MQTT_ORIGIN_INFO_SCHEMA,
    SUPPORTED_COMPONENTS,
    TOPIC_MATCHER,
)

PREFIX = "homeassistant/"


def complaint(topic: str, payload: str) -> str:
    """Why Home Assistant would not make an entity of it; empty where it would."""
    match = TOPIC_MATCHER.fullmatch(topic.removeprefix(PREFIX))
    if not topic.startswith(PREFIX) or match is None:
        return "the topic is no discovery topic"
    component = match["component"]
    if component not in SUPPORTED_COMPONENTS:
        return f"{component} is no supported component"
    told = json.loads(payload)
    if set(told) & set(ABBREVIATIONS) - set(ABBREVIATIONS.values()):
        return "abbreviated: this program does not write them out"
    schema = importlib.import_module(f"homeassistant.components.mqtt.{component}").DISCOVERY_SCHEMA
    try:
        MQTT_ORIGIN_INFO_SCHEMA(told["origin"])
        taken = schema(told)
    except vol.Invalid as error:
        return str(error)
    # The schema takes unknown keys away without a word.
    return f"unknown keys: {sorted(set(told) - set(taken))}" if set(told) - set(taken) else ""


found = {topic: complaint(topic, payload) for topic, payload in json.load(sys.stdin).items()}
json.dump({topic: why for topic, why in found.items() if why}, sys.stdout)
