"""The code of docs/alerts.md that checks a webhook's signature does check it."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sinks.channels.webhook import WebhookChannel, WebhookTable
from tests.peers.hook_server import hook_server
from tests.sinks.messages import HOSTILE, make_message

SECRET = "whsec_" + base64.b64encode(b"twenty-four bytes secret").decode()


def documented(language: str) -> str:
    """The code of docs/alerts.md that checks a signature, and needs no library for it."""
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")
    return next(
        code.partition("```")[0] for code in page.split(f"```{language}\n")[1:] if "verified(" in code[:400]
    )


@pytest.mark.parametrize("secret", [SECRET, "any text: päss 🙂"])
def test_the_documented_python_knows_what_is_signed(secret: str) -> None:
    with hook_server() as server:
        WebhookChannel(WebhookTable(server.url, secret)).send(make_message(title=HOSTILE), None)
    request, known = server.requests[0], dict[str, Any]()
    exec(documented("python"), known)
    headers = dict(request.headers)
    assert known["verified"](secret, headers, request.body)
    assert not known["verified"](secret, headers, request.body + b" ")
    assert not known["verified"]("whsec_b3RoZXI=", headers, request.body)
    assert not known["verified"](secret, headers | {"webhook-timestamp": "1000"}, request.body)


@pytest.mark.parametrize("secret", [SECRET, "any text: päss 🙂"])
def test_the_documented_javascript_knows_what_is_signed(secret: str) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here: install the Debian package nodejs")
    with hook_server() as server:
        WebhookChannel(WebhookTable(server.url, secret)).send(make_message(title=HOSTILE), None)
    request = server.requests[0]
    told = json.dumps([secret, dict(request.headers), request.body.decode()])
    script = (
        f"{documented('javascript')}\nconst [secret, headers, text] = {told};\n"
        "const body = Buffer.from(text);\n"
        "console.log(verified(secret, headers, body), verified('x' + secret, headers, body),\n"
        "  verified(secret, headers, Buffer.from(text + ' ')));"
    )
    said = subprocess.run([node, "-e", script], capture_output=True, text=True, timeout=30, check=True)
    assert said.stdout.split() == ["true", "false", "false"]
