"""What the operating system refuses, in the words of our error tree: disk full, read-only, not there."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from isocenter.errors import IsocenterError, NoSpace, NotFound, Unavailable

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turn the operating system's errors into ours; `doing` completes "Cannot ..."."""
    try:
        yield
    except OSError as error:
        raise from_os_error(error, doing) from error


def from_os_error(error: OSError, doing: str) -> IsocenterError:
    """Our error for one of the operating system: NoSpace, NotFound or Unavailable; no path in its message."""
    reason = error.strerror or type(error).__name__
    if error.errno in _FULL:
        return NoSpace(f"Cannot {doing}: {reason}", hint="free space on the disk of the data folder")
    if isinstance(error, FileNotFoundError):
        return NotFound(f"Cannot {doing}: {reason}")
    hint = "the data folder must be writable" if error.errno in _REFUSED else ""
    return Unavailable(f"Cannot {doing}: {reason}", hint=hint)
