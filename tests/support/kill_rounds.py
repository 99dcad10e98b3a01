"""Rounds of kill -9: a whole server dies in the middle of ingest, and what it acknowledged is looked for.

Senders on several C-STORE associations and STOW-RS connections store small objects as fast as they can and
note what was acknowledged. Then every process of the server is killed at once. After the next start all of it
must be there, byte for byte, in index and catalog alike, and nothing may be there that was not sent.

A killed process loses what it holds, not what the kernel holds: that a power cut loses nothing either is for
tests of the order of fsyncs to show.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.client
import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
from scu import CT, association, store
from web_client import AS_STORED, WebClient, data_set_of

from isocenter.cli.throwaway import Running, server
from isocenter.datasets.phantoms import Subject, ct
from isocenter.errors import IsocenterError
from isocenter.network.negotiation import Proposal

EXPLICIT = "1.2.840.10008.1.2.1"
ASSOCIATIONS, CONNECTIONS, IN_ONE_REQUEST = 3, 2, 4
OFTEN = "[catalog]\nflush_rows = 200\nflush_seconds = 1.0\nsweep_grace = 0.0\n"
"""Settings with which the keeper is killed in the middle of flushes too."""
EVERY = {"op": "not", "term": {"op": "is-null", "path": ["PixelSpacing"]}}
"""What all objects have and the index does not hold: catalog and tail answer."""
_GONE = (OSError, http.client.HTTPException)


@dataclass(frozen=True)
class Sent:
    """Where an object belongs, and the digest of its data set bytes."""

    study: str
    series: str
    digest: str


@dataclass
class Ledger:
    """What was sent and what was acknowledged, over all rounds."""

    sent: dict[str, Sent] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Round:
    """One kill: objects acknowledged before it, when it came, seconds of the next start, what was wrong."""

    acknowledged: int
    after: float
    started_in: float
    lost: tuple[str, ...]


class Objects:
    """CT images without end, all of one series a sender and round, every one with its own bytes."""

    def __init__(self, ledger: Ledger, name: str, size: int) -> None:
        self._ledger = ledger
        self._subject = Subject(PatientID=f"KILL-{name}", seed=name)
        self._image = next(iter(ct(self._subject, slices=1, size=size)))
        self._number = 0

    def next(self) -> tuple[str, bytes]:
        """SOP Instance UID and Part 10 file of the next object."""
        self._number += 1
        image = self._image
        image.SOPInstanceUID = self._subject.uid("killed", self._number)
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.InstanceNumber = self._number
        image.PixelData = random.Random(image.SOPInstanceUID).randbytes(8) + image.PixelData[8:]
        buffer = BytesIO()
        image.save_as(buffer, enforce_file_format=True)
        file = buffer.getvalue()
        digest = hashlib.sha256(data_set_of(file)).hexdigest()
        with self._ledger.lock:
            self._ledger.sent[image.SOPInstanceUID] = Sent(
                image.StudyInstanceUID, image.SeriesInstanceUID, digest
            )
        return image.SOPInstanceUID, file


@contextlib.contextmanager
def ingest(running: Running, ledger: Ledger, name: str, *, size: int = 64) -> Iterator[None]:
    """Store on all associations and connections until the server is gone or the block ends."""
    over = threading.Event()
    senders = [
        (_by_c_store, running, ledger, Objects(ledger, f"{name} c{n}", size), over)
        for n in range(ASSOCIATIONS)
    ] + [(_by_stow, running, ledger, Objects(ledger, f"{name} s{n}", size), over) for n in range(CONNECTIONS)]
    with ThreadPoolExecutor(len(senders)) as pool:
        sending = [pool.submit(*told) for told in senders]
        try:
            yield
        finally:
            over.set()
            for one in sending:
                one.result(60)


def _by_c_store(running: Running, ledger: Ledger, objects: Objects, over: threading.Event) -> None:
    async def send() -> None:
        context = Proposal(CT, (EXPLICIT,))
        async with association(running.dicom_port, context, called=running.ae_title) as asked:
            while not over.is_set():
                uid, file = objects.next()
                reply = await store(asked, data_set_of(file), uid)
                assert reply.status == 0, reply
                ledger.acknowledged.add(uid)

    with contextlib.suppress(IsocenterError):  # killed
        asyncio.run(send())


def _by_stow(running: Running, ledger: Ledger, objects: Objects, over: threading.Event) -> None:
    with WebClient(running.url, running.token) as web, contextlib.suppress(*_GONE):
        while not over.is_set():
            files = dict(objects.next() for _ in range(IN_ONE_REQUEST))
            stored = web.store(list(files.values()))
            assert stored == set(files)
            ledger.acknowledged |= stored


def kill_all(running: Running) -> None:
    """SIGKILL to every process of the server, the supervisor first: none is replaced or told to stop."""
    parent = psutil.Process(running.process.pid)
    everyone = [parent, *parent.children(recursive=True)]
    for process in everyone:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    psutil.wait_procs(everyone[1:], timeout=60)
    running.process.wait(60)


def rounds(data: Path, count: int, ledger: Ledger, *, seed: int = 0, size: int = 64) -> Iterator[Round]:
    """Start, look for what earlier rounds stored, ingest, kill: `count` times on one data folder.

    The last round's objects are looked for after one more start. Each `Round` is that of one kill.
    """
    data.mkdir(parents=True, exist_ok=True)
    (data / "isocenter.toml").write_text(OFTEN)
    dice = random.Random(seed)
    fresh: set[str] = set()
    before: tuple[int, float] | None = None
    for number in range(count + 1):
        began = time.monotonic()
        with server(data, log=data.with_name(f"{data.name}.log")) as running:
            took = time.monotonic() - began
            if before is not None:
                yield Round(*before, took, tuple(look_for(running, ledger, fresh)))
            if number == count:
                return
            known = set(ledger.acknowledged)
            after = dice.uniform(0.05, 1.5)
            with ingest(running, ledger, f"{seed} {number}", size=size):
                _wait_for_more(ledger, len(known))
                time.sleep(after)
                kill_all(running)
            fresh = ledger.acknowledged - known
            before = len(fresh), after


def _wait_for_more(ledger: Ledger, than: int) -> None:
    """Until ingest goes well: a kill before the first acknowledgement shows nothing."""
    deadline = time.monotonic() + 60
    while len(ledger.acknowledged) <= than:
        assert time.monotonic() < deadline, "nothing was acknowledged within a minute"
        time.sleep(0.01)


def look_for(running: Running, ledger: Ledger, uids: set[str]) -> list[str]:
    """What is wrong: acknowledged objects that are not there whole, and disagreement of index and catalog."""
    wrong = []
    with WebClient(running.url, running.token) as web:
        for uid in sorted(uids):
            problem = _compare(web, uid, ledger.sent[uid])
            if problem:
                wrong.append(problem)
        indexed, catalogued = count(web, None), count(web, EVERY)
    if indexed != catalogued:
        wrong.append(f"the index has {indexed} instances, catalog and tail {catalogued}")
    if indexed < len(ledger.acknowledged):
        wrong.append(f"{len(ledger.acknowledged)} were acknowledged, {indexed} are there")
    return wrong


def count(web: WebClient, where: dict[str, Any] | None) -> int:
    """Instances that satisfy a predicate."""
    return int(json.loads(web.post("/api/tables/count", {"level": "instance", "where": where}))["count"])


def _compare(web: WebClient, uid: str, sent: Sent) -> str:
    path = f"/dicom-web/studies/{sent.study}/series/{sent.series}/instances/{uid}"
    try:
        file = web.ask("GET", path, Accept=AS_STORED)
    except RuntimeError as error:
        return str(error)
    found = hashlib.sha256(data_set_of(file)).hexdigest()
    return "" if found == sent.digest else f"{uid}: other bytes"


def everything_there(running: Running, ledger: Ledger) -> list[str]:
    """What is wrong with any object that the server lists, acknowledged or not, and what it has beyond."""
    with WebClient(running.url, running.token) as web:
        listed = []
        while page := web.search("instances", {"limit": 1000, "offset": len(listed)}):
            listed += [one["00080018"]["Value"][0] for one in page]
        wrong = [f"{uid} was never sent" for uid in listed if uid not in ledger.sent]
        wrong += [f"{uid} was acknowledged and is lost" for uid in ledger.acknowledged - set(listed)]
        wrong += [_compare(web, uid, ledger.sent[uid]) for uid in listed if uid in ledger.sent]
    return [one for one in wrong if one]
