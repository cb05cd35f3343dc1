"""One picture from the camera, in a time that is known beforehand."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from resnet_viz.core.errors import PictureError
from resnet_viz.core.types import ImageInput

from .images import from_array

WARM_UP_FRAMES = 8
"""Frames that are thrown away: a camera needs some to set its exposure."""

_NEXT = "Connect one, check that no other program uses it and that this one may, or open a picture instead."


def grab_frame(index: int = 0, timeout_s: float = 8.0) -> ImageInput:
    """Take one picture.

    The camera is opened in a thread of its own, because a driver may never answer; if it
    answers too late the thread gives the camera back at once and ends.

    Args:
        index: number of the camera, from 0.
        timeout_s: how long to wait for the picture.

    Returns:
        ImageInput with source ``"camera"``; pixels uint8 (H, W, 3) RGB.

    Raises:
        PictureError: if there is no camera, it cannot be opened, or it does not answer in time.
    """
    if sys.platform.startswith("linux") and not any(Path("/dev").glob("video*")):
        raise PictureError(f"There is no camera. {_NEXT}")
    answers: SimpleQueue[object] = SimpleQueue()
    given_up = threading.Event()
    worker = threading.Thread(target=_grab, args=(index, answers, given_up), name="camera", daemon=True)
    worker.start()
    try:
        answer = answers.get(timeout=timeout_s)
    except Empty:
        given_up.set()
        raise PictureError(f"Camera {index} does not answer within {timeout_s:.0f} seconds. {_NEXT}") from None
    worker.join()
    if isinstance(answer, np.ndarray) and answer.dtype == np.uint8 and answer.ndim == 3:
        return from_array(np.ascontiguousarray(answer[:, :, 2::-1]), "camera")  # OpenCV gives BGR
    raise PictureError(f"Camera {index} gives no picture. {_NEXT}")


def _grab(index: int, answers: SimpleQueue[object], given_up: threading.Event) -> None:
    """Open the camera and put one frame, BGR uint8 (H, W, 3), or None into ``answers``."""
    answer: object = None
    try:
        answer = _frame(index, given_up)
    except Exception:  # a driver's complaint says nothing that a person could act on; None is answered
        answer = None
    finally:
        answers.put(answer)


def _frame(index: int, given_up: threading.Event) -> object:
    import cv2

    level = _log_level(cv2, 0)
    try:
        camera: Any = cv2.VideoCapture(index)
        try:
            frame: object = None
            if camera.isOpened():
                for _ in range(WARM_UP_FRAMES + 1):
                    if given_up.is_set():
                        break
                    good, picture = camera.read()
                    frame = picture if good else frame
            return frame
        finally:
            camera.release()
    finally:
        _log_level(cv2, level)


def _log_level(cv2: Any, level: int | None) -> int | None:
    """Set how much OpenCV writes to stderr (0: nothing) and return what it was."""
    logging = getattr(getattr(cv2, "utils", None), "logging", None)
    if logging is None or level is None:
        return None
    before: int = logging.getLogLevel()
    logging.setLogLevel(level)
    return before
