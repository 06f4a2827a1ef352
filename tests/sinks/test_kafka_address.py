"""The address of a Kafka cluster: what it means, what is wrong with it, and that it tells no secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from ingest.errors import UsageError
from sinks.kafka_address import read_address


def test_a_plain_address_needs_hosts_alone() -> None:
    address = read_address("kafka://one,two:9093,[::1]:9094")
    assert address.servers == ("one:9092", "two:9093", "[::1]:9094")
    assert address.topic("scores") == "nozzlewatch.scores"
    assert address.client()["bootstrap.servers"] == "one:9092,two:9093,[::1]:9094"
    assert address.client()["security.protocol"] == "PLAINTEXT"
    assert address.ssl_context() is None


def test_login_and_tls_stand_in_the_address_and_secrets_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PW", "p@ss/w:rd")
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    address = read_address(
        f"kafka+ssl://me:$PW@host:9093/?sasl=scram-sha-512&ca={tmp_path}/ca.pem&prefix=a.b"
    )
    told = address.client()
    assert told["security.protocol"] == "SASL_SSL"
    assert (told["sasl.username"], told["sasl.password"]) == ("me", "p@ss/w:rd")
    assert told["sasl.mechanism"] == "SCRAM-SHA-512"
    assert told["ssl.ca.location"] == f"{tmp_path}/ca.pem"
    assert address.topic("dead") == "a.b.dead"
    assert address.ssl_context() is not None
    assert "w:rd" not in f"{address} {address!r}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("host:9092", "expected kafka://"),
        ("http://me:hunter2@host", "expected kafka://"),
        ("me:hunter2@host:9092", "expected kafka://"),
        ("kafka://me:hunter2@ho st", "expected kafka://host:9092"),
        ("kafka://me:hunter2@host:99999", "expected kafka://host:9092"),
        ("kafka://me:hunter2@[host", "expected kafka://host:9092"),
        ("kafka://me:hunter2@host/topic", "found a path"),
        ("kafka://me@host", "half a login"),
        ("kafka://:hunter2@host", "half a login"),
        ("kafka://me:hunter2@host/?colour=red", "found the option 'colour'"),
        ("kafka://me:hunter2@host/?sasl=gssapi", "found sasl=gssapi"),
        ("kafka://me:hunter2@host/?compression=zip", "found compression=zip"),
        ("kafka://me:hunter2@host/?prefix=a b", "odd prefix"),
        ("kafka://me:hunter2@host/?ca=/etc/ssl/ca.pem", "kafka\\+ssl"),
        ("kafka+ssl://me:hunter2@host/?ca=/nowhere/ca.pem", "found no file /nowhere/ca.pem"),
        ("kafka://me:$NOT_SET_ANYWHERE@host", "NOT_SET_ANYWHERE"),
    ],
)
def test_a_mistake_is_told_with_what_is_expected_and_without_the_login(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as told:
        read_address(text)
    assert "hunter2" not in str(told.value)


def test_files_that_are_no_certificates_are_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("none")
    with pytest.raises(UsageError, match="expected PEM"):
        read_address(f"kafka+ssl://host/?ca={tmp_path}/ca.pem")
