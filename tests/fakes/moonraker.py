"""A protocol fake of Moonraker with Klipper behind it, written from Moonraker's public documentation.

Pages: "Introduction" (Primary websocket, Websocket setup), "Server Administration" (Identify Connection,
Query Server Info), "Authorization and Authentication", "Printer Administration", "JSON-RPC notifications",
"Printer Objects". The test is the printer: it says what has changed.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from tests.fakes.serving import Serving

Objects = dict[str, dict[str, Any]]

UNAUTHORIZED, BAD_REQUEST, UNAVAILABLE, NO_METHOD = 401, 400, 503, -32601
BOOTED_S = 578243.5
"""Klipper's clock when the fake begins: the time since its host booted, far from UTC."""
AFTER = {"pause": "paused", "resume": "printing", "cancel": "cancelled"}

READY: Objects = {
    "webhooks": {"state": "ready", "state_message": "Printer is ready"},
    "toolhead": {"extruder": "extruder", "homed_axes": "xyz"},
    "extruder": {"temperature": 24.5, "target": 0.0, "power": 0.0, "can_extrude": False},
    "heater_bed": {"temperature": 23.75, "target": 0.0, "power": 0.0},
    "temperature_sensor chamber": {"temperature": 22.0},
    "temperature_sensor raspberry_pi": {"temperature": 55.0},
    "fan": {"speed": 0.0, "rpm": None},
    "gcode_move": {"speed_factor": 1.0, "extrude_factor": 1.0, "gcode_position": [1.0, 2.0, 3.0, 4.0]},
    "motion_report": {
        "live_position": [0.0, 0.0, 0.0, 0.0],
        "live_velocity": 0.0,
        "live_extruder_velocity": 0.0,
    },
    "print_stats": {
        "state": "standby",
        "filename": "",
        "message": "",
        "total_duration": 0.0,
        "info": {"total_layer": None, "current_layer": None},
    },
    "virtual_sdcard": {"progress": 0.0, "is_active": False},
    "display_status": {"progress": 0.0, "message": None},
    "pause_resume": {"is_paused": False},
    "mcu": {"last_stats": {"bytes_retransmit": 9, "bytes_invalid": 0}},
    "filament_switch_sensor runout": {"filament_detected": True, "enabled": True},
}


class FakeMoonraker(Serving):
    """``key``: the API key that is asked for, "" for a server that trusts everyone.

    ``said`` are the requests so far, (method, params). ``obeys`` False: commands are answered "ok" and not
    carried out; ``refusal``: they are answered with this error. ``silent``: nothing is answered, not even a
    ping.
    """

    def __init__(self, key: str = "") -> None:
        super().__init__()
        self.key, self.klippy, self.message = key, "ready", "Printer is ready"
        self.objects: Objects = msgspec.json.decode(msgspec.json.encode(READY))
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.obeys, self.refusal, self.silent = True, "", False
        self._sockets: dict[web.WebSocketResponse, _Client] = {}

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/websocket", self._serve)
        application.router.add_get("/moved/websocket", self._redirect)
        return application

    async def stop(self) -> None:
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY)
        await super().stop()

    @property
    def subscribers(self) -> int:
        return sum(client.wants is not None for client in self._sockets.values())

    def methods(self) -> list[str]:
        return [method for method, _ in self.said]

    def eventtime(self) -> float:
        return BOOTED_S + asyncio.get_running_loop().time()

    async def change(self, eventtime: float | None = None, **changes: dict[str, Any]) -> None:
        """Something changes, as Klipper tells it every 250 ms; ``__`` in a name stands for its blank."""
        objects = {name.replace("__", " "): fields for name, fields in changes.items()}
        for name, fields in objects.items():
            self.objects.setdefault(name, {}).update(fields)
        for socket, client in list(self._sockets.items()):
            if (status := client.part(objects)) and not self.silent:
                stamp = self.eventtime() if eventtime is None else eventtime
                await self._notify(socket, "notify_status_update", [status, stamp])

    async def prints(self, filename: str, **stats: Any) -> None:
        """A print begins."""
        await self.change(
            print_stats={"state": "printing", "filename": filename, "total_duration": 0.5, **stats}
        )

    async def says(self, line: str) -> None:
        """A line on Klipper's terminal."""
        await self.broadcast("notify_gcode_response", [line])

    async def shuts_down(self, message: str) -> None:
        self.klippy, self.message = "shutdown", message
        await self.broadcast("notify_klippy_shutdown")
        await self.change(webhooks={"state": "shutdown", "state_message": message})

    async def klippy_leaves(self) -> None:
        """Klipper restarts: it forgets who subscribed."""
        self.klippy = "disconnected"
        for client in self._sockets.values():
            client.wants = None
        await self.broadcast("notify_klippy_disconnected")

    async def klippy_is_ready(self) -> None:
        self.klippy, self.message = "ready", "Printer is ready"
        self.objects["webhooks"] = {"state": "ready", "state_message": self.message}
        await self.broadcast("notify_klippy_ready")

    async def broadcast(self, method: str, params: list[Any] | None = None) -> None:
        for socket, client in list(self._sockets.items()):
            if client.trusted:
                await self._notify(socket, method, params)

    async def send_raw(self, text: str) -> None:
        for socket in list(self._sockets):
            await socket.send_str(text)

    async def _notify(self, socket: web.WebSocketResponse, method: str, params: list[Any] | None) -> None:
        message = {"jsonrpc": "2.0", "method": method} | ({"params": params} if params else {})
        await socket.send_json(message)

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        client = self._sockets[socket] = _Client(trusted=not self.key)
        try:
            async for message in socket:
                if self.silent:
                    continue
                if message.type is WSMsgType.PING:
                    await socket.pong(message.data)
                elif message.type is WSMsgType.TEXT:
                    await self._answer(socket, client, msgspec.json.decode(message.data))
        finally:
            del self._sockets[socket]
        return socket

    async def _redirect(self, _: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect("/websocket")

    async def _answer(self, socket: web.WebSocketResponse, client: _Client, request: dict[str, Any]) -> None:
        assert request["jsonrpc"] == "2.0"
        method, params = request["method"], request.get("params", {})
        self.said.append((method, params))
        try:
            answer = {"result": self._result(client, method, params)}
        except _RpcError as error:
            answer = {"error": {"code": error.code, "message": str(error)}}
        await socket.send_json({"jsonrpc": "2.0", "id": request["id"], **answer})
        if method.startswith("printer.print.") and "result" in answer and self.obeys:
            await self.change(print_stats={"state": AFTER[method.rpartition(".")[2]]})

    def _result(self, client: _Client, method: str, params: dict[str, Any]) -> Any:
        if method == "server.connection.identify":
            return self._identify(client, params)
        if not client.trusted:
            raise _RpcError(UNAUTHORIZED, "Unauthorized")
        if method == "server.info":
            connected = self.klippy != "disconnected"
            return {
                "klippy_connected": connected,
                "klippy_state": self.klippy,
                "moonraker_version": "v0.9.3-0-g1",
            }
        if not method.startswith("printer."):
            raise _RpcError(NO_METHOD, "Method not found")
        if self.klippy == "disconnected":
            raise _RpcError(UNAVAILABLE, "Klippy Host not connected")
        return self._klippers(client, method, params)

    def _identify(self, client: _Client, params: dict[str, Any]) -> dict[str, int]:
        for name in ("client_name", "version", "type", "url"):
            if not isinstance(params.get(name), str):
                raise _RpcError(BAD_REQUEST, f"No data for argument: {name}")
        if client.identified:
            raise _RpcError(BAD_REQUEST, "Connection already identified")
        if not client.trusted and params.get("api_key") != self.key:
            raise _RpcError(UNAUTHORIZED, "Unauthorized")
        client.trusted = client.identified = True
        return {"connection_id": id(client)}

    def _klippers(self, client: _Client, method: str, params: dict[str, Any]) -> Any:
        match method:
            case "printer.info":
                about = {"hostname": "pi", "software_version": "v0.13.0-1-g2"}
                return {"state": self.klippy, "state_message": self.message, **about}
            case "printer.objects.list":
                return {"objects": ["gcode", "configfile", *self.objects]}
            case "printer.objects.subscribe":
                client.wants = params["objects"]
                return {"eventtime": self.eventtime(), "status": client.part(self.objects)}
            case "printer.print.pause" | "printer.print.resume" | "printer.print.cancel":
                if self.refusal:
                    raise _RpcError(BAD_REQUEST, self.refusal)
                return "ok"
        raise _RpcError(NO_METHOD, "Method not found")


class _Client:
    """One connection: what it may do and what it subscribed to."""

    def __init__(self, trusted: bool) -> None:
        self.trusted, self.identified = trusted, False
        self.wants: dict[str, list[str] | None] | None = None

    def part(self, objects: Objects) -> Objects:
        """The part of an update that was subscribed to; fields None: all of them."""
        found: Objects = {}
        for name, wanted in (self.wants or {}).items():
            fields = objects.get(name, {})
            chosen = {field: fields[field] for field in fields if wanted is None or field in wanted}
            found |= {name: chosen} if chosen else {}
        return found


class _RpcError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
