"""Addresses are printed without passwords."""

from __future__ import annotations

import pytest

from edge.camera.address import redact_address

PRINTED = {
    "rtsp://ann:s3cret@cam/live": "rtsp://***@cam/live",
    "rtsp://ann:p@ss@cam:554/live": "rtsp://***@cam:554/live",
    "RTSP://ann:pa/ss@cam/live": "RTSP://***@cam/live",
    "rtsp://ann:pa#s?s@cam/live": "rtsp://***@cam/live",
    "http://cam/video?user=ann&password=s3_cret&fps=5": "http://cam/video?user=***&password=***&fps=5",
    "http://cam/video?usr=a&pw=hunter2": "http://cam/video?usr=***&pw=***",
    "http://cam/snap.cgi?u=admin&p=s3cret": "http://cam/snap.cgi?u=***&p=***",
    "http://cam:80/snap?up=2&size=3": "http://cam:80/snap?up=2&size=3",
    "rtsp://cam:554/ann:s3cret/live": "rtsp://cam:554/***/live",
    "ann:s3cret@192.168.1.5:554/live": "***@192.168.1.5:554/live",
    "rtsp:/ann:s3cret@cam/live": "rtsp:/***@cam/live",
    "rtsp//ann:s3cret@cam/live": "rtsp//***@cam/live",
    "rtsp://cam/user=ann_passwd=my_s3cret_channel=1": "rtsp://cam/user=***_passwd=***_channel=1",
    "rtsp://cam/live?AuthToken=abc_def": "rtsp://cam/live?AuthToken=***",
    "videos/a@b.mp4": "videos/a@b.mp4",
}


@pytest.mark.parametrize(("url", "printed"), PRINTED.items())
def test_no_password_is_printed(url: str, printed: str) -> None:
    assert redact_address(url) == printed
