"""A pass through a net that may fail in any way, and what a person is told then."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from resnet_viz.core.errors import Cancelled, UserError
from resnet_viz.hooks.capture import REACHED

MOST_SAID = 200
"""Characters of a foreign exception that a sentence quotes."""


@contextmanager
def told() -> Iterator[None]:
    """Turn what a net raises in a pass into a sentence with a next step; the log keeps where it came from.

    Raises:
        UserError: in place of any other exception.
    """
    try:
        yield
    except (UserError, Cancelled):
        raise
    except Exception as error:  # a foreign net may fail in any way
        logging.getLogger("resnet_viz").info("a pass failed", exc_info=error)
        raise UserError(failure(error)) from error


def failure(error: Exception) -> str:
    """Return an exception out of a net as a sentence: at which layer, what it says, and what to do."""
    notes = [note for note in getattr(error, "__notes__", ()) if note.startswith(REACHED)]
    where = f" at {notes[0].removeprefix(REACHED).strip()}" if notes else ""
    said = str(error).strip().partition("\n")[0].rstrip(" .:")
    if not said or isinstance(error, KeyError):  # of a KeyError nothing but the key
        said = f"{type(error).__name__} {said}".strip()
    if len(said) > MOST_SAID:
        said = f"{said[:MOST_SAID].rstrip()}…"
    return f"The net failed{where} on this picture: {said}. Choose another picture or layer."
