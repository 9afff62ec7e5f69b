"""A real RTSP server for the tests: a moving ball in H.264. Run by the system's Python, which has
GStreamer's bindings: /usr/bin/python3 tests/rtsp_server.py PORT [USER PASSWORD]"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

Gst.init(None)
assert Gst.ElementFactory.find("x264enc"), "no gstreamer1.0-plugins-ugly"
server = GstRtspServer.RTSPServer()
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=15/1"
    " ! x264enc tune=zerolatency key-int-max=15 ! rtph264pay name=pay0 pt=96 )"
)
factory.set_shared(True)
if len(sys.argv) > 2:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(*sys.argv[2:4]), token)
    server.set_auth(auth)
    access = GstRtspServer.RTSPPermissions()
    access.add_permission_for_role("user", "media.factory.access", True)
    access.add_permission_for_role("user", "media.factory.construct", True)
    factory.set_permissions(access)
server.get_mount_points().add_factory("/cam", factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
