"""The address of a Kafka cluster in the farm file, and what clients make of it.

    kafka://host:9092,host2:9092/?prefix=nozzlewatch
    kafka+ssl://user:$PASSWORD@host:9093/?sasl=scram-sha-512&ca=/etc/ssl/kafka-ca.pem

``$NAME`` in any part stands for an environment variable. Options: ``prefix`` of the topics (nozzlewatch),
``compression`` (gzip: the one that every client reads without a further package; zstd, lz4, snappy, none),
``sasl`` (plain, scram-sha-256, scram-sha-512), and with TLS ``ca``, ``cert``, ``key``: paths of PEM files.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from ingest.errors import UsageError
from sinks.channels.addresses import filled

PLAIN, TLS = "kafka", "kafka+ssl"
DEFAULT_PORT = 9092
SASL = {"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"}
COMPRESSIONS = ("gzip", "zstd", "lz4", "snappy", "none")
OPTIONS = ("prefix", "compression", "sasl", "ca", "cert", "key")
KAFKA = "kafka"
"""The relay's consumer group on the Redis streams: there only where a farm has a relay."""
EXTRA_MISSING = "found no {module}, expected Nozzlewatch's extra for Kafka: pip install 'nozzlewatch[kafka]'"

_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,200}")  # Kafka's own rule: 249 characters of these with the name
_SERVER = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")


@dataclass(frozen=True)
class KafkaAddress:
    """A checked address. Its text and ``repr`` hold no credentials."""

    servers: tuple[str, ...]  # "host:9092"
    tls: bool = False
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return f"{TLS if self.tls else PLAIN}://{','.join(self.servers)}"

    @property
    def compression(self) -> str:
        return self.options.get("compression", "gzip")

    @property
    def mechanism(self) -> str:
        """The SASL mechanism, as the protocol names it."""
        return SASL[self.options.get("sasl", "plain")]

    def topic(self, name: str) -> str:
        """A topic's full name: "nozzlewatch.scores"."""
        return f"{self.options.get('prefix', 'nozzlewatch')}.{name}"

    def client(self) -> dict[str, str]:
        """What librdkafka needs to know to connect."""
        told = {"bootstrap.servers": ",".join(self.servers), "client.id": "nozzlewatch"}
        told["security.protocol"] = ("SASL_" if self.user else "") + ("SSL" if self.tls else "PLAINTEXT")
        if self.user:
            told |= {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.user,
                "sasl.password": self.password,
            }
        names = {"ca": "ssl.ca.location", "cert": "ssl.certificate.location", "key": "ssl.key.location"}
        return told | {names[key]: path for key, path in self.options.items() if key in names}

    def ssl_context(self) -> ssl.SSLContext | None:
        """The same for clients that take Python's own TLS. Raises UsageError for files that are none."""
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.options.get("ca"))
            if "cert" in self.options:
                context.load_cert_chain(self.options["cert"], self.options.get("key"))
        except OSError as error:
            raise UsageError(
                f"{self}: found files that are no certificates ({error}), expected PEM"
            ) from error
        return context


def read_address(text: str) -> KafkaAddress:
    """Read ``events = "kafka://…"``. Raises UsageError, which says nothing of the credentials."""
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise UsageError("found an address that is none, expected kafka://host:9092") from error
    if parts.scheme not in {PLAIN, TLS} or not parts.netloc:
        raise UsageError("found another kind of address, expected kafka://host:9092 or kafka+ssl://host:9093")
    if parts.path.strip("/"):
        raise UsageError("found a path behind the hosts, expected none: kafka://host:9092/?prefix=NAME")
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    address = KafkaAddress(
        servers=tuple(_server(one) for one in filled(hosts).split(",")),
        tls=parts.scheme == TLS,
        user=filled(unquote(user)),
        password=filled(unquote(password)),
        options={name: filled(value) for name, value in parse_qsl(parts.query, keep_blank_values=True)},
    )
    _check(address)
    address.ssl_context()
    return address


def _server(text: str) -> str:
    found = _SERVER.fullmatch(text.strip())
    if not found or int((found[2] or ":1")[1:]) not in range(1, 65536):
        raise UsageError(
            "found a host that is none, expected kafka://host:9092 or kafka://host:9092,host2:9092"
        )
    return text.strip() if found[2] else f"{text.strip()}:{DEFAULT_PORT}"


def _check(address: KafkaAddress) -> None:
    options = address.options
    unknown = sorted(options.keys() - set(OPTIONS))
    if unknown:
        raise UsageError(f"{address}: found the option {unknown[0]!r}, expected one of {', '.join(OPTIONS)}")
    _expect(address, "compression", COMPRESSIONS)
    _expect(address, "sasl", tuple(SASL))
    if not _PREFIX.fullmatch(options.get("prefix", "nozzlewatch")):
        raise UsageError(f"{address}: found an odd prefix, expected letters, digits, '.', '_' and '-'")
    if bool(address.user) != bool(address.password):
        raise UsageError(f"{address}: found half a login, expected user:password@ or none")
    for name in ("ca", "cert", "key"):
        if name in options and not address.tls:
            raise UsageError(f"{address}: found {name}=, expected it with kafka+ssl:// alone")
        if name in options and not Path(options[name]).is_file():
            raise UsageError(f"{address}: found no file {options[name]}, expected {name}= to name one")


def _expect(address: KafkaAddress, name: str, allowed: tuple[str, ...]) -> None:
    if address.options.get(name, allowed[0]) not in allowed:
        found = address.options[name]
        raise UsageError(f"{address}: found {name}={found}, expected one of {', '.join(allowed)}")
