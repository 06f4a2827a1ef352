"""The terminal: one plain line a message, whatever stands in it."""

from __future__ import annotations

import io
from datetime import UTC

import pytest

from sinks.channels.console import ConsoleChannel, read
from sinks.errors import ChannelError
from sinks.message import About, Phase
from tests.sinks.messages import HOSTILE, make_message


def test_a_message_is_one_plain_line_whatever_a_name_holds() -> None:
    out = io.StringIO()
    message = make_message(
        title="[red]x[/red] :fire:\x1b[2J\n2: stall", lines=("Why: [/] bad\r\nend", "", HOSTILE)
    )
    ConsoleChannel(out, UTC).send(message, b"a picture")
    assert out.getvalue() == (
        f"2026-02-03 12:00:00 UTC  [red]x[/red] :fire: [2J 2: stall  Why: [/] bad end  {HOSTILE}\n"
    )


@pytest.mark.parametrize("about", About)
@pytest.mark.parametrize("phase", Phase)
def test_every_kind_of_message_is_shown(about: About, phase: Phase) -> None:
    out = io.StringIO()
    ConsoleChannel(out).send(make_message(about=about, phase=phase), None)
    assert "voron-2: layer shift (92 %)" in out.getvalue()


def test_a_closed_terminal_is_a_channel_error() -> None:
    out = io.StringIO()
    out.close()
    with pytest.raises(ChannelError, match="console: cannot write"):
        ConsoleChannel(out).send(make_message(), None)


def test_it_is_on_or_off_and_nothing_else() -> None:
    mistakes: list[str] = []
    assert [channel.name for channel in read(True, "alerts.console", mistakes)] == ["console"]
    assert read(False, "alerts.console", mistakes) == []
    assert mistakes == []
    assert read("yes", "alerts.console", mistakes) == []
    assert mistakes == ["alerts.console: found 'yes', expected true or false"]
