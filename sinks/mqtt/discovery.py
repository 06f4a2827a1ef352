"""What Home Assistant is told, so that every printer appears there as a device by itself. Pure.

A retained message per entity, ``<discovery>/<component>/<device>/<entity>/config``: Home Assistant took these
long before it took one message per device (2024.11), and takes them still.
https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from sinks.anomaly_text import plain
from sinks.message import Word
from sinks.mqtt.topics import Topics, slug

STATE_LENGTH = 255
"""Home Assistant takes no longer state."""
_WATCHED = "{{ 'online' if value_json.watched else 'offline' }}"
_KIND = "{{ (value_json.kind or 'none') | replace('_', ' ') }}"


class Entity(NamedTuple):
    """One entity of a device; ``fields`` are what it has of its own, without its topics' names."""

    component: str  # of Home Assistant
    id: str
    name: str
    icon: str
    fields: Mapping[str, Any]
    topic: str = ""  # the printer's topic that it shows: state, watched or picture
    needs_watch: bool = False  # it says nothing while the printer is not watched


def _is(condition: str) -> str:
    """A template that is ON while ``condition`` holds."""
    return f"{{{{ 'ON' if {condition} else 'OFF' }}}}"


def _press(word: Word, minutes: int | None = None) -> dict[str, Any]:
    said: dict[str, Any] = {"word": word.value, "by": "Home Assistant"}
    if minutes is not None:
        said["minutes"] = minutes
    return {"payload_press": msgspec.json.encode(said).decode(), "qos": 1}


def _state(template: str, **fields: Any) -> dict[str, Any]:
    return {"value_template": template, **fields}


ENTITIES = (
    Entity(
        "binary_sensor", "problem", "Print problem", "mdi:printer-3d-nozzle-alert",
        _state(_is("value_json.state == 'failing'"), device_class="problem"), "state", True,
    ),
    Entity(
        "binary_sensor", "blind", "Watch impaired", "mdi:eye-off",
        _state(_is("value_json.state == 'blind'"), device_class="problem", entity_category="diagnostic"),
        "state", True,
    ),
    Entity("sensor", "kind", "Failure", "mdi:printer-3d", _state(_KIND), "state", True),
    Entity(
        "sensor", "why", "Why", "mdi:text",
        _state(f"{{{{ (value_json.text or 'nothing found')[:{STATE_LENGTH}] }}}}"), "state", True,
    ),
    Entity(
        "sensor", "since", "Failing since", "mdi:clock-alert-outline",
        _state("{{ value_json.since }}", device_class="timestamp"), "state", True,
    ),
    Entity(
        "binary_sensor", "watched", "Watched", "mdi:eye",
        _state(_is("value_json.watched"), device_class="connectivity", entity_category="diagnostic"),
        "watched",
    ),
    Entity("image", "picture", "Picture", "mdi:image", {"content_type": "image/jpeg"}, "picture"),
    Entity("button", "fine", "This print is fine", "mdi:check", _press(Word.FINE)),
    Entity("button", "seen", "Seen", "mdi:account-eye", _press(Word.SEEN)),
    Entity("button", "snooze", "Snooze 1 h", "mdi:bell-sleep", _press(Word.SNOOZE, 60)),
    Entity("button", "wake", "End the snooze", "mdi:bell-ring", _press(Word.WAKE)),
)  # fmt: skip
"""Of every printer. There is no button to pause: nobody but ``ingest`` talks to a printer."""

FARM_ENTITIES = (
    Entity("binary_sensor", "watch", "Watch", "mdi:shield-check",
           _state(_is("value_json.alive"), device_class="running"), "watch"),
    Entity("button", "snooze", "Snooze all 1 h", "mdi:bell-sleep", _press(Word.SNOOZE, 60)),
    Entity("button", "wake", "End all snoozes", "mdi:bell-ring", _press(Word.WAKE)),
)  # fmt: skip
"""Of the farm as a whole."""


def printer_configs(discovery: str, topics: Topics, printer: str, version: str) -> dict[str, bytes]:
    """Topic → config of every entity of a printer."""
    name = slug(printer)
    device = {
        "identifiers": [_device_id(topics, name)],
        "name": plain(printer) or name,
        "manufacturer": "Nozzlewatch",
        "model": "3D printer",
        "via_device": _device_id(topics),
    }
    return {
        config_topic(discovery, topics, entity, name): _config(topics, entity, device, version, name)
        for entity in ENTITIES
    }


def farm_configs(discovery: str, topics: Topics, farm: str, version: str) -> dict[str, bytes]:
    """Topic → config of every entity of the farm."""
    device = {
        "identifiers": [_device_id(topics)],
        "name": f"Nozzlewatch {plain(farm)}".strip(),
        "manufacturer": "Nozzlewatch",
        "model": "3D print farm",
        "sw_version": version,
    }
    return {
        config_topic(discovery, topics, entity): _config(topics, entity, device, version)
        for entity in FARM_ENTITIES
    }


def config_topics(discovery: str, topics: Topics, printer_slug: str) -> list[str]:
    """The topics that a printer's configs stand in: an empty message there takes the entity away."""
    return [config_topic(discovery, topics, entity, printer_slug) for entity in ENTITIES]


def config_topic(discovery: str, topics: Topics, entity: Entity, printer_slug: str | None = None) -> str:
    return f"{discovery}/{entity.component}/{_device_id(topics, printer_slug)}/{entity.id}/config"


def _config(
    topics: Topics, entity: Entity, device: Mapping[str, Any], version: str, printer_slug: str | None = None
) -> bytes:
    told = {
        "name": entity.name,
        "unique_id": f"{_device_id(topics, printer_slug)}_{entity.id}",
        "icon": entity.icon,
        "availability": _availability(topics, entity, printer_slug),
        "availability_mode": "all",
        "device": device,
        "origin": {"name": "Nozzlewatch", "sw_version": version},
        **entity.fields,
        **_shown(topics, entity, printer_slug),
    }
    return msgspec.json.encode(told)


def _availability(topics: Topics, entity: Entity, printer_slug: str | None) -> list[dict[str, str]]:
    needed = [{"topic": topics.availability}]
    if entity.needs_watch and printer_slug:
        needed.append({"topic": topics.watched(printer_slug), "value_template": _WATCHED})
    return needed


def _shown(topics: Topics, entity: Entity, printer_slug: str | None) -> dict[str, str]:
    """The topics that an entity reads or writes."""
    if entity.component == "button":
        return {"command_topic": topics.answer(printer_slug)}
    topic = f"{topics.root}/{printer_slug}/{entity.topic}" if printer_slug else topics.watch
    if entity.component == "image":
        return {"image_topic": topic}
    return {"state_topic": topic, "json_attributes_topic": topic}


def _device_id(topics: Topics, printer_slug: str | None = None) -> str:
    """Unique over all farms at all brokers that Home Assistant sees, letters, digits, "_" and "-" alone."""
    parts = (topics.base, topics.farm, *filter(None, (printer_slug,)))
    return slug("\n".join(parts))  # the base may have several levels, none holds a line's end
