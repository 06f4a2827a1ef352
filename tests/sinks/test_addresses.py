"""Addresses of the farm file: shown without what is secret in them, filled from the environment."""

from __future__ import annotations

import pytest

from ingest.errors import UsageError
from sinks.channels.addresses import filled, redact, redacted


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("json://user:pass@host:8080/token?x=secret", "json://host:8080"),
        ("mailto://user:pass@example.org?to=me@x.org", "mailto://example.org"),
        ("smtps://user:pass@example.org:465", "smtps://example.org:465"),
        ("mqtts://user:pass@broker:8883/topic", "mqtts://broker:8883"),
        ("https://hooks.slack.com/services/T1/B2/C3", "https://hooks.slack.com"),
        ("discord://webhook-id/webhook-token", "discord://***"),
        ("tgram://123456:token/chat", "tgram://***"),
        ("JSON://Host/p", "json://host"),
        ("json://user:12/34@host", "json://***"),
        ("https://host/people/@me", "https://host"),
        ("json://host:port-that-is-none/", "***"),
        ("json://[half", "***"),
        ("user:pass@host", "***"),
        ("secret", "***"),
        ("", "***"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_whatever_may_be_an_address_is_shown_so_at_any_depth() -> None:
    found = {"a": ["json://u:p@h", "word"], "b": {"c": "user@host", "d": 5}, "e": True}
    assert redacted(found) == {"a": ["json://h", "word"], "b": {"c": "***", "d": 5}, "e": True}


def test_names_of_the_environment_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "t0$TOKEN")
    assert filled("ntfy://$TOKEN@host/${TOKEN}x$") == "ntfy://t0$TOKEN@host/t0$TOKENx$"
    assert filled("nothing: 5 $") == "nothing: 5 $"


def test_a_name_that_the_environment_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH", raising=False)
    with pytest.raises(UsageError, match=r"found \$NO_SUCH, .* set NO_SUCH"):
        filled("ntfy://user:hunter2@$NO_SUCH")
