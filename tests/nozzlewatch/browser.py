"""A real browser for the pages: Chromium without a window, driven by its DevTools protocol.

``.ci/peers`` installs it on Debian; tests that ask for it skip where there is none.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import cv2
import numpy as np
import pytest

from features.picture import Picture
from tests.waiting import wait_until

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio",
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--remote-debugging-port=0",
)  # fmt: skip
START_S, ANSWER_S = 60.0, 60.0
"""How long the browser may take to start, and to answer: it draws by the CPU, perhaps beside other tests."""
T = TypeVar("T")


class Browser:
    """One page in one browser. What goes wrong in the page, and what it would fetch, is kept."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, loop: asyncio.AbstractEventLoop) -> None:
        self._socket, self._loop, self._number = socket, loop, 0
        self.troubles: list[str] = []
        self.fetched: list[str] = []
        self._loaded = False
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def open(self, page: Path) -> None:
        """Show a file, and wait until it is loaded."""
        self.troubles, self.fetched, self._loaded = [], [], False
        self.call("Page.navigate", url=page.resolve().as_uri())
        self.run(self._until_loaded())

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """One call of the protocol."""
        return self.run(asyncio.wait_for(self._call(method, params), ANSWER_S))

    def value(self, expression: str) -> Any:
        """What an expression gives in the page; of a promise, what it gives in the end."""
        told = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until an expression holds in the page."""
        wait_until(lambda: bool(self.value(f"Boolean({expression})")), ANSWER_S, expression)

    def settled(self) -> None:
        """Wait for two frames: what was asked for before is drawn then."""
        self.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def key(self, name: str) -> None:
        """Press a key and let it go."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if name == "Enter" and kind == "keyDown" else {}
            code = {"windowsVirtualKeyCode": 13} if name == "Enter" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, **text, **code)

    def mouse(self, kind: str, x: float, y: float, **more: object) -> None:
        """A mouse event: mousePressed, mouseMoved, mouseReleased, mouseWheel."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def place(self, selector: str) -> tuple[float, float, float, float]:
        """Where an element is in the window: left, top, width, height in pixels."""
        box = self.value(
            f"(() => {{ const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            " return [b.left, b.top, b.width, b.height]; })()"
        )
        left, top, width, height = box
        return left, top, width, height

    def size(self, width: int, height: int, **media: str) -> None:
        """The window's size, and media features such as ``prefers-color-scheme``."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.call("Emulation.setEmulatedMedia", features=features)

    def picture(self, selector: str | None = None) -> Picture:
        """What is seen, BGR uint8 [height, width, 3], of the window or of one element in it."""
        told = self.call("Page.captureScreenshot", format="png")
        whole = cv2.imdecode(np.frombuffer(base64.b64decode(told["data"]), np.uint8), cv2.IMREAD_COLOR)
        seen = np.asarray(whole, np.uint8)
        if selector is None:
            return seen
        left, top, width, height = map(round, self.place(selector))
        return seen[max(top, 0) : top + height, max(left, 0) : left + width]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Until it is done."""
        return self._loop.run_until_complete(work)

    async def _until_loaded(self) -> None:
        async with asyncio.timeout(ANSWER_S):
            while not self._loaded:
                self._heard(json.loads(await self._socket.receive_str()))

    async def _call(self, method: str, params: dict[str, object]) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        while True:
            told = json.loads(await self._socket.receive_str())
            if told.get("id") == self._number:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result
            self._heard(told)

    def _heard(self, told: dict[str, Any]) -> None:
        params = told.get("params", {})
        match told.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Network.requestWillBeSent":
                self.fetched.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.troubles.append(str(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in {"error", "warning", "assert"}:
                self.troubles.append(str(params["args"]))
            case "Log.entryAdded" if params["entry"]["level"] in {"error", "warning"}:
                self.troubles.append(str(params["entry"]["text"]))
            case _:
                pass


@contextmanager
def browser(folder: Path, *flags: str) -> Iterator[Browser]:
    """A browser that keeps its things in ``folder``; the test is skipped where none is installed."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium is installed: .ci/peers installs it on Debian and Ubuntu")
    own = [program, *FLAGS, *flags, f"--user-data-dir={folder}", "about:blank"]
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen(own, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    loop = asyncio.new_event_loop()
    try:
        port = _port(folder, process)
        session, socket = loop.run_until_complete(_connected(port))
        try:
            yield Browser(socket, loop)
        finally:
            loop.run_until_complete(socket.close())
            loop.run_until_complete(session.close())
    finally:
        process.terminate()
        process.wait(START_S)
        loop.close()


def _port(folder: Path, process: subprocess.Popen[bytes]) -> int:
    """Where the browser listens: it says so in a file."""
    said, log = folder / "DevToolsActivePort", folder / "browser.log"

    def is_said() -> bool:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        return said.is_file() and "\n" in said.read_text()

    wait_until(is_said, START_S, "the browser's port")
    return int(said.read_text().splitlines()[0])


async def _connected(port: int) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
    session = aiohttp.ClientSession()
    async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
        pages = [one for one in await answer.json() if one["type"] == "page"]
    return session, await session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0)
