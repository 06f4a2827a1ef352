"""TLS sockets for clients that do not look after a failed handshake."""

from __future__ import annotations

import ssl


class ClosingSocket(ssl.SSLSocket):
    """Closes itself where the handshake fails: the MQTT client (paho) leaves it open."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise
