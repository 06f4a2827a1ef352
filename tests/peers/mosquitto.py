"""A real Mosquitto broker for tests: the Debian package, started on a free port and stopped again."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.waiting import wait_until

LIMIT_S = 10.0


def installed(program: str) -> str:
    """The path of a program; the test is skipped where it is not installed."""
    found = shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if found is None:
        pytest.skip(f"no {program} here: install the Debian packages mosquitto and openssl")
    return found


class Mosquitto:
    """A broker with a configuration of one's own; ``listener PORT`` is put in front of it.

    A context manager: started on entering, stopped on leaving. ``stop`` and ``start`` in between make it a
    broker that restarts, on the same port.
    """

    def __init__(self, folder: Path, config: str) -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(f"user root\nlistener {self.port} 127.0.0.1\n{config}\n")
        self._program = installed("mosquitto")
        self._log = folder / "mosquitto.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-v", "-c", self._config], stdout=log, stderr=subprocess.STDOUT
            )
        wait_until(self._answers, LIMIT_S, f"mosquitto at port {self.port}, see {self._log}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(LIMIT_S)
            self._process = None

    def halt(self) -> None:
        """It stays connected, and answers nothing any more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def log(self) -> str:
        return self._log.read_text()

    def _answers(self) -> bool:
        assert self._process is None or self._process.poll() is None, self.log()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def passwords(folder: Path, **users: str) -> Path:
    """A password file for ``password_file``, made by mosquitto_passwd."""
    path = folder / "passwords"
    path.touch(mode=0o600)
    for user, password in users.items():
        _run(installed("mosquitto_passwd"), "-b", str(path), user, password)
    return path


def certificates(folder: Path, name: str) -> Path:
    """An authority (ca.pem) and a certificate of its for ``name`` (server.pem, server.key) in ``folder``.

    As with Bambu Lab's, the name stands in the subject alone.
    """
    openssl, key = installed("openssl"), ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    made = {
        part: str(folder / part) for part in ("ca.pem", "ca.key", "server.pem", "server.key", "server.csr")
    }
    ca = ("-x509", "-days", "30", "-subj", "/CN=A Printer Maker CA")
    _run(openssl, "req", *key, *ca, "-keyout", made["ca.key"], "-out", made["ca.pem"])
    own = ("-subj", f"/CN={name}", "-keyout", made["server.key"], "-out", made["server.csr"])
    _run(openssl, "req", *key, *own)
    sign = ("-CA", made["ca.pem"], "-CAkey", made["ca.key"], "-CAcreateserial", "-days", "30")
    _run(openssl, "x509", "-req", "-in", made["server.csr"], *sign, "-out", made["server.pem"])
    return folder


def tls(folder: Path) -> str:
    """The lines of a broker's configuration that make it speak TLS with ``certificates``."""
    return f"certfile {folder / 'server.pem'}\nkeyfile {folder / 'server.key'}"


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=LIMIT_S)
