"""A protocol fake of a Bambu Lab printer, written from its public documentation (mqtt.md of OpenBambuAPI).

It stands for the MQTT client inside a printer: it publishes reports to the broker and answers requests. As a
P1 or an A1 does, it reports what has changed, and everything only when it is asked to.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt

Fields = dict[str, Any]

IDLE: Fields = {
    "nozzle_temper": 24.5,
    "nozzle_target_temper": 0,
    "bed_temper": 23.75,
    "bed_target_temper": "0",
    "chamber_temper": 5,
    "cooling_fan_speed": "0",
    "spd_mag": 100,
    "spd_lvl": 2,
    "layer_num": 0,
    "total_layer_num": 0,
    "mc_percent": 0,
    "gcode_state": "IDLE",
    "gcode_file": "",
    "subtask_name": "",
    "print_error": 0,
    "hms": [],
    "wifi_signal": "-45dBm",
    "ams": {"ams": [], "tray_now": "255"},
}
AFTER = {"pause": "PAUSE", "resume": "RUNNING", "stop": "FAILED"}
UNVERIFIED_ERR_CODE = 84033543
"""What firmware answers that takes commands of the maker's programs alone."""


class FakeBambu:
    """A printer at a broker. ``answers`` False: it takes requests and says nothing."""

    def __init__(self, client: aiomqtt.Client, serial: str) -> None:
        self.answers = True
        self.locked = False  # True: refuses commands, as firmware of 2025 does outside of developer mode
        self.requests: list[Fields] = []
        self.state = dict(IDLE)
        self._client, self._serial = client, serial

    async def report(self, **changed: Any) -> None:
        """A delta, as it goes out by itself."""
        self.state |= changed
        await self._say({"print": {**changed, "command": "push_status", "msg": 1, "sequence_id": "7"}})

    async def say(self, payload: bytes) -> None:
        """Anything at all on the report topic."""
        await self._client.publish(f"device/{self._serial}/report", payload)

    async def serve(self) -> None:
        """Answer requests for ever."""
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            ((kind, request),) = json.loads(message.payload).items()
            self.requests.append(request)
            if self.answers:
                await self._answer(kind, request)

    async def _answer(self, kind: str, request: Fields) -> None:
        command = request["command"]
        if command == "pushall":
            await self._say({"print": {**self.state, "command": "push_status", "msg": 0}})
        elif command == "get_version":
            ota = {"name": "ota", "sw_ver": "01.08.02.00", "sn": "", "hw_ver": ""}
            await self._say({kind: {**request, "module": [{"name": "mc", "sw_ver": "00.00.10.48"}, ota]}})
        elif self.locked:
            await self._say({kind: {"command": command, "err_code": UNVERIFIED_ERR_CODE}})
        elif command in AFTER:
            await self._say({kind: {**request, "result": "SUCCESS", "reason": ""}})
            await self.report(gcode_state=self.state["gcode_state"])  # on its way before the command came
            await self.report(gcode_state=AFTER[command])

    async def _say(self, report: Fields) -> None:
        await self.say(json.dumps(report).encode())


@asynccontextmanager
async def fake_bambu(port: int, serial: str, code: str) -> AsyncIterator[FakeBambu]:
    """A printer that is on, at the broker of this port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with aiomqtt.Client(
        "127.0.0.1", port, username="bblp", password=code, tls_context=context
    ) as client:
        await client.subscribe(f"device/{serial}/request")
        printer = FakeBambu(client, serial)
        serving = asyncio.create_task(printer.serve())
        try:
            yield printer
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
