"""A real OctoPrint with its virtual printer, from the environment that ``make peers`` sets up."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import pytest

from tests.waiting import wait_until

BIN = Path(__file__).parents[2] / ".venv" / "peers" / "octoprint" / "bin"
KEY = "Adm1n" * 6
"""API key of an administrator."""
STATUS_KEY = "Statu5" * 6
"""API key of a user who may see the state, and not the terminal."""
START_S = 90.0
"""How long OctoPrint may take to start: 2 s on an idle machine."""
AS_ROOT = "--iknowwhatimdoing"
"""Containers run as root, which OctoPrint refuses without this."""
BOUNDARY = "part-of-a-print"


@contextmanager
def serving(folder: Path, *, port: str = "VIRTUAL", ports: Sequence[str] = ()) -> Iterator[OctoPrintServer]:
    """An OctoPrint that serves and, where ``port`` is the virtual printer, is connected to it.

    ``ports`` are serial ports that OctoPrint would not find by itself. Skips the test where OctoPrint is not.
    """
    _need_octoprint()
    server = OctoPrintServer(folder, port, ports)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def virtual_printer(folder: Path) -> Iterator[str]:
    """OctoPrint's virtual printer at a pty of its own; yields the pty's path."""
    _need_octoprint()
    folder.mkdir(parents=True, exist_ok=True)
    script = Path(__file__).with_name("virtual_printer_on_pty.py")
    with subprocess.Popen(
        [BIN / "python", script, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:  # it ends with its input, which is closed here
        assert process.stdout is not None
        path = process.stdout.readline().strip()
        assert path, "the virtual printer did not start"
        yield path


def _need_octoprint() -> None:
    if not (BIN / "octoprint").exists():
        pytest.skip("no OctoPrint here: run make peers")


class OctoPrintServer:
    """One OctoPrint over a folder of its own; it keeps its network port over restarts."""

    def __init__(self, folder: Path, port: str, ports: Sequence[str]) -> None:
        self.url = f"http://127.0.0.1:{_free_port()}"
        self._folder, self._port = folder, port
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        # JSON is YAML.
        (folder / "config.yaml").write_text(json.dumps(_config(port, ports)))
        (folder / "users.yaml").write_text(json.dumps(_users()))

    def address(self, key: str = KEY) -> str:
        """How a farm file names the printer."""
        return f"octoprint:{self.url}#key={key}"

    def start(self) -> None:
        """Start serving and wait until the API answers and the virtual printer, if any, is connected."""
        host, port = self.url.removeprefix("http://").split(":")
        with (self._folder / "stdout.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    BIN / "octoprint",
                    "serve",
                    "--host",
                    host,
                    "--port",
                    port,
                    "--basedir",
                    self._folder,
                    AS_ROOT,
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._is_up, START_S, f"OctoPrint ({self._folder / 'stdout.log'})")
        if self._port == "VIRTUAL":
            self.until("operational")

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """For a while it does nothing, its connections stay."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)

    def ask(self, path: str, body: object = None) -> Any:
        """What the API answers to GET, or to POST where there is a body; None for an empty answer."""
        data = None if body is None else json.dumps(body).encode()
        return self._answer(path, data, "application/json")

    def print_file(self, name: str, gcode: Sequence[str]) -> None:
        """Upload a file of G-code and print it."""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        data = f"{head}{chr(10).join(gcode)}\r\n--{BOUNDARY}--\r\n".encode()
        self._answer("files/local", data, f"multipart/form-data; boundary={BOUNDARY}")
        self.ask(f"files/local/{name}", {"command": "select", "print": True})

    def send(self, *commands: str) -> None:
        """Commands from the terminal's input line."""
        self.ask("printer/command", {"commands": list(commands)})

    def flag(self, name: str) -> bool:
        """A flag of the printer's state: printing, paused, operational, …; False where it is offline."""
        try:
            return bool(self.ask("printer?exclude=temperature,sd")["state"]["flags"][name])
        except HTTPError as error:
            if error.code != HTTPStatus.CONFLICT:
                raise
            return False

    def until(self, flag: str, *, gone: bool = False, limit_s: float = 30.0) -> None:
        """Wait until a flag is set, or no longer."""
        wait_until(lambda: self.flag(flag) is not gone, limit_s, what=f"{flag} to be {not gone}")

    def idle(self) -> None:
        """End whatever prints, and connect the printer again where it is not."""
        if not self.flag("operational"):
            self.ask("connection", {"command": "connect"})
            self.until("operational")
        if self.flag("printing") or self.flag("paused"):
            self._cancel()
        self.until("ready")

    def _cancel(self) -> None:
        try:
            self.ask("job", {"command": "cancel"})
        except HTTPError as error:
            if error.code != HTTPStatus.CONFLICT:  # it has ended in the meantime
                raise

    def _answer(self, path: str, data: bytes | None, kind: str) -> Any:
        headers = {"X-Api-Key": KEY, "Content-Type": kind}
        request = urllib.request.Request(f"{self.url}/api/{path}", data, headers)
        with urllib.request.urlopen(request, timeout=10) as response:
            text = response.read()
        return json.loads(text) if text else None

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "stdout.log").read_text()[-2000:]
        try:
            return bool(self.ask("version"))
        except (URLError, OSError, HTTPException):  # a makeshift server answers while it starts
            return False


def _config(port: str, ports: Sequence[str]) -> dict[str, Any]:
    return {
        "server": {
            "firstRun": False,
            "onlineCheck": {"enabled": False},
            "pluginBlacklist": {"enabled": False},
        },
        "serial": {"port": port, "autoconnect": port == "VIRTUAL", "additionalPorts": list(ports)},
        "accessControl": {"salt": "of a test"},
        "plugins": {
            "_disabled": [
                "announcements",
                "backup",
                "corewizard",
                "discovery",
                "errortracking",
                "pluginmanager",
                "softwareupdate",
                "tracking",
            ],
            # One request to send a line again, of those that it simulates by default.
            "virtual_printer": {"enabled": True, "simulated_errors": ["40:resend"]},
        },
    }


def _users() -> dict[str, Any]:
    user = {"active": True, "password": "-", "roles": [], "settings": {}}
    return {
        "farm": {**user, "apikey": KEY, "groups": ["admins", "users"], "permissions": []},
        "looker": {**user, "apikey": STATUS_KEY, "groups": [], "permissions": ["STATUS"]},
    }


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
