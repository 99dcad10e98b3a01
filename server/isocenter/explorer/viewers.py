"""`/viewers/<name>/`: the files of an installed viewer, set to look into this archive.

The files are public software and need no credentials; what a viewer then asks of DICOMweb does. Pages are
isolated from other origins (COOP and COEP), as WebAssembly threads need it, and may load from here alone.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import re
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from tornado.httputil import format_timestamp

from isocenter.errors import NotFound
from isocenter.explorer.packages import VIEWERS, folder_of
from isocenter.http.handler import Handler
from isocenter.http.stream import read_segments, send_pieces
from isocenter.security import Action

ROOT = r"(?:/datasets/(?P<dataset>[A-Za-z0-9_-]{1,64}))?/viewers"
_ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'self' blob: data:;"
        " script-src 'self' blob: 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval';"
        " style-src 'self' 'unsafe-inline'; worker-src 'self' blob:;"
        " frame-ancestors 'self'; form-action 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
}
_TYPES = {".wasm": "application/wasm", ".js": "text/javascript", ".mjs": "text/javascript"}
# A name that holds the digest of its content is for ever.
_HASHED = re.compile(r"[.-][0-9a-f]{8,}\.[a-z0-9]+$")


class ViewerHandler(Handler):
    """A file of a viewer; a path that is none is a place inside the viewer, whose page then decides."""

    face = "viewer"
    public: ClassVar[bool] = True
    actions: ClassVar = {"GET": Action.READ, "HEAD": Action.READ}

    async def get(self, viewer: str, path: str | None, dataset: str | None = None) -> None:
        """Send it."""
        folder = folder_of(self.context.settings.data, viewer) if viewer in VIEWERS else None
        if folder is None or not await self.context.short(folder.is_dir):
            hint = f"isocenter viewer install {viewer}" if folder else f"there are: {', '.join(VIEWERS)}"
            raise NotFound(f"The viewer {viewer[:40]!r} is not installed", hint=hint)
        if path is None:
            self.redirect(f"{self._mount}{self.request.path}/", permanent=True)
            return
        for name, value in _ISOLATED.items():
            self.set_header(name, value)
        prefix = self._mount + (f"/datasets/{dataset}" if dataset else "")
        if viewer == "ohif" and path == "app-config.js":
            self._send_text("text/javascript", _ohif_settings(prefix))
            return
        found = await self.context.short(_file, folder, path)
        if found is None or found.name == "index.html":
            page = await self.context.short((folder / "index.html").read_text, encoding="utf-8")
            self._send_text("text/html", _page(page, f"{prefix}/viewers/{viewer}/"))
            return
        await self._send_file(found)

    head = get

    @property
    def _mount(self) -> str:
        """The path that a proxy has before ours (`X-Forwarded-Prefix`), which pages have to name."""
        return urlsplit(self.base_url).path

    def _send_text(self, media_type: str, text: str) -> None:
        data = text.encode()
        self.set_header("Content-Type", f"{media_type}; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        self.set_header("ETag", f'"{hashlib.blake2b(data, digest_size=12).hexdigest()}"')
        if self.check_etag_header():
            self.set_status(304)
            return
        self.write(data)

    async def _send_file(self, file: Path) -> None:
        with await self.context.short(file.open, "rb") as opened:
            size = file.stat().st_size
            guessed = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0]
            self.set_header("Content-Type", guessed or "application/octet-stream")
            lasting = "public, max-age=31536000, immutable" if _HASHED.search(file.name) else "no-cache"
            self.set_header("Cache-Control", lasting)
            self.set_header("Last-Modified", format_timestamp(file.stat().st_mtime))
            self.set_header("ETag", f'"{size:x}-{file.stat().st_mtime_ns:x}"')
            if self.check_etag_header():
                self.set_status(304)
                return
            self.set_header("Content-Length", str(size))
            if self.request.method != "HEAD":
                await send_pieces(self, read_segments(opened, [(0, size)]))


def _file(folder: Path, path: str) -> Path | None:
    """The file of this name below `folder`, None when there is none; a name with a suffix must be one.

    Raises:
        NotFound: a file is asked for that is not there.
    """
    parts = path.split("/")
    if path and not any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
        found = folder.joinpath(*parts)
        if found.is_file():
            return found
    if "." in parts[-1]:
        raise NotFound("The viewer has no such file")
    return None


def _page(page: str, address: str) -> str:
    """The viewer's page for its address, and without what it would load from other hosts."""
    page = re.sub(r'<link[^>]+href="https://fonts\.[^"]*"[^>]*>', "", page)
    page = re.sub(
        r'href="https://[^"]*materialdesignicons\.min\.css"',
        'href="./icons/css/materialdesignicons.min.css"',
        page,
    )
    page = re.sub(r'(href|src|content)="/(?!/)', r'\1="' + address, page)
    page = page.replace('window.PUBLIC_URL="/"', f"window.PUBLIC_URL={json.dumps(address)}")
    return page.replace("<head>", f'<head><base href="{address}">', 1)


def _ohif_settings(prefix: str) -> str:
    """OHIF's configuration: one DICOMweb source, this dataset."""
    root = f"{prefix}/dicom-web"
    source = {
        "friendlyName": "Isocenter",
        "name": "isocenter",
        "qidoRoot": root,
        "wadoRoot": root,
        "wadoUriRoot": f"{prefix}/wado",
        "qidoSupportsIncludeField": True,
        "supportsReject": False,
        "supportsStow": True,
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "enableStudyLazyLoad": True,
        "supportsFuzzyMatching": True,
        "supportsWildcard": True,
        "dicomUploadEnabled": True,
        "omitQuotationForMultipartRequest": True,
        "singlepart": "bulkdata,video,pdf",
        "bulkDataURI": {"enabled": True, "relativeResolution": "studies"},
    }
    settings = {
        "routerBasename": f"{prefix}/viewers/ohif",
        "extensions": [],
        "modes": [],
        "customizationService": {},
        "showStudyList": True,
        "maxNumberOfWebWorkers": 3,
        "showLoadingIndicator": True,
        "strictZSpacingForVolumeViewport": True,
        "investigationalUseDialog": {"option": "never"},
        "defaultDataSourceName": "isocenter",
        "dataSources": [
            {
                "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
                "sourceName": "isocenter",
                "configuration": source,
            }
        ],
    }
    # OHIF resolves relative roots against its own page in places, so they are made absolute where it runs.
    return (
        f"window.config = {json.dumps(settings, indent=1)};\n"
        "for (const source of window.config.dataSources)\n"
        "  for (const name of ['qidoRoot', 'wadoRoot', 'wadoUriRoot'])\n"
        "    source.configuration[name] = window.location.origin + source.configuration[name];\n"
    )


routes = [(ROOT + r"/(?P<viewer>[a-z0-9-]{1,40})(?:/(?P<path>.*))?", ViewerHandler)]
