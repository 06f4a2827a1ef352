"""Certificates for a broker that programs check as they check a web server's, the name in it included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


def server_certificate(folder: Path, *names: str, expired: bool = False) -> Path:
    """``ca.pem``, ``server.pem`` and ``server.key`` for these names in ``folder``; returns ``ca.pem``."""
    authority, now = trustme.CA(), datetime.now(UTC)
    until = now - timedelta(days=1) if expired else now + timedelta(days=1)
    issued = authority.issue_cert(*names, not_before=now - timedelta(days=2), not_after=until)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    issued.private_key_pem.write_to_path(str(folder / "server.key"))
    for number, part in enumerate(issued.cert_chain_pems):
        part.write_to_path(str(folder / "server.pem"), append=number > 0)
    return folder / "ca.pem"
