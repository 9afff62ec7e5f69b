"""A motion detector for Viseron: the mask of an edge build in the place of mog2 or
background_subtractor. A shadow or a tree is no motion, and somebody who stands still is.

Written against Viseron's interface as its mog2 uses it, and tested with a stand-in for that
interface; it has not run inside Viseron. Build on the machine where Viseron runs, make a background
of each camera, and give Viseron's image edge itself and this folder as a component:

    edge build --precision int8 && edge background rtsp://camera/stream --out camera_1.png
    FROM roflcoopter/viseron
    COPY edge /edge
    RUN pip3 install -c /edge/constraints.txt '/edge[openvino]'
    COPY examples/viseron/edge_motion /src/viseron/components/edge_motion

    # config.yaml of Viseron
    edge_motion:
      motion_detector:
        cameras:
          camera_1:
            build: /config/build/small-int8-openvino
            bg: /config/camera_1.png
            fps: 5
            area: 0.003
"""

import voluptuous as vol
from viseron.domains import RequireDomain, setup_domain
from viseron.domains.motion_detector import CAMERA_SCHEMA_SCANNER
from viseron.domains.motion_detector.const import CONFIG_CAMERAS
from viseron.helpers.validators import CameraIdentifier

COMPONENT = "edge_motion"
DOMAIN = "motion_detector"

CAMERA_SCHEMA = CAMERA_SCHEMA_SCANNER.extend({vol.Required("build"): str, vol.Required("bg"): str})
CONFIG_SCHEMA = vol.Schema(
    {
        vol.Required(COMPONENT): {
            vol.Required(DOMAIN): {
                vol.Required(CONFIG_CAMERAS): {CameraIdentifier(): CAMERA_SCHEMA}
            }
        }
    },
    extra=vol.ALLOW_EXTRA,
)


def setup_domains(vis, config):
    """Set up a motion detector for each camera."""
    config = config[COMPONENT]
    for identifier in config[DOMAIN][CONFIG_CAMERAS]:
        needed = [RequireDomain(domain="camera", identifier=identifier)]
        setup_domain(vis, COMPONENT, DOMAIN, config, identifier=identifier, require_domains=needed)
