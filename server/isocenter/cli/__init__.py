"""The command line (row 9): `isocenter COMMAND`. Each command has a module of its own, imported when it runs.

Exit codes: 0 done; 1 done, and something is not as it should be (a file refused, a digest that differs);
2 not done: wrong usage, or an error that the message explains; 130 interrupted.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Entry point of the `isocenter` command."""
    from isocenter.cli.application import application
    from isocenter.cli.output import tell_error
    from isocenter.errors import IsocenterError

    try:
        application(prog_name="isocenter")
    except IsocenterError as error:
        tell_error(error)
        sys.exit(2)
    except OSError as error:
        named = f": {error.filename}" if error.filename is not None else ""
        tell_error(IsocenterError(f"{error.strerror or error}{named}"))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
