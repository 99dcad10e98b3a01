"""A request whose client has gone: its handler is cancelled where it waits, and so is what it waits for.

Only for what changes nothing: a handler that stores is not interrupted. A thread that reads goes on to the
end of its piece; work of the process pool that has not begun is dropped.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeVar, cast

from tornado.iostream import StreamClosedError

from isocenter.http.handler import Handler

M = TypeVar("M", bound=Callable[..., Coroutine[Any, Any, None]])


@contextmanager
def closed_on_error(file: BinaryIO) -> Iterator[None]:
    """Close a file that is to be handed on when that fails, or when the request ends before."""
    try:
        yield
    except BaseException:
        file.close()
        raise


def ends_with_connection(method: M) -> M:
    """Decorates a method of a handler, `get`: it ends when the client goes away."""

    @functools.wraps(method)
    async def ending(self: Handler, *args: Any, **kwargs: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        gone = False

        def end() -> None:
            nonlocal gone
            gone = True
            task.cancel()

        self.when_gone = end
        try:
            await method(self, *args, **kwargs)
        except asyncio.CancelledError as error:
            if gone:
                task.uncancel()
                raise StreamClosedError from error
            raise
        finally:
            self.when_gone = None

    return cast(M, ending)
