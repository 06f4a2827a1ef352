"""An IP camera's stand-in: a real RTSP server (GStreamer's). Run with the Python that Debian's gi is for.

Serves every video named on the command line at /NAME, with a session of its own per client, from its
beginning. Prints its port when it is ready.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 - after their versions are named

METHODS = {"basic": GstRtsp.RTSPAuthMethod.BASIC, "digest": GstRtsp.RTSPAuthMethod.DIGEST}
ROLE = "viewer"
VIDEO = "( filesrc location={} ! qtdemux ! rtph264pay name=pay0 config-interval=-1 )"
JPEGS = (
    "( videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=10/1 "
    "! jpegenc ! rtpjpegpay name=pay0 )"
)


def main() -> None:
    arguments = _arguments()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(arguments.port))
    mounts = server.get_mount_points()
    for video in arguments.videos:
        mounts.add_factory(f"/{video.stem}", _factory(VIDEO.format(video)))
    mounts.add_factory("/jpegs", _factory(JPEGS))
    server.set_auth(_auth(arguments))
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--login", choices=METHODS)
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="")
    parser.add_argument("--certificate", type=Path, help="key and certificate in one file: serve rtsps")
    return parser.parse_args()


def _factory(launch: str) -> GstRtspServer.RTSPMediaFactory:
    permissions = GstRtspServer.RTSPPermissions()
    for allowed in ("access", "construct"):
        permissions.add_permission_for_role(ROLE, f"media.factory.{allowed}", True)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(launch)
    factory.set_permissions(permissions)
    return factory


def _auth(arguments: argparse.Namespace) -> GstRtspServer.RTSPAuth:
    """Who may look: whoever logs in, or everybody where no login is asked for."""
    auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", ROLE)
    if arguments.certificate:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(str(arguments.certificate)))
    if arguments.login == "basic":
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(arguments.user, arguments.password), token)
    elif arguments.login == "digest":
        auth.add_digest(arguments.user, arguments.password, token)
    else:
        auth.set_default_token(token)
    auth.set_supported_methods(METHODS.get(arguments.login, METHODS["basic"]))
    return auth


if __name__ == "__main__":
    main()
