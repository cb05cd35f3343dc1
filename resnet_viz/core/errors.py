"""Errors that a person reads: one sentence of what is wrong, one of what to do next.

The window shows ``str(error)`` in a banner and the command line prints the same text and
exits with status 2, so nobody has to write a message twice.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can mend; ``str(error)`` is the whole message, with a next step."""


class UnknownNameError(UserError):
    """A name that is in no registry; the message lists the three nearest names."""


class LayerNotFoundError(UnknownNameError):
    """A layer name that the net does not have."""


class CheckpointError(UserError):
    """A checkpoint that cannot be opened, or that does not fit the net."""


class PictureError(UserError):
    """A picture that cannot be read."""


class DataError(UserError):
    """A data set that is missing, empty or malformed."""


class OutputError(UserError):
    """A file that cannot be written."""


class Cancelled(Exception):  # noqa: N818 - not an error: the user changed their mind
    """The work was given up because its token was set."""


def nearest(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Return up to ``count`` of ``names`` that look most like ``name``, best first."""
    return difflib.get_close_matches(name, list(names), n=count, cutoff=0.3)


def unknown(what: str, name: str, names: Iterable[str]) -> str:
    """Return the sentence for a name that is not known, with the nearest ones as next step."""
    names = list(names)
    close = nearest(name, names) or names[:3]
    hint = f" Did you mean {', '.join(close)}?" if close else ""
    return f"There is no {what} named '{name}'.{hint}"
