"""A camera that is missing, broken, slow or fine, played by stand-ins for OpenCV's."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from resnet_viz.core.errors import PictureError
from resnet_viz.data import camera
from resnet_viz.data.camera import grab_frame


class FakeCamera:
    """Answers like cv2.VideoCapture; BGR frames get brighter as a real one's exposure settles."""

    opened = True
    good = True
    wakes: threading.Event | None = None
    released = 0

    def __init__(self, index: int) -> None:
        if self.wakes is not None:
            self.wakes.wait(60)
        self.frames = 0

    def isOpened(self) -> bool:
        return self.opened

    def read(self) -> tuple[bool, Any]:
        self.frames += 1
        return self.good, np.full((4, 6, 3), (10 * self.frames, 1, 2), np.uint8) if self.good else None

    def release(self) -> None:
        type(self).released += 1


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeCamera]:
    kind = type("Fake", (FakeCamera,), {})
    monkeypatch.setattr(cv2, "VideoCapture", kind)
    monkeypatch.setattr(camera.sys, "platform", "test")  # skips the look into /dev
    return kind


def test_a_picture_after_warming_up_in_rgb(fake: type[FakeCamera]) -> None:
    image = grab_frame()
    assert image.pixels[0, 0].tolist() == [2, 1, 10 * (camera.WARM_UP_FRAMES + 1)]
    assert image.source == "camera" and fake.released == 1


@pytest.mark.parametrize("broken", ["opened", "good"])
def test_a_camera_that_gives_nothing(fake: type[FakeCamera], broken: str) -> None:
    setattr(fake, broken, False)
    with pytest.raises(PictureError, match="Camera 3 gives no picture"):
        grab_frame(3)
    assert fake.released == 1


def test_a_driver_that_raises(fake: type[FakeCamera], monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(self: FakeCamera) -> None:
        raise cv2.error("driver")

    monkeypatch.setattr(fake, "read", crash)
    with pytest.raises(PictureError, match="gives no picture"):
        grab_frame()
    assert fake.released == 1


def test_a_driver_that_does_not_answer_is_given_up_and_let_go(fake: type[FakeCamera]) -> None:
    fake.wakes = threading.Event()
    with pytest.raises(PictureError, match="does not answer within 0 seconds"):
        grab_frame(timeout_s=0.1)
    assert fake.released == 0  # it still waits
    fake.wakes.set()
    for thread in threading.enumerate():
        if thread.name == "camera":
            thread.join(5)
    assert fake.released == 1  # the late camera was not kept


def test_no_camera_is_said_quietly(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(camera.sys, "platform", "linux")
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))
    with pytest.raises(PictureError, match="There is no camera"):
        grab_frame()
    monkeypatch.setattr(camera.sys, "platform", "test")
    with pytest.raises(PictureError, match="Camera 97 gives no picture"):
        grab_frame(97)  # OpenCV itself, which writes to stderr unless it is told not to
    assert capfd.readouterr().err == ""
