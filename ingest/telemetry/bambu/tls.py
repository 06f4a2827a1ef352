"""TLS as Bambu Lab printers speak it: their certificate names the serial number, not the address.

It is signed by a certificate authority of the maker (tls.md of OpenBambuAPI). Its certificate is part of the
maker's slicer and is not ours to hand on: without it there is nothing to check a printer's against.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from socket import socket
from typing import Any

from ingest.tls import ClosingSocket


class _BySerial(ssl.SSLContext):
    """Asks for, and checks, the serial number where others ask for the host's name."""

    sslsocket_class = ClosingSocket
    serial = ""

    def wrap_socket(self, sock: socket, *args: Any, **options: Any) -> ssl.SSLSocket:
        return super().wrap_socket(sock, *args, **{**options, "server_hostname": self.serial})


def tls_context(serial: str, authority: Path | None) -> ssl.SSLContext:
    """TLS that takes the certificate of this printer alone; without an authority's file, any certificate.

    Raises OSError (ssl.SSLError included) where the file cannot be read or holds no certificate.
    """
    context = _BySerial(ssl.PROTOCOL_TLS_CLIENT)  # not VERIFY_X509_STRICT: the maker's CA states no key usage
    context.serial = serial
    if authority is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(authority)
    return context
