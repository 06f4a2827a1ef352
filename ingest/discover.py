"""What is there to be watched: cameras and serial ports of this machine, print services of this network."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from zeroconf import DNSQuestionType, InterfaceChoice, IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from ingest.cameras.v4l2 import list_devices
from ingest.telemetry.wire.listing import list_ports

SERVICES = {
    "_octoprint._tcp.local.": ("octoprint", "#key=KEY"),
    "_moonraker._tcp.local.": ("moonraker", ""),
    "_prusalink._tcp.local.": ("prusalink", "#key=KEY"),
}
"""mDNS service types, each with its kind of source and the options that it needs. OctoPrint: its Discovery
plugin; Moonraker: ``[zeroconf]``; PrusaLink: its own announcement."""

LISTEN_S = 3.0
"""How long services may take to answer: they do so within a second, some Wi-Fi bridges within two."""
ASK_MS = 2000


class Found(NamedTuple):
    """Something that a farm file can name: ``key`` = "camera" or "telemetry", and its ``address``."""

    key: str
    name: str
    address: str

    @property
    def line(self) -> str:
        """The line of a farm file, ready to paste."""
        return f'{self.key} = "{self.address}"'


def devices() -> list[Found]:
    """V4L2 cameras and serial ports of this machine, by names that outlast a reboot where there are any."""
    cameras = [Found("camera", one.name, f"v4l2:{one.by_id or one.path}") for one in list_devices()]
    ports = [Found("telemetry", one.name, f"serial:{one.by_id or one.path}") for one in list_ports()]
    return [*cameras, *ports]


async def services(listen_s: float = LISTEN_S, interfaces: Sequence[str] = ()) -> list[Found]:
    """Print services that answer by mDNS within ``listen_s``, on all or some of our own addresses."""
    seen: dict[str, str] = {}

    def note(*, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is not ServiceStateChange.Removed:
            seen[name] = service_type

    chosen = list(interfaces) or InterfaceChoice.All
    async with AsyncZeroconf(chosen, ip_version=IPVersion.V4Only) as mdns:
        # Answers to all: one that goes to us alone may reach another program at the same port, such as Avahi.
        browser = AsyncServiceBrowser(
            mdns.zeroconf, list(SERVICES), handlers=[note], question_type=DNSQuestionType.QM
        )
        await asyncio.sleep(listen_s)
        await browser.async_cancel()
        infos = [AsyncServiceInfo(service_type, name) for name, service_type in seen.items()]
        answers = await asyncio.gather(
            *(info.async_request(mdns.zeroconf, ASK_MS, DNSQuestionType.QM) for info in infos)
        )
    return sorted(_service(info) for info, answered in zip(infos, answers, strict=True) if answered)


def _service(info: AsyncServiceInfo) -> Found:
    kind, options = SERVICES[info.type]
    host = (info.parsed_addresses(IPVersion.V4Only) or [(info.server or "").rstrip(".")])[0]
    port = "" if info.port in (None, 80) else f":{info.port}"
    name = info.name.removesuffix(f".{info.type}")
    return Found("telemetry", name, f"{kind}:http://{host}{port}{options}")
