"""Logins over HTTP against real servers: basic, digest, wrong ones, redirects, certificates."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import shutil
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiohttp import web

from ingest.cameras.registry import CAMERAS
from ingest.errors import PrinterUnreachable, SourceError
from ingest.http import base_url, check_status, open_session, page_url, told_as
from ingest.sources import Address, parse_address
from tests.ingest.web import Handler, serving, talking, until_gone

USER, PASSWORD = "wächter", "gehe:im nis"
LOGIN = {"user": USER, "password": PASSWORD}
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def address(url: str, **options: str) -> Address:
    return Address("snapshot", f"{url}/a%20b?size=1", options)


async def ask(where: Address, times: int = 1) -> list[str]:
    """What a server answers to so many requests of one session."""
    answers = []
    with told_as(PrinterUnreachable, where):
        async with open_session(where, read_s=5) as session:
            for _ in range(times):
                async with session.get(page_url(where)) as response:
                    check_status(response, PrinterUnreachable, where)
                    answers.append(await response.text())
    return answers


class Server:
    """Asks for a login; ``seen`` holds the Authorization of every request."""

    def __init__(self, *challenges: str) -> None:
        self.seen: list[str] = []
        self.challenges = challenges

    def lets_in(self, request: web.Request) -> bool:
        return self.seen[-1] == BASIC

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append(request.headers.get("Authorization", ""))
        if self.lets_in(request):
            return web.Response(text="come in")
        response = web.Response(status=401, text="x" * 100_000)  # more than comes with the headers
        for challenge in self.challenges:
            response.headers.add("WWW-Authenticate", challenge)
        return response


class DigestServer(Server):
    """As RFC 7616 says; a nonce is good for ``uses`` requests, then it is stale."""

    def __init__(self, algorithm: str, *others: str, uses: int = 99, qop: str = 'qop="auth", ') -> None:
        self.algorithm, self.uses, self.number = algorithm, uses, 1
        self.qop, self.others = qop, others
        super().__init__(*others, self.challenge())

    def challenge(self, stale: str = "") -> str:
        name = f", algorithm={self.algorithm}" if self.algorithm else ""
        return f'Digest realm="farm, \\"a\\"", {self.qop}nonce="{self.number}", opaque="o"{name}{stale}'

    def lets_in(self, request: web.Request) -> bool:
        told = dict(re.findall(r'(\w+)="?([^",]+)"?', self.seen[-1]))
        if not self.seen[-1].startswith("Digest ") or not self.fresh(told.get("nonce", "")):
            return False
        assert told["uri"] == request.path_qs or told["uri"] == request.raw_path
        return told["response"] == self.response(told, request.method)

    def fresh(self, nonce: str) -> bool:
        self.uses -= 1
        if self.uses < 0:
            self.number, self.uses = self.number + 1, 99
            self.challenges = (*self.others, self.challenge(", stale=true"))
        return nonce == str(self.number)

    def response(self, told: dict[str, str], method: str) -> str:
        def h(text: str) -> str:
            hashed = hashlib.sha256 if self.algorithm == "SHA-256" else hashlib.md5
            return hashed(text.encode()).hexdigest()

        a1, a2 = h(f'{USER}:farm, "a":{PASSWORD}'), h(f"{method}:{told['uri']}")
        if not self.qop:
            return h(f"{a1}:{told['nonce']}:{a2}")
        return h(f"{a1}:{told['nonce']}:{told['nc']}:{told['cnonce']}:auth:{a2}")


def test_basic_is_sent_only_where_it_is_asked_for_and_then_at_once() -> None:
    async def run() -> None:
        server = Server('Basic realm="camera"')
        async with serving(server.answer) as url:
            assert await ask(address(url, **LOGIN), 3) == ["come in"] * 3
        assert server.seen == ["", BASIC, BASIC, BASIC]

    asyncio.run(run())


@pytest.mark.parametrize("algorithm", ["", "MD5", "SHA-256"])
@pytest.mark.parametrize("qop", ['qop="auth", ', ""])
def test_digest_logs_in_without_the_password(algorithm: str, qop: str) -> None:
    async def run() -> None:
        server = DigestServer(algorithm, qop=qop)
        async with serving(server.answer) as url:
            assert await ask(address(url, **LOGIN), 3) == ["come in"] * 3
        assert len(server.seen) == 4  # the challenge comes once
        assert not any(PASSWORD in seen for seen in server.seen)

    asyncio.run(run())


def test_a_stale_nonce_is_replaced() -> None:
    async def run() -> None:
        server = DigestServer("SHA-256", uses=2)
        async with serving(server.answer) as url:
            assert await ask(address(url, **LOGIN), 5) == ["come in"] * 5
        assert len(server.seen) == 7

    asyncio.run(run())


@pytest.mark.parametrize("others", [['Basic realm="x"'], ['Bearer realm="x"', 'Basic realm="x"']])
def test_no_password_goes_out_in_clear_where_the_server_knows_digest(others: Sequence[str]) -> None:
    async def run() -> None:
        server = DigestServer("MD5", *others)
        async with serving(server.answer) as url:
            assert await ask(address(url, **LOGIN)) == ["come in"]
            wrong = address(url, user=USER, password="wrong")
            with pytest.raises(PrinterUnreachable, match="refuses the login"):
                await ask(wrong)
        assert not any(seen.startswith("Basic") for seen in server.seen)

    asyncio.run(run())


@pytest.mark.parametrize("server", [Server('Basic realm="x"'), DigestServer("SHA-256"), DigestServer("MD5")])
def test_a_wrong_password_is_told_and_not_shown(server: Server) -> None:
    async def run() -> None:
        async with serving(server.answer) as url:
            where = parse_address(f"snapshot:{url.replace('//', '//admin:hunter2@')}/a", CAMERAS)
            with pytest.raises(
                PrinterUnreachable, match=r"refuses the login \(401\).*check user and"
            ) as caught:
                await ask(where, 2)
        assert "hunter2" not in f"{caught.value!r} {caught.value.__cause__!r} {where}"
        assert len(server.seen) == 2  # it is not tried again and again: many cameras lock their users out

    asyncio.run(run())


def test_a_server_that_asks_for_a_login_that_nobody_has_is_told() -> None:
    async def run() -> None:
        async with serving(Server('Basic realm="x"').answer) as url:
            with pytest.raises(PrinterUnreachable, match=r"asks for a login \(401\): add #user=NAME"):
                await ask(address(url))

    asyncio.run(run())


@pytest.mark.parametrize("challenge", ['Basic realm="x"', 'Digest realm="x", nonce="1", qop="auth"'])
def test_a_camera_that_serves_one_client_is_left_before_it_is_asked_again(challenge: str) -> None:
    page = (
        b"HTTP/1.1 401 No\r\nContent-Length: 100000\r\nWWW-Authenticate: %s\r\n\r\n<html>"
        % challenge.encode()
    )
    answers = [page, b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ncome in"]
    free = asyncio.Lock()

    async def one_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with free:
            writer.write(answers.pop(0))
            await until_gone(reader)

    async def run() -> None:
        async with talking(one_client) as url, asyncio.timeout(5):
            assert await ask(address(url, **LOGIN)) == ["come in"]

    asyncio.run(run())


def test_a_digest_that_nobody_knows_is_told() -> None:
    async def run() -> None:
        async with serving(DigestServer("SHA-512-256").answer) as url:
            with pytest.raises(PrinterUnreachable, match="found an answer that cannot be understood"):
                await ask(address(url, **LOGIN))

    asyncio.run(run())


def redirecting(to: str, then: Handler) -> Handler:
    """A server that sends every request on, but those for /there, which another one answers."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/there":
            return await then(request)
        raise web.HTTPFound(f"{to}/there")

    return handler


@pytest.mark.parametrize("server", [Server('Basic realm="x"'), DigestServer("MD5")])
def test_a_redirect_within_the_server_keeps_the_login(server: Server) -> None:
    async def run() -> None:
        async with serving(redirecting("", server.answer)) as url:
            assert await ask(address(url, **LOGIN), 2) == ["come in"] * 2

    asyncio.run(run())


@pytest.mark.parametrize("server", [Server('Basic realm="x"'), DigestServer("MD5")])
def test_a_redirect_to_another_server_gets_no_login(server: Server) -> None:
    async def run() -> None:
        async with serving(server.answer) as other, serving(redirecting(other, server.answer)) as url:
            match = f"found a redirect to {other}, which asks for a login"
            with pytest.raises(PrinterUnreachable, match=match):
                await ask(address(url, **LOGIN))
        assert set(server.seen) == {""}

    asyncio.run(run())


def test_a_login_that_another_server_asked_for_stays_at_home() -> None:
    """Home asks for basic first, and only then leads away."""
    elsewhere = Server()

    async def run() -> None:
        async with serving(elsewhere.answer) as other:

            class Home(Server):
                async def answer(self, request: web.Request) -> web.Response:
                    response = await super().answer(request)
                    if response.status == 200:
                        raise web.HTTPTemporaryRedirect(other)
                    return response

            home = Home('Basic realm="x"')
            async with serving(home.answer) as url:
                with pytest.raises(PrinterUnreachable, match="found a redirect to"):
                    await ask(address(url, **LOGIN))
            assert home.seen == ["", BASIC]
        assert elsewhere.seen == [""]

    asyncio.run(run())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key with a certificate that nobody signed, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl command to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=camera -keyout {0} -out {0}.crt"
    subprocess.run(make.format(path).split(), check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


def test_a_certificate_that_does_not_hold_is_told_and_may_be_accepted(certificate: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)

    async def run() -> None:
        async with serving(Server('Basic realm="x"').answer, tls) as url:
            with pytest.raises(PrinterUnreachable, match=r"certificate that does not hold.*#insecure=yes"):
                await ask(address(url, **LOGIN))
            assert await ask(address(url, insecure="yes", **LOGIN)) == ["come in"]

    asyncio.run(run())


def test_a_server_without_tls_is_told() -> None:
    async def run() -> None:
        async with serving(Server().answer) as url:
            with pytest.raises(PrinterUnreachable, match=r"found no TLS that works.*write http://"):
                await ask(address(url.replace("http:", "https:")))

    asyncio.run(run())


def test_addresses_that_make_no_sense_are_refused() -> None:
    assert base_url(Address("octoprint", "http://pi/octo/", {})) == "http://pi/octo"
    for where in ("pi:5000", "http://", "http://pi?x=1", "ftp://pi"):
        with pytest.raises(SourceError, match="expected octoprint:http://HOST:PORT"):
            base_url(Address("octoprint", where, {}))
    with pytest.raises(SourceError, match="found a colon in the option user"):
        base_url(Address("octoprint", "http://pi", {"user": "a:b"}))
