"""DICOMweb and `/api` over a real archive, on a free port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests
from data_sets import data_set, part10
from live_http import LiveHttp

from isocenter import dicomweb, explorer, rest
from isocenter.app import register
from isocenter.archive import Archive, Dataset
from isocenter.config import Settings
from isocenter.http.context import Context
from isocenter.jobs import Jobs
from isocenter.security import Tokens
from isocenter.state import open_state

MULTIPART = 'multipart/related; type="application/dicom"; boundary=here'


class LiveArchive(LiveHttp):
    """The server, and short ways of saying what a client of it does."""

    @property
    def archive(self) -> Archive:
        return self.context.archive

    @property
    def main(self) -> Dataset:
        return self.archive.datasets["main"]

    def store(self, *files: bytes, path: str = "/dicom-web/studies", **options: Any) -> requests.Response:
        """STOW files as one multipart request."""
        parts = (b"--here\r\nContent-Type: application/dicom\r\n\r\n" + raw + b"\r\n" for raw in files)
        headers = {"Content-Type": MULTIPART, **options.pop("headers", {})}
        return self.post(path, data=b"".join(parts) + b"--here--\r\n", headers=headers, **options)

    def search(self, path: str, **parameters: Any) -> Any:
        """The JSON of a search."""
        answer = self.get(f"/dicom-web{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()


def instance(number: int = 1, *, study: str = "1.2.3", series: str = "1", **values: Any) -> bytes:
    """A CT image as a sender's file."""
    uid = values.pop("SOPInstanceUID", f"{study}.{series}.{number}")
    raw = data_set(
        StudyInstanceUID=study,
        SeriesInstanceUID=f"{study}.{series}",
        SOPInstanceUID=uid,
        InstanceNumber=number,
        **values,
    )
    return part10(raw, meta_instance=uid)


@contextmanager
def serving(data: Path, *, query_process: bool = True) -> Iterator[Callable[..., LiveArchive]]:
    """Starts servers over the data folder, with settings; all are closed at the end.

    Without a query process they look into the catalog themselves: for servers of a single test, where the
    process would take a second to start. Those of a whole module have one.
    """
    with ExitStack() as stack:

        def start(**settings: Any) -> LiveArchive:
            chosen = Settings(data=data, **settings)
            archive = stack.enter_context(Archive.open(chosen, query_process=query_process))
            state = open_state(chosen.data)
            stack.callback(state.close)
            register()
            context = Context(archive, chosen, Tokens(state), jobs=Jobs(state))
            return stack.enter_context(
                LiveArchive(context, [*dicomweb.routes, *rest.routes, *explorer.routes])
            )

        yield start
