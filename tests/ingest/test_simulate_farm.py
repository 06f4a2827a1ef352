"""The simulated farm on real ptys and sockets, and recordings that are the same to the byte."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import serial

from ingest.errors import CameraUnreachable, SourceError
from ingest.records import Frame
from ingest.simulate.__main__ import main
from ingest.simulate.camera import SimulatedCamera
from ingest.simulate.demo import demo_printers
from ingest.simulate.farm import READY, TRUTH, run_farm
from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.recording import write_recording
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.toolpath import Order
from ingest.sources import Address

LIMIT_S = 20.0
ROOT = Path(__file__).parents[2]


def camera(path: Path, **options: str) -> SimulatedCamera:
    return SimulatedCamera(Address("simulated", str(path), options), "p")


async def first(source: SimulatedCamera, count: int) -> list[Frame]:
    frames = []
    async for frame in source.frames():
        frames.append(frame)
        if len(frames) == count:
            break
    return frames


async def until(condition: Callable[[], bool]) -> None:
    """Wait on a condition with a limit."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.01)


def with_farm(folder: Path, printers: list[SimulatedPrinter], work: Callable[[], None]) -> None:
    """Run a farm and some blocking work beside it, in a thread."""

    async def both() -> None:
        stop = asyncio.Event()
        farm = asyncio.create_task(run_farm(folder, printers, LIMIT_S, stop, fps=20.0))
        await until((folder / READY).exists)
        try:
            await asyncio.to_thread(work)
        finally:
            stop.set()
            await farm

    asyncio.run(both())


def test_a_host_on_the_pty_hears_marlin(tmp_path: Path) -> None:
    def talk() -> None:
        with serial.Serial(str(tmp_path / "p.tty"), 115200, timeout=LIMIT_S) as port:
            port.write(b"N0 M110 N0*125\nN1 M115*39\n")
            assert port.read_until(b"ok\n") == b"ok\n"
            assert port.read_until(b"\nok\n").startswith(b"FIRMWARE_NAME:Marlin 2.1.2")
            port.write(b"N3 M105*36\n")
            assert port.readline() == b"Error:Line Number is not Last Line Number+1, Last Line: 1\n"
            assert port.readline() == b"Resend: 2\n"
            assert port.readline() == b"ok\n"
            port.write(b"M155 S1\n")
            assert port.readline() == b"ok\n"
            assert port.readline().startswith(b" T:21")
        with serial.Serial(str(tmp_path / "p.tty"), 115200, timeout=LIMIT_S) as port:
            assert port.readline().startswith(b" T:21"), "a second host is heard after the first has left"

    with_farm(tmp_path, [SimulatedPrinter("p", 1)], talk)
    assert not (tmp_path / "p.tty").is_symlink()


def test_the_camera_gives_frames_over_its_socket(tmp_path: Path) -> None:
    def watch() -> None:
        frames = asyncio.run(first(camera(tmp_path / "p.sock"), 3))
        assert [(frame.printer, frame.width, frame.height) for frame in frames] == [("p", 320, 240)] * 3
        assert frames[0].captured_ns < frames[1].captured_ns < frames[2].captured_ns
        assert abs(frames[0].captured_ns - time.time_ns()) < LIMIT_S * 1e9
        assert len({frame.jpeg for frame in frames}) == 3

    with_farm(tmp_path, [SimulatedPrinter("p", 1)], watch)


def test_a_camera_may_be_thinned(tmp_path: Path) -> None:
    source = camera(tmp_path / "p.sock", fps="4")

    def watch() -> None:
        frames = asyncio.run(first(source, 3))
        assert frames[2].captured_ns - frames[0].captured_ns > 0.3e9
        assert source.counts["thinned"] > 2

    with_farm(tmp_path, [SimulatedPrinter("p", 1)], watch)


def test_a_missing_camera_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CameraUnreachable, match=r"nothing\.sock.*start `python -m ingest\.simulate`"):
        asyncio.run(first(camera(tmp_path / "nothing.sock"), 1))


def test_a_camera_whose_simulator_ends_is_unreachable(tmp_path: Path) -> None:
    async def watch() -> None:
        stop = asyncio.Event()
        farm = asyncio.create_task(run_farm(tmp_path, [SimulatedPrinter("p", 1)], LIMIT_S, stop))
        await until((tmp_path / READY).exists)
        async for _ in camera(tmp_path / "p.sock").frames():
            stop.set()
        await farm

    with pytest.raises(CameraUnreachable, match="the simulator closed the connection"):
        asyncio.run(watch())


def test_truth_is_written_as_it_happens(tmp_path: Path) -> None:
    opened = Fault(kind=FaultKind.OPEN_THERMISTOR, at_s=0.4)
    began_ns = time.time_ns()

    def wait() -> None:
        deadline = time.monotonic() + LIMIT_S
        while (tmp_path / TRUTH).read_text().count("\n") < 2:
            assert time.monotonic() < deadline

    with_farm(tmp_path, [SimulatedPrinter("p", 1, [opened])], wait)
    fault, halt = (json.loads(line) for line in (tmp_path / TRUTH).read_text().splitlines())
    assert (
        fault.items() >= {"printer": "p", "name": "open_thermistor", "expected_kind": "sensor_fault"}.items()
    )
    assert halt.items() >= {"printer": "p", "reason": "MINTEMP triggered"}.items()
    assert began_ns < fault["onset_ns"] <= halt["halted_ns"] < time.time_ns()


def test_the_command_runs_the_demo_and_ends(tmp_path: Path) -> None:
    assert main(["--dir", str(tmp_path), "--printers", "2", "--seconds", "1"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [TRUTH]


def test_the_command_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ingest.simulate", "--dir", str(tmp_path), "--seconds", "60"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as farm:
        asyncio.run(until((tmp_path / READY).exists))
        assert len(list(tmp_path.glob("*.tty"))) == len(list(tmp_path.glob("*.sock"))) == 4
        farm.terminate()
        _, said = farm.communicate(timeout=LIMIT_S)
    assert (farm.returncode, said) == (0, b"")
    assert [path.name for path in tmp_path.iterdir()] == [TRUTH]


def test_a_folder_too_deep_for_sockets_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deep = tmp_path / ("x" * 100)
    assert main(["--dir", str(deep), "--seconds", "1"]) == 1
    assert "expected at most 107: choose a folder nearer to the root" in capsys.readouterr().err
    assert not deep.exists()
    with pytest.raises(SourceError):
        asyncio.run(run_farm(deep, [SimulatedPrinter("p", 1)], 1.0, asyncio.Event()))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_demos_heaters_fail_before_the_firmware_halts_within_the_run(seed: int) -> None:
    printers = demo_printers(4, 90.0, seed)
    for printer in printers:
        printer.advance_to(90.0)
    told = [fault for printer in printers for fault in printer.plan.faults]
    wired = [f for f in told if f.expected in {"heater_fault", "sensor_fault", "stall"}]
    assert len(wired) >= 3
    assert all(27.0 <= fault.at_s <= 45.0 for fault in wired)
    assert [printer.firmware.halt_reason for printer in printers] == ["Thermal Runaway", "", "", ""]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_demos_part_comes_off_where_its_camera_sees_it(seed: int) -> None:
    printer = demo_printers(3, 90.0, seed)[2]
    fault = printer.plan.faults[0]
    assert fault.kind is FaultKind.DETACHMENT
    before = printer.scene.part_mask(printer.moment_at(fault.at_s))
    after = printer.moment_at(85.0)
    assert (before == 1).mean() > 0.01
    assert 0 in after.poses
    assert ((before == 1) != (printer.scene.part_mask(after) == 1)).mean() > 0.005


def test_a_recording_is_the_same_to_the_byte_for_a_seed(tmp_path: Path) -> None:
    faults = [
        Fault(kind=FaultKind.OPEN_HEATER, at_s=4.0),
        Fault(kind=FaultKind.CAMERA_SILENT, at_s=6.0, until_s=8.0),
    ]
    contents = []
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_recording(tmp_path / folder, 10.0, faults, seed=seed, fps=2.0)
        files = sorted(path for path in (tmp_path / folder).rglob("*") if path.is_file())
        contents.append({path.name: path.read_bytes() for path in files})
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]
    assert len(contents[0]) == 1 + 20 - 4, "no pictures while the camera is silent"


def test_a_recording_has_pictures_and_lines_on_one_time_axis(tmp_path: Path) -> None:
    write_recording(tmp_path, 3.0, seed=1, fps=1.0)
    log = (tmp_path / "serial.log").read_text().splitlines()
    assert log[0] == "2026-01-01 00:00:00,000 - Send: M155 S1"
    assert log[1] == "2026-01-01 00:00:00,000 - Recv: ok"
    assert [line[:32] for line in log[2:]] == [
        f"2026-01-01 00:00:0{second},000 - Recv: " for second in (1, 2, 3)
    ]
    frames = sorted(path.name for path in (tmp_path / "frames").iterdir())
    assert frames == ["1767225600000.jpg", "1767225601000.jpg", "1767225602000.jpg"]


def test_orders_are_carried_out_on_time() -> None:
    printer = SimulatedPrinter("p", 1, orders=[Order(5.0, "M104 S220")])
    targets = [(at_s, line.split("/")[1][:3]) for at_s, line in printer.lines_until(8.0) if " T:" in line]
    assert [target for at_s, target in targets if at_s < 5.0] == ["215"] * 4
    assert [target for at_s, target in targets if at_s > 5.0] == ["220"] * 3


def test_a_frozen_camera_repeats_itself_and_a_silent_one_gives_nothing() -> None:
    faults = [
        Fault(kind=FaultKind.CAMERA_FROZEN, at_s=2.0, until_s=4.0),
        Fault(kind=FaultKind.CAMERA_SILENT, at_s=6.0),
    ]
    printer = SimulatedPrinter("p", 1, faults)
    pictures = [printer.jpeg_at(float(second)) for second in range(8)]
    assert pictures[2] == pictures[3]
    assert len(set(pictures[:3] + pictures[4:6])) == 5
    assert pictures[6:] == [None, None]
    with pytest.raises(ValueError, match="ask in order of time"):
        printer.jpeg_at(1.0)
