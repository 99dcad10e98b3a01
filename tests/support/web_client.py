"""A plain HTTP client of a running server, on one kept connection: nothing between the measurement and it."""

from __future__ import annotations

import http.client
import json
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

AS_STORED = "application/dicom; transfer-syntax=*"


class WebClient:
    """Asks one server; the connection is kept, and opened again when it was lost."""

    def __init__(self, url: str, token: str = "", *, timeout: float = 300.0) -> None:
        place = urlsplit(url)
        self.connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=timeout)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
        """The body of a good answer; header names are written with underscores.

        Raises:
            RuntimeError: the status is 300 or more.
        """
        told = self._headers | {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, told)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:500]!r}")
        return content

    def search(self, level: str, keys: dict[str, Any]) -> list[dict[str, Any]]:
        """What a QIDO-RS search finds."""
        return list(json.loads(self.ask("GET", f"/dicom-web/{level}?{urlencode(keys)}") or b"[]"))

    def post(self, path: str, document: dict[str, Any], accept: str = "application/json") -> bytes:
        """The answer to a JSON document."""
        body = json.dumps(document).encode()
        return self.ask("POST", path, body, Content_Type="application/json", Accept=accept)

    def store(self, files: list[bytes]) -> set[str]:
        """STOW-RS of Part 10 files in one request; the SOP Instance UIDs that the answer acknowledges."""
        parts = [b"--part\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n" for file in files]
        body = b"".join(parts) + b"--part--\r\n"
        kind = 'multipart/related; type="application/dicom"; boundary=part'
        accept = "application/dicom+json"
        answer = json.loads(self.ask("POST", "/dicom-web/studies", body, Content_Type=kind, Accept=accept))
        done = answer.get("00081199", {}).get("Value", [])
        return {item["00081155"]["Value"][0] for item in done}

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> WebClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def data_set_of(file: bytes) -> bytes:
    """The data set bytes of a Part 10 file whose meta group begins with its length (PS3.10 7.1)."""
    assert file[128:132] == b"DICM"
    return file[144 + int.from_bytes(file[140:144], "little") :]
