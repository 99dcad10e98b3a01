"""The errors a caller of Isocenter may see: one tree, one shape on every face.

::

    IsocenterError
    ├── BadRequest            what was asked cannot be understood        400
    │   ├── UnknownAttribute  no such DICOM attribute (names the nearest)
    │   ├── InvalidValue      a value does not fit its VR or type
    │   └── InvalidQuery      a query text or predicate is malformed
    ├── Unauthorized          no or wrong credentials                    401
    ├── Forbidden             known, but not allowed                     403
    ├── NotFound              no such resource                           404
    │   └── Gone              it was here, and was deleted               410
    ├── NotAcceptable         no representation that the caller accepts  406
    ├── Conflict              it contradicts what is stored              409
    ├── TooLarge              beyond a configured limit                  413
    ├── UnreadableObject      not DICOM, or broken beyond use            422
    ├── Quarantined           kept back by de-identification             422
    ├── Unavailable           try again: locked, busy, starting          503
    │   ├── Timeout           took longer than allowed                   504
    │   └── NoServer          no server was found to connect to          503
    ├── NoSpace               the disk is full                           507
    └── Damaged               what is stored is not what was stored      500

Standard library only: the client imports it.
"""

from __future__ import annotations

from typing import Any, ClassVar


class IsocenterError(Exception):
    """Root of the tree.

    Args:
        message: what happened, without patient data.
        hint: what the reader can do about it.
        detail: JSON-able facts (positions, names, counts).
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str = "", detail: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.hint, self.detail)

    def to_json(self) -> dict[str, Any]:
        """The error body used everywhere outside PS3.18."""
        body = {"code": self.code, "message": self.message, "hint": self.hint, "detail": self.detail}
        return {"error": body}


def _rebuild(kind: type[IsocenterError], message: str, hint: str, detail: Any) -> IsocenterError:
    return kind(message, hint=hint, detail=detail)


class BadRequest(IsocenterError):
    """What was asked cannot be understood."""

    code, status = "bad-request", 400


class UnknownAttribute(BadRequest):
    """No such DICOM attribute."""

    code = "unknown-attribute"


class InvalidValue(BadRequest):
    """A value does not fit its VR or type."""

    code = "invalid-value"


class InvalidQuery(BadRequest):
    """A query text or predicate is malformed."""

    code = "invalid-query"


class Unauthorized(IsocenterError):
    """No or wrong credentials."""

    code, status = "unauthorized", 401


class Forbidden(IsocenterError):
    """Known, but not allowed."""

    code, status = "forbidden", 403


class NotFound(IsocenterError):
    """No such resource."""

    code, status = "not-found", 404


class Gone(NotFound):
    """It was here, and was deleted."""

    code, status = "gone", 410


class NotAcceptable(IsocenterError):
    """No representation that the caller accepts."""

    code, status = "not-acceptable", 406


class Conflict(IsocenterError):
    """It contradicts what is stored."""

    code, status = "conflict", 409


class TooLarge(IsocenterError):
    """Beyond a configured limit."""

    code, status = "too-large", 413


class UnreadableObject(IsocenterError):
    """Not DICOM, or broken beyond use."""

    code, status = "unreadable-object", 422


class Quarantined(IsocenterError):
    """De-identification keeps it back: it may not leave."""

    code, status = "quarantined", 422


class Unavailable(IsocenterError):
    """Try again later: locked, busy or starting."""

    code, status = "unavailable", 503


class Timeout(Unavailable):
    """It took longer than allowed."""

    code, status = "timeout", 504


class NoServer(Unavailable):
    """No server was found to connect to; `detail["tried"]` lists where it was looked for."""

    code = "no-server"

    @property
    def tried(self) -> list[str]:
        """Where it was looked for, and what was there."""
        told = self.detail.get("tried") if isinstance(self.detail, dict) else None
        return [str(line) for line in told or ()]

    def __str__(self) -> str:
        lines = (f"  - {line}" for line in self.tried)
        return "\n".join([f"{self.message}. Tried:", *lines, f"Next: {self.hint}"])

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: whoever has no server is not helped by our stack."""
        return f"{type(self).__name__}: {self}".splitlines()


class NoSpace(IsocenterError):
    """The disk is full."""

    code, status = "no-space", 507


class Damaged(IsocenterError):
    """What is stored is not what was stored."""

    code = "damaged"


_BY_CODE: dict[str, type[IsocenterError]] = {}


def from_json(body: dict[str, Any], status: int = 500) -> IsocenterError:
    """The error that an error body describes; an unknown code falls back to its HTTP status."""
    if not _BY_CODE:
        _collect(IsocenterError)
    told = body.get("error") if isinstance(body, dict) else None
    told = told if isinstance(told, dict) else {}
    kind = _BY_CODE.get(told.get("code", "")) or next(
        (k for k in _BY_CODE.values() if k.status == status), IsocenterError
    )
    message = told.get("message") or f"The server answered {status}"
    return kind(message, hint=told.get("hint") or "", detail=told.get("detail"))


def _collect(kind: type[IsocenterError]) -> None:
    _BY_CODE[kind.code] = kind
    for below in kind.__subclasses__():
        _collect(below)
