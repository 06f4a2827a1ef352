"""What the farm file says of mail: servers, mailboxes, and every mistake in them."""

from __future__ import annotations

import pytest

from sinks.channels.mail import read
from sinks.channels.mail_address import Server, server


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtps://mail.org", Server("mail.org", 465, "", "", True, False)),
        ("smtp://mail.org", Server("mail.org", 587, "", "", False, True)),
        ("smtp://mail.org:25?plain=yes", Server("mail.org", 25, "", "", False, False)),
        ("smtp://localhost:25", Server("localhost", 25, "", "", False, False)),
        ("smtp://[::1]:25?plain=no", Server("::1", 25, "", "", False, True)),
        ("smtps://me%40x.org:a%2Fb@mail.org", Server("mail.org", 465, "me@x.org", "a/b", True, False)),
        ("smtps://me:$PW@mail.org", Server("mail.org", 465, "me", "p@ss/w#r?d:%41$x", True, False)),
        ("smtps://a@b.org:$PW@mail.org", Server("mail.org", 465, "a@b.org", "p@ss/w#r?d:%41$x", True, False)),
        ("$MAIL_URL", Server("mail.org", 465, "u", "p", True, False)),
    ],
)
def test_a_servers_address_is_read(url: str, expected: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "p@ss/w#r?d:%41$x")
    monkeypatch.setenv("MAIL_URL", "smtps://u:p@mail.org")
    assert server(url) == expected


def test_every_mistake_is_told_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH", raising=False)
    mistakes: list[str] = []
    good = {"url": "smtps://u:hunter2@mail.org", "from": "a@b.org", "to": ["c@d.org"]}
    found = [
        good | {"url": "https://u:hunter2@mail.org"},
        good | {"url": "smtps://u:12/hunter2@mail.org"},
        good | {"url": "smtps://u:hunter2@mail.org?starttls=yes"},
        good | {"url": "smtps://u:$NO_SUCH@mail.org"},
        good | {"from": "nobody"},
        good | {"from": "a@b.org\r\nBcc: c@d.org"},
        good | {"to": []},
        good | {"to": ["a@b.org", "@"]},
        good | {"pasword": "hunter2"},
        good,
        good | {"escalation": True},
    ]
    made = read(found, "alerts.mail", mistakes)
    assert [(one.name, one.escalation) for one in made] == [
        ("mail smtps://mail.org", False), ("mail smtps://mail.org #2", True),
    ]  # fmt: skip
    assert [one.name for one in read(good, "alerts.mail", mistakes)] == ["mail smtps://mail.org"]
    expected = 'expected an address as "smtps://user:$PASSWORD@host:465" or "smtp://user:$PASSWORD@host:587"'
    assert mistakes == [
        f"alerts.mail[0]: url: found https://mail.org, {expected}",
        f"alerts.mail[1]: url: found smtps://***, {expected}",
        "alerts.mail[2]: url: found smtps://mail.org with something else behind the ?, "
        "expected plain=yes or no",
        "alerts.mail[3]: found $NO_SUCH, expected an environment variable of that name: set NO_SUCH",
        "alerts.mail[4]: from: found 'nobody', expected an e-mail address as \"farm@example.org\"",
        "alerts.mail[5]: from: found 'a@b.org\\r\\nBcc: c@d.org', "
        'expected an e-mail address as "farm@example.org"',
        "alerts.mail[6].to: found [], expected a list of e-mail addresses",
        "alerts.mail[7]: to: found '@', expected an e-mail address as \"farm@example.org\"",
        "alerts.mail[8].pasword: found an unknown key (= '***'), expected none of this name; "
        "known keys: url, from, to, ca, escalation",
    ]
