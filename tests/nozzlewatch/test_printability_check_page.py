"""The page of a part, in a real browser: it is drawn, it answers to mouse and keys, it fetches nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from detector.printability.check import Verdict
from features.mesh import Mesh
from features.picture import Picture
from nozzlewatch.printability.check_report import PINS, ROWS, page, write_report
from tests.nozzlewatch.browser import Browser, browser
from tests.nozzlewatch.checked import overhang, table, thin_wall, verdict

AT_NS = 1_790_000_000_000_000_000
WINDOW = (720, 640)
"""Small: the CPU draws it."""
EVIL = '</script><script>window.hacked = 1</script><img src=x onerror="hacked = 1">{{ 7 * 7 }} 🖨\u202e.stl'


@pytest.fixture(scope="module")
def part() -> Mesh:
    return table()


@pytest.fixture(scope="module")
def told(part: Mesh) -> Verdict:
    doubts = {"probability": 0.12, "threshold": 0.5, "network_where_mm": (20.0, 20.0, 22.0)}
    return verdict(part, thin_wall(), overhang(part), printable=False, **doubts)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        opened.size(*WINDOW, prefers_reduced_motion="reduce")  # flights take no time
        yield opened


@pytest.fixture(scope="module")
def written(told: Verdict, part: Mesh, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "part.html"
    write_report(path, told, part, AT_NS)
    return path


@pytest.fixture
def opened(chromium: Browser, written: Path) -> Iterator[Browser]:
    """The page as it is at first; loaded once, unless another one was shown in between."""
    chromium.size(*WINDOW, prefers_reduced_motion="reduce")
    if chromium.value("location.href") != written.resolve().as_uri():
        show(chromium, written)
    chromium.value("turns.selectedIndex = 0; turns.onchange()")
    yield chromium
    chromium.value("document.querySelectorAll('[data-problem]:not(:checked)').forEach((one) => one.click())")
    assert not chromium.troubles


def show(opened: Browser, page: Path) -> None:
    opened.open(page)
    opened.wait_for("document.documentElement.classList.contains('live')")
    opened.settled()


def seen(opened: Browser) -> Picture:
    opened.value("canvas.scrollIntoView({ block: 'center' })")
    for _ in range(3):
        opened.settled()
    return opened.picture("#canvas")


def differ(one: Picture, other: Picture) -> float:
    """The share of the pixels that are not the same."""
    return float((np.abs(one.astype(np.int64) - other.astype(np.int64)) > 12).any(2).mean())


def like(picture: Picture, color: str) -> float:
    """The share of the pixels with about the hue of a colour, however lit."""
    wanted = np.array([int(color[at : at + 2], 16) for at in (5, 3, 1)], np.float64)
    pixels = picture.reshape(-1, 3).astype(np.float64)
    lengths = np.linalg.norm(pixels, axis=1) * np.linalg.norm(wanted)
    return float((pixels @ wanted > 0.985 * np.maximum(lengths, 1)).mean())


def test_the_part_is_drawn_without_an_error_and_without_a_network(opened: Browser) -> None:
    drawn = seen(opened)
    opened.value("canvas.style.visibility = 'hidden'")
    assert differ(drawn, seen(opened)) > 0.08
    opened.value("canvas.style.visibility = 'visible'")
    assert [url for url in opened.fetched if not url.startswith("data:")] == [opened.value("location.href")]


def test_a_finding_that_is_chosen_is_flown_to_and_told(opened: Browser) -> None:
    before = seen(opened)
    opened.value("document.querySelectorAll('tr[data-finding] button')[2].click()")
    opened.wait_for("document.querySelectorAll('tr.chosen').length === 1")
    after = seen(opened)
    assert differ(before, after) > 0.1
    assert like(after, "#c25700") > 0.05 > like(before, "#c25700")  # from below, where the overhang is
    assert opened.value("document.getElementById('says').textContent") == "it reaches out 15 mm"


def test_a_finding_is_chosen_by_keyboard_alone(opened: Browser) -> None:
    opened.value("document.querySelector('tr[data-finding] button').focus()")
    opened.key("Enter")
    opened.wait_for("document.querySelector('tr[data-finding]').classList.contains('chosen')")


@pytest.mark.parametrize("key", ["ArrowLeft", "ArrowUp", "+", "-"])
def test_the_keyboard_turns_and_zooms_and_home_goes_back(opened: Browser, key: str) -> None:
    before = seen(opened)
    opened.value("document.getElementById('canvas').focus()")
    opened.key(key)
    assert differ(before, seen(opened)) > 0.01
    opened.key("Home")
    assert differ(before, seen(opened)) < 0.01


def test_the_mouse_turns_moves_and_zooms(opened: Browser) -> None:
    last = seen(opened)
    left, top, width, height = opened.place("#canvas")
    x, y = left + width / 2, top + height - 30
    for modifiers in (0, 8):  # none, shift
        opened.mouse("mousePressed", x, y, button="left", buttons=1, clickCount=1)
        opened.mouse("mouseMoved", x + 60, y - 20, button="left", buttons=1, modifiers=modifiers)
        opened.mouse("mouseReleased", x + 60, y - 20, button="left")
        now = seen(opened)
        assert differ(last, now) > 0.01
        last = now
    opened.mouse("mouseWheel", x, y, deltaX=0, deltaY=200)
    assert differ(last, seen(opened)) > 0.01


def test_the_legend_takes_a_problem_out_of_the_view(opened: Browser) -> None:
    opened.value("document.querySelectorAll('tr[data-finding] button')[2].click()")
    assert like(seen(opened), "#c25700") > 0.05
    opened.value("document.querySelectorAll('[data-problem]')[1].click()")
    assert like(seen(opened), "#c25700") < 0.01
    assert (
        opened.value("[...document.querySelectorAll('#pins button')].filter((pin) => pin.hidden).length") == 1
    )


def test_the_part_can_be_stood_as_is_advised(opened: Browser) -> None:
    before = seen(opened)
    opened.value("(() => { turns.selectedIndex = 1; turns.dispatchEvent(new Event('change')); })()")
    assert differ(before, seen(opened)) > 0.05
    assert opened.value("turns.options.length") == 2


def test_a_dark_and_a_narrow_window_are_drawn_in(opened: Browser) -> None:
    for width, scheme in ((1100, "dark"), (360, "light")):
        opened.size(width, WINDOW[1], prefers_color_scheme=scheme)
        opened.value("document.querySelector('.view').scrollIntoView()")
        assert seen(opened).std() > 5
        assert opened.value("document.documentElement.scrollWidth") <= width


def test_on_paper_there_are_pictures_in_place_of_the_view(opened: Browser) -> None:
    shown = "[...document.querySelectorAll('.stills img')].every((one) => one.offsetWidth > 100)"
    assert not opened.value(shown)
    opened.call("Emulation.setEmulatedMedia", media="print")
    assert opened.value(shown)
    assert opened.value("document.getElementById('canvas').offsetWidth") == 0
    opened.call("Emulation.setEmulatedMedia", media="")


def test_without_webgl_there_are_pictures_and_all_texts(told: Verdict, part: Mesh, tmp_path: Path) -> None:
    write_report(tmp_path / "part.html", told, part, AT_NS)
    (tmp_path / "own").mkdir()
    with browser(tmp_path / "own", "--disable-3d-apis") as opened:
        opened.open(tmp_path / "part.html")
        loaded = "[...document.querySelectorAll('.stills img')].every((one) => one.naturalWidth === 480)"
        assert opened.value(loaded)
        assert opened.value("document.getElementById('canvas').offsetWidth") == 0
        assert "no WebGL" in opened.value("document.body.innerText")
        assert not [trouble for trouble in opened.troubles if "WebGL" not in trouble]


def test_no_name_and_no_text_becomes_markup(chromium: Browser, part: Mesh, tmp_path: Path) -> None:
    evil = verdict(part, thin_wall(text=EVIL), file=f"folder/{EVIL}", notes=(EVIL,), advice=(EVIL,))
    write_report(tmp_path / "part.html", evil, part, AT_NS)
    show(chromium, tmp_path / "part.html")
    assert chromium.value("window.hacked === undefined")
    assert chromium.value("document.scripts.length") == 2
    assert "{{ 7 * 7 }} 🖨" in chromium.value("document.querySelector('h1').textContent")
    assert chromium.value("document.querySelectorAll('img:not([src^=\"data:\"])').length") == 0
    chromium.value("document.querySelector('tr[data-finding]').click()")
    assert "onerror" in chromium.value("document.getElementById('says').textContent")
    assert not chromium.troubles


def test_a_page_names_no_address(told: Verdict, part: Mesh) -> None:
    text = re.sub(r"[A-Za-z0-9+/=]{40,}|// .*", "", page(told, part, AT_NS))  # without base64 and comments
    assert not re.search(r"https?:|//|url\(|@import|<link", text)
    assert "default-src 'none'" in text


def test_many_findings_are_bounded_and_counted(chromium: Browser, part: Mesh, tmp_path: Path) -> None:
    many = verdict(part, *[thin_wall((number % 24,)) for number in range(ROWS + 30)])
    write_report(tmp_path / "part.html", many, part, AT_NS)
    show(chromium, tmp_path / "part.html")
    assert chromium.value("document.querySelectorAll('tr[data-finding]').length") == ROWS
    assert chromium.value("document.querySelectorAll('#pins button').length") == PINS
    assert "30 more" in chromium.value("document.body.innerText")
    assert not chromium.troubles


def test_a_part_without_a_fault_says_so(part: Mesh) -> None:
    text = page(verdict(part), part, AT_NS)
    assert "No problem was found" in text
    assert "Printable" in text
