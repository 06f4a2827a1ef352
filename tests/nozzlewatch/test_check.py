"""``nozzlewatch check`` on live cameras and printers: what it got, and how to mend what failed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from nozzlewatch.check import Finding, check_farm
from tests.peers.farm_hosts import FPS, Port, hosts


def checked(folder: Path, printers: str) -> dict[str, Finding]:
    farm = folder / "farm.toml"
    farm.write_text(printers)
    return {finding.part: finding for finding in check_farm(farm)}


def test_a_live_printer_is_told_with_size_rate_firmware_and_temperatures(tmp_path: Path) -> None:
    async def run() -> dict[str, Finding]:
        async with hosts(1) as (host,):
            port = Port(tmp_path / "port")
            speaking = asyncio.create_task(port.speak())
            camera = f"mjpeg:http://127.0.0.1:{host.port}/#fps=10"
            printer = f'[[printers]]\nname = "a"\ncamera = "{camera}"\ntelemetry = "serial:{port.link}"\n'
            printer += f'surface_camera = "{camera}"\n'
            found = await asyncio.to_thread(checked, tmp_path, printer)
            speaking.cancel()
            port.pull()
            return found

    found = asyncio.run(run())
    camera, telemetry = found["a: camera"], found["a: telemetry"]
    assert camera.fine
    assert "160x120" in camera.told
    rate = float(camera.told.partition(" frames/s")[0].rpartition(" ")[2])
    assert abs(rate - FPS) < 1
    assert "codec MJPEG" in camera.told
    assert found["a: surface_camera"].fine
    assert "160x120" in found["a: surface_camera"].told
    assert telemetry.fine
    for words in ("hotend_c 210", "firmware Marlin 2.1.2", "machine Ender-3", "AUTOREPORT_TEMP"):
        assert words in telemetry.told


def test_what_failed_is_told_with_what_to_do_and_holds_up_nothing_else(tmp_path: Path) -> None:
    found = checked(
        tmp_path,
        '[[printers]]\nname = "a"\ncamera = "mjpeg:http://user:secret@127.0.0.1:9/x"\n'
        'telemetry = "tap:/dev/ttyNONE?link=/tmp/none"\nsurface_camera = "snapshot:http://127.0.0.1:9/y"\n',
    )
    assert not found["a: surface_camera"].fine
    assert "127.0.0.1:9" in found["a: surface_camera"].told
    assert not found["a: camera"].fine
    assert "found nobody at 127.0.0.1:9" in found["a: camera"].told
    assert "secret" not in str(found)
    assert "found no such port" in found["a: telemetry"].told
    assert found["store"].fine
