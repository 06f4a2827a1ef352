"""What the rules say of heaters and sensors in scripted prints."""

from __future__ import annotations

import pytest

from detector.anomaly import Kind
from ingest.records import Mark
from tests.detector.windows import (
    PRINTING,
    Script,
    began_s,
    film,
    judged,
    kinds_told,
    printing,
    ramp,
    step,
    told,
)


def test_a_quiet_print_gives_no_reason() -> None:
    assert kinds_told(printing(300)) == set()


# Heaters


def test_normal_heating_from_cold_is_not_a_heater_fault() -> None:
    heats = ramp((0, 22), (13, 23), (118, 208), (125, 211), (140, 210))
    windows = printing(
        180, hotend_c=heats, hotend_target_c=step(5, 0, 210), hotend_power=lambda t: float(5 <= t < 118)
    )
    assert kinds_told(windows) == set()


def test_heating_that_starts_while_the_block_still_cools_is_not_a_heater_fault() -> None:
    """From a print on record: 4.4 K down in 7 s at full power, then slowly up."""
    curve = ramp((0, 228), (33, 196.5), (39, 192.1), (40, 192.1), (44, 194.2), (50, 199.7), (60, 211))
    windows = printing(
        61, hotend_c=curve, hotend_target_c=step(33, 150, 235), hotend_power=lambda t: float(t >= 33)
    )
    assert kinds_told(windows) == set()


def test_a_hotend_that_does_not_heat_is_told_before_the_firmware_halts() -> None:
    windows = printing(40, hotend_c=24.0, hotend_target_c=step(5, 0, 210), hotend_power=step(5, 0, 1))
    seconds, reason = told(windows, Kind.HEATER_FAULT)
    assert seconds - 5 < 20, "Marlin's watch halts after 20 s"
    assert "2.38 K/s is expected" in reason.text
    assert "target 210 °C, now 24.0 °C, power 100 %" in reason.text
    assert began_s(reason) == pytest.approx(5, abs=1)


def test_a_hotend_that_stops_rising_halfway_began_to_fail_where_it_stopped() -> None:
    windows = printing(
        90, hotend_c=ramp((0, 22), (60, 140)), hotend_target_c=step(0, 0, 210), hotend_power=1.0
    )
    seconds, reason = told(windows, Kind.HEATER_FAULT)
    assert 60 < seconds < 80
    assert began_s(reason) == pytest.approx(60, abs=2)


def test_a_weak_heater_is_less_certain_than_a_dead_one() -> None:
    weak = printing(30, hotend_c=ramp((0, 150), (30, 162)), hotend_power=1.0)
    dead = printing(30, hotend_c=150.0, hotend_power=1.0)
    assert told(weak, Kind.HEATER_FAULT)[1].probability < judged(dead)[-1][0].probability == 1.0


def test_a_bed_that_does_not_heat_is_told_before_the_firmware_halts() -> None:
    windows = printing(80, bed_c=22.0, bed_target_c=step(10, 0, 60), bed_power=step(10, 0, 1))
    seconds, reason = told(windows, Kind.HEATER_FAULT)
    assert seconds - 10 < 60, "Marlin's watch halts after 60 s"
    assert reason.text.startswith("bed rises 0.00 K/s")


def test_a_weak_bed_close_to_its_target_is_not_a_heater_fault() -> None:
    """From a print on record: 79.4 to 80.6 of 84 °C at full power for minutes, and a fine print."""
    windows = printing(200, bed_c=ramp((0, 79.4), (200, 80.6)), bed_target_c=84.0, bed_power=1.0)
    assert kinds_told(windows) == set()


def open_cartridge(t: float) -> float:
    return 210.0 - 0.95 * max(0.0, t - 60.0)


def saturated(t: float) -> float:
    return 1.0 if t > 62 else 0.4


def test_an_open_cartridge_is_told_within_seconds_and_in_words() -> None:
    windows = printing(100, hotend_c=open_cartridge, hotend_power=saturated)
    seconds, reason = told(windows, Kind.HEATER_FAULT)
    assert seconds - 60 < 15, "Marlin's hold halts after 40 s"
    assert reason.text.startswith("hotend falls 0.95 K/s at full power (target 210 °C, now 20")
    assert began_s(reason) == pytest.approx(60, abs=2)
    assert sum(reason.channels.values()) == pytest.approx(1.0)


def test_an_open_cartridge_is_told_where_the_host_asks_every_five_seconds() -> None:
    windows = printing(110, every_s=5.0, hotend_c=open_cartridge, hotend_power=saturated)
    assert told(windows, Kind.HEATER_FAULT)[0] - 60 < 25


def test_a_bed_that_falls_under_full_power_is_told_before_the_firmware_halts() -> None:
    windows = printing(
        90, bed_c=ramp((50, 110), (74, 106)), bed_target_c=110.0, bed_power=lambda t: float(t > 52)
    )
    seconds, _ = told(windows, Kind.HEATER_FAULT)
    assert seconds - 52 < 20


def test_a_part_fan_switching_on_is_not_a_heater_fault() -> None:
    dips = ramp((60, 210), (70, 205), (95, 210))
    windows = printing(150, hotend_c=dips, fan=step(60, 0, 1), hotend_power=lambda t: float(61 < t < 90))
    assert kinds_told(windows) == set()


def test_a_deep_dip_of_a_strong_fan_is_forgiven_and_the_same_without_a_fan_is_not() -> None:
    dips: dict[str, Script] = {
        "hotend_c": ramp((60, 210), (70, 202), (95, 210)),
        "hotend_power": lambda t: float(61 < t < 90),
    }
    assert kinds_told(printing(150, **dips, fan=step(60, 0, 1))) == set()
    assert kinds_told(printing(150, **dips, fan=0.5)) == {Kind.HEATER_FAULT}


def test_a_pause_forgives_some_kelvin() -> None:
    dips: dict[str, Script] = {
        "hotend_c": ramp((60, 210), (70, 202), (95, 210)),
        "hotend_power": lambda t: float(61 < t < 90),
    }
    assert kinds_told(printing(150, **dips, marks=lambda _: Mark.PAUSED)) == set()


def test_a_target_lowered_by_the_user_is_nothing() -> None:
    windows = printing(
        150,
        hotend_c=ramp((60, 240), (100, 200)),
        hotend_target_c=step(60, 240, 200),
        hotend_power=lambda t: 0.4 if t < 60 or t > 100 else 0.0,
    )
    assert kinds_told(windows) == set()


def test_heat_under_way_after_switching_off_is_not_a_runaway() -> None:
    """From a print on record: 59.8 to 72.0 °C in 12 s after power and target went to 0."""
    curve = ramp((0, 22), (20, 25), (40, 59.8), (46, 70.6), (52, 72), (54, 72), (80, 65))
    windows = printing(
        80,
        hotend_c=curve,
        hotend_target_c=lambda t: 215.0 if 18 <= t < 40 else 0.0,
        hotend_power=lambda t: float(18 <= t < 40),
    )
    assert kinds_told(windows) == set()


def test_a_heater_that_is_stuck_on_is_told_before_maxtemp() -> None:
    windows = printing(
        100, hotend_c=ramp((50, 210), (90, 262)), hotend_power=lambda t: 0.4 if t < 52 else 0.0
    )
    seconds, reason = told(windows, Kind.HEATER_FAULT)
    assert seconds < 75, "MAXTEMP at 245 °C would come at 77 s"
    assert "stuck on" in reason.text
    assert began_s(reason) == pytest.approx(52, abs=2)


def test_a_nozzle_warmed_by_the_bed_is_not_a_runaway() -> None:
    windows = printing(
        300, hotend_c=ramp((0, 22), (300, 48)), hotend_target_c=0.0, hotend_power=0.0, bed_c=110.0
    )
    assert Kind.HEATER_FAULT not in kinds_told(windows)


def test_a_printer_that_does_not_tell_its_power_is_not_judged_by_it() -> None:
    assert kinds_told(film(60, hotend_c=100.0, hotend_target_c=210.0)) == set()


# Sensors


def test_a_thermistor_that_reads_minus_fifteen_is_a_sensor_fault() -> None:
    windows = printing(10, bed_c=step(5, 60.0, -15.0))
    seconds, reason = told(windows, Kind.SENSOR_FAULT)
    assert seconds == 6.0
    assert began_s(reason) == 5.0
    assert "bed sensor reads -15.0 °C" in reason.text


def test_a_loose_thermistor_is_a_sensor_fault_and_no_heater_fault() -> None:
    windows = printing(60, hotend_c=lambda t: 150.0 if t % 10 == 9 else 210.0)
    assert kinds_told(windows) == {Kind.SENSOR_FAULT}
    assert judged(windows)[-1][0].probability == 1.0


def test_a_thermistor_that_falls_out_is_a_sensor_fault_before_the_firmware_halts() -> None:
    """From a print on record: 219 to 97 °C in 17 s; Klipper halted 5 s after the first step."""
    curve = ramp((19, 219.3), (20, 211.2), (21, 196.6), (22, 182.2), (23, 170.2), (24, 157.4), (40, 94))
    windows = printing(40, hotend_c=curve, hotend_target_c=220.0, hotend_power=step(20, 0.39, 1))
    assert told(windows, Kind.SENSOR_FAULT)[0] - 20 < 5


def test_the_fastest_hotend_on_record_is_no_sensor_fault() -> None:
    windows = printing(
        40, hotend_c=ramp((5, 22), (21, 180)), hotend_target_c=180.0, hotend_power=lambda t: float(5 < t < 21)
    )
    assert Kind.SENSOR_FAULT not in kinds_told(windows)


@pytest.mark.parametrize("read_c", [16.45, 440.0])
def test_a_reading_that_lost_its_digits_on_a_noisy_line_is_nothing(read_c: float) -> None:
    """Among garbled lines one reads as a whole one, and neither its neighbours nor physics bear it out."""

    def celsius(t: float) -> float:
        return read_c if t == 60.0 else 210.0 - 0.8 * t

    windows = printing(
        80, hotend_c=celsius, hotend_target_c=0.0, hotend_power=0.0, garbled=step(50, 0.0, 1.0)
    )
    assert not kinds_told(windows) & {Kind.SENSOR_FAULT, Kind.HEATER_FAULT}
    plain = printing(80, hotend_c=celsius, hotend_target_c=0.0, hotend_power=0.0)
    assert Kind.SENSOR_FAULT in kinds_told(plain)


def test_a_line_that_was_noisy_a_minute_ago_hides_no_loose_thermistor() -> None:
    loose = printing(
        140,
        hotend_c=lambda t: 150.0 if t in {100.0, 110.0, 120.0} else 210.0,
        garbled=lambda t: float(t < 30.0),
    )
    assert Kind.SENSOR_FAULT in kinds_told(loose)


def test_a_thermistor_that_opens_on_a_noisy_line_is_told() -> None:
    opens = printing(80, hotend_c=step(60, 210.0, -15.0), hotend_target_c=210.0, garbled=1.0)
    assert told(opens, Kind.SENSOR_FAULT)[0] < 63


def test_steps_mean_nothing_where_times_are_estimated() -> None:
    windows = printing(30, hotend_c=step(15, 245, 216), marks=lambda _: Mark.TIME_ESTIMATED)
    assert kinds_told(windows) == set()


def test_klippers_zero_before_its_first_reading_is_nothing() -> None:
    off: dict[str, Script] = {name: 0.0 for name in PRINTING if name.endswith(("target_c", "power"))}
    windows = printing(60, **off, hotend_c=step(3, 0, 128.8), bed_c=step(3, 0, 59.7))
    assert kinds_told(windows) == set()


def test_a_high_temperature_machine_may_print_at_400_degrees() -> None:
    assert kinds_told(printing(30, hotend_c=400.0, hotend_target_c=400.0)) == set()
