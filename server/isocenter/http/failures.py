"""Errors that only HTTP knows (RFC 9110 15.5); the others are in `isocenter.errors`."""

from __future__ import annotations

from isocenter.errors import IsocenterError, NotFound


class MethodNotAllowed(IsocenterError):
    """The resource exists, but not for this method."""

    code, status = "method-not-allowed", 405


class UnsupportedMedia(IsocenterError):
    """The body is of a type that this resource does not take."""

    code, status = "unsupported-media-type", 415


class RangeNotSatisfiable(IsocenterError):
    """The byte range begins behind the end."""

    code, status = "range-not-satisfiable", 416

    @property
    def content_range(self) -> str:
        """The Content-Range that tells how much there is (RFC 9110 14.4)."""
        return f"bytes */{self.detail['size']}"


class Refused(IsocenterError):
    """Any other refusal of the framework, with its own status."""

    code = "http-error"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status  # type: ignore[misc]  # here it differs from error to error


def of_status(status: int, message: str = "") -> IsocenterError:
    """The error for a refusal that the framework expresses by a number."""
    if status == 404:
        return NotFound(message or "There is nothing here")
    if status == 405:
        return MethodNotAllowed(message or "This resource does not have this method")
    return Refused(status, message or f"The request was refused with status {status}")
