"""A protocol fake of PrusaLink, written from its public OpenAPI description.

That is ``spec/openapi.yaml`` of Prusa-Link-Web (1.0.0-draft): its paths, the schemas Version, Info,
StatusPrinter, StatusJob and Job, and its digest login.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import Any

from aiohttp import web

from tests.fakes.serving import Serving

REALM, NONCE, USER = "Printer API", "dcd98b7102dd2f0e", "maker"
PAIR = re.compile(r'(\w+)=(?:"([^"]*)"|([^",\s]+))')
IDLE: dict[str, Any] = {
    "state": "IDLE",
    "temp_nozzle": 24.5,
    "target_nozzle": 0.0,
    "temp_bed": 23.5,
    "target_bed": 0.0,
    "axis_x": 1.0,
    "axis_y": 2.0,
    "axis_z": 3.0,
    "flow": 100,
    "speed": 100,
    "fan_hotend": 0,
    "fan_print": 0,
    "status_printer": {"ok": True, "message": "OK"},
}


class FakePrusaLink(Serving):
    """A printer that the test scripts: ``printer`` and ``job`` are what its status holds.

    ``key`` and ``password`` are those it lets in with, "" for none at all. ``status``: this HTTP status
    instead of an answer, with ``headers``; ``body``: these bytes. ``obeys`` False: commands are
    answered 204 and not carried out. ``silent``: nothing is answered any more.
    """

    def __init__(self, key: str = "", password: str = "") -> None:
        super().__init__()
        self.key, self.password = key, password
        self.printer, self.job, self.file = dict(IDLE), dict[str, Any](), dict[str, Any]()
        self.status, self.headers, self.body = 0, dict[str, str](), b""
        self.obeys, self.silent = True, False
        self.said: list[str] = []  # what was asked, "METHOD path"
        self.slow_s = 0.0  # how long an answer takes
        self.most_at_once = self.at_once = 0  # requests under way

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._gate])
        get = application.router.add_get
        get("/api/version", self._version)
        get("/api/v1/info", self._info)
        get("/api/v1/status", self._status)
        get("/api/v1/job", self._job)
        application.router.add_put("/api/v1/job/{id}/pause", self._pause)
        application.router.add_put("/api/v1/job/{id}/resume", self._resume)
        application.router.add_delete("/api/v1/job/{id}", self._stop)
        return application

    def prints(self, name: str, number: int = 420) -> None:
        self.printer |= {"state": "PRINTING", "temp_nozzle": 214.9, "target_nozzle": 215.0}
        self.job = {"id": number, "progress": 0.0, "time_printing": 1}
        self.file = {"name": "SHORT~1.GCO", "display_name": name, "path": "/usb", "m_timestamp": 1648042843}

    @web.middleware
    async def _gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Everything that comes before the answer itself."""
        self.said.append(f"{request.method} {request.path}")
        while self.silent:
            await asyncio.sleep(0.01)
        if not self._lets_in(request):
            challenge = f'Digest realm="{REALM}", nonce="{NONCE}", qop="auth", algorithm=MD5'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        if self.status or self.body:
            return web.Response(status=self.status or 200, headers=self.headers, body=self.body)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.slow_s)
            answer: web.StreamResponse = await handler(request)
            return answer
        finally:
            self.at_once -= 1

    def _lets_in(self, request: web.Request) -> bool:
        if not self.key and not self.password:
            return True
        if self.key and request.headers.get("X-Api-Key") == self.key:
            return True
        fields = {
            name: quoted or bare
            for name, quoted, bare in PAIR.findall(request.headers.get("Authorization", ""))
        }
        return bool(self.password) and fields.get("response") == self._digest(request, fields)

    def _digest(self, request: web.Request, fields: dict[str, str]) -> str:
        """What RFC 7616 expects of someone who knows the password."""
        who = _md5(f"{USER}:{REALM}:{self.password}")
        what = _md5(f"{request.method}:{request.path}")
        return _md5(f"{who}:{NONCE}:{fields.get('nc')}:{fields.get('cnonce')}:{fields.get('qop')}:{what}")

    async def _version(self, _: web.Request) -> web.Response:
        about = {"api": "2.0.0", "version": "0.7.0", "printer": "1.3.1", "text": "PrusaLink 0.7.0"}
        return web.json_response(about | {"firmware": "3.10.1-4697"})

    async def _info(self, _: web.Request) -> web.Response:
        return web.json_response({"name": "MuadDib", "nozzle_diameter": 0.4, "hostname": "prusa-mk3.lan"})

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response({"printer": self.printer} | ({"job": self.job} if self.job else {}))

    async def _job(self, _: web.Request) -> web.Response:
        if not self.job:
            return web.Response(status=204)
        return web.json_response(self.job | {"state": self.printer["state"], "file": self.file})

    async def _pause(self, request: web.Request) -> web.Response:
        return self._carry_out(request, {"PRINTING"}, "PAUSED")

    async def _resume(self, request: web.Request) -> web.Response:
        return self._carry_out(request, {"PAUSED"}, "PRINTING")

    async def _stop(self, request: web.Request) -> web.Response:
        return self._carry_out(request, {"PRINTING", "PAUSED", "ATTENTION"}, "STOPPED")

    def _carry_out(self, request: web.Request, when: set[str], after: str) -> web.Response:
        if request.match_info["id"] != str(self.job.get("id")):
            return web.Response(status=404, text="404: Not Found")
        if self.printer["state"] not in when:
            return web.Response(status=409, text="409: Conflict")
        if self.obeys:
            self.printer["state"] = after
        return web.Response(status=204)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
