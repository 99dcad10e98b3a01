"""The server put together: how `isocenter serve` starts it, and what a worker process is made of."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import logging
import os
import shutil
import sys
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from isocenter import __version__
from isocenter.child import Child, log_to_standard_error
from isocenter.config import Settings
from isocenter.connection_file import published
from isocenter.errors import Forbidden, IsocenterError
from isocenter.life import Life, Parent, thrown_away
from isocenter.pool import ProcessPool
from isocenter.security import HubUsers, Tokens, digest_of, new_secret
from isocenter.state import open_state
from isocenter.supervisor import Sockets, Supervisor, bind, only_server_of

if TYPE_CHECKING:
    from isocenter.archive import Archive
    from isocenter.archive.view import Derivation
    from isocenter.dicom.transform import Transform

_WARM_UP_AFTER = 5.0

log = logging.getLogger("isocenter")


def serve(settings: Settings, life: Life = Life()) -> None:
    """Run a server until SIGTERM or SIGINT, or until its life is over.

    Raises:
        Conflict: another server runs on the data folder, or it is to be thrown away and not empty.
        Unavailable: a port is taken, or children cannot start.
        Forbidden: it would listen beyond this machine, or answer pages of any site, though no token exists.
    """
    log_to_standard_error()
    with only_server_of(settings.data), contextlib.ExitStack() as stack:
        if life.throw_away:
            stack.enter_context(thrown_away(settings.data))
        parent = Parent()
        _check_exposure(settings)
        _check_views(settings)
        _make_folders(settings)
        from isocenter import metrics  # reads where its folder is when it is imported
        from isocenter.keeper import keeper

        sockets = bind(settings)
        stack.callback(sockets.close)
        if settings.http.socket:
            stack.callback(settings.http.socket.unlink, missing_ok=True)
        secret = new_secret()

        def ready() -> None:
            facts = _facts(settings, sockets, secret)
            stack.enter_context(published(settings.data, facts, listed=life.listed))
            _greet(settings, sockets)

        Supervisor(
            settings,
            sockets,
            worker=functools.partial(worker, local=digest_of(secret)),
            keeper=functools.partial(keeper, prepare=in_job_process),
            on_ready=ready,
            on_lost=metrics.forget_process,
            is_orphan=parent.is_gone if life.with_parent else lambda: False,
        ).run()


def worker(settings: Settings, sockets: Sockets, pipe: Connection, *, local: bytes) -> None:
    """A worker process: HTTP and DICOM on one event loop.

    Args:
        settings: all of them.
        sockets: what to listen on; shared with the other workers.
        pipe: to the supervisor.
        local: digest of this start's token, which the connection file carries.
    """
    Child(pipe).run(functools.partial(_services, settings, sockets, local))


def register() -> None:
    """Make known in this process what jobs there are and what makes views; all of a server's run it."""
    from isocenter.archive.view import made_by
    from isocenter.jobs import compacting, kinds, transforms, verifying, zipping
    from isocenter.rest import deid_kinds

    held = (deid_kinds.DEIDENTIFY, deid_kinds.RELEASE)
    for kind in (verifying.VERIFY, zipping.ARCHIVE, compacting.COMPACT, *held):
        kinds.register(kind)
    transforms.register("deidentify", _deidentification)
    made_by(_view)


def _deidentification(recipe: dict[str, Any], data: Path) -> Transform:
    """What de-identifies in an export; loaded where one asks for it."""
    from isocenter.deid.transform import Deidentification

    return Deidentification.of(recipe, data)


def _view(settings: Settings, name: str) -> Derivation:
    """What makes the objects of a view; loaded where there is one."""
    from isocenter.deid.view import of_view

    return of_view(settings, name)


def in_job_process() -> None:
    """Set up a process that runs a job."""
    log_to_standard_error()
    register()


@contextlib.asynccontextmanager
async def _services(settings: Settings, sockets: Sockets, local: bytes) -> AsyncIterator[None]:
    """Everything that a worker offers, from open to drained."""
    from isocenter import dicomweb, explorer, rest
    from isocenter.archive import Archive
    from isocenter.dimse.identities import by_token
    from isocenter.dimse.server import DimseServer
    from isocenter.http.application import make_application, make_server
    from isocenter.http.context import Context
    from isocenter.jobs import Jobs

    register()
    async with contextlib.AsyncExitStack() as stack:
        archive = Archive.open(settings)
        stack.callback(archive.close)
        state = open_state(settings.data)
        stack.callback(state.close)
        # All workers together have about as many processes as there are cores.
        pool = ProcessPool(max((os.cpu_count() or 1) // settings.workers, 1))
        stack.callback(pool.close)
        scratch = settings.data / "run" / "scratch"
        hub = HubUsers(settings.jupyterhub) if settings.jupyterhub else None
        tokens = Tokens(state, local=local, hub=hub)
        context = Context(
            archive,
            settings,
            tokens,
            pool=pool,
            scratch=scratch,
            dicom_port=sockets.dicom_port,
            jobs=Jobs(state),
        )
        stack.callback(context.close)
        http = make_server(
            make_application(context, [*dicomweb.routes, *rest.routes, *explorer.routes]), context
        )
        stack.push_async_callback(http.close_all_connections)
        http.add_sockets(sockets.http)
        stack.callback(http.stop)
        dimse = DimseServer(archive, settings, pool=pool, scratch=scratch, authenticate=by_token(tokens))
        stack.push_async_callback(dimse.stop)
        dimse.listen(sockets.dicom, sockets.dicom_tls)
        warming = asyncio.create_task(_warm_up(archive))
        stack.callback(warming.cancel)
        yield


async def _warm_up(archive: Archive) -> None:
    """Start the query process when the rush of the start is over: the first viewer would wait for it."""
    await asyncio.sleep(_WARM_UP_AFTER)
    try:
        await asyncio.to_thread(archive.warm_up)
    except IsocenterError as error:
        log.warning("The query process did not start ahead of the first question: %s", error)


def _check_exposure(settings: Settings) -> None:
    """Nothing that reaches beyond this machine's owner before a token exists."""
    hosts = [settings.http.host] if settings.http.socket is None else []
    hosts += [settings.dicom.host] if settings.dicom.listen else []
    outside = [host for host in hosts if not _is_loopback(host)]
    anybody = "*" in settings.http.cors_origins
    if not (outside or anybody) or _guarded(settings):
        return
    hint = f'isocenter token create "admin" --role admin --data {settings.data}'
    if outside:
        raise Forbidden(
            f"Without a token nothing listens beyond this machine, and {outside[0]} would", hint=hint
        )
    raise Forbidden("Without a token `http.cors_origins` may not be `*`: any page could call", hint=hint)


def _check_views(settings: Settings) -> None:
    """A recipe that cannot be understood, or a key that is not there, is told before anything starts."""
    for name, dataset in settings.datasets.items():
        if dataset.view_of is not None:
            from isocenter.deid.view import of_view

            of_view(settings, name)


def _guarded(settings: Settings) -> bool:
    """Whether nobody is let in without a token: one exists, or a hub tells whose they are."""
    if settings.jupyterhub is not None:
        return True
    state = open_state(settings.data)
    try:
        return Tokens(state).exist()
    finally:
        state.close()


def _is_loopback(host: str) -> bool:
    """Whether listening on `host` reaches this machine alone; a name other than localhost may be anything."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _make_folders(settings: Settings) -> None:
    """Where the processes of this start keep their figures, and files that a killed server left behind."""
    run = settings.data.resolve() / "run"
    for folder in (run / "metrics", run / "scratch"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(run / "metrics")  # read when they import metrics
    # What libraries put into a temporary folder (DuckDB what memory does not hold) must not outlive a kill.
    os.environ["TMPDIR"] = str(run / "scratch")


def _facts(settings: Settings, sockets: Sockets, secret: str) -> dict[str, Any]:
    dicom = {
        "host": _reachable(settings.dicom.host).strip("[]"),
        "port": sockets.dicom_port,
        "ae_title": settings.ae_title,
    }
    return {
        "url": _url(settings, sockets),
        "token": secret,
        "pid": os.getpid(),
        "data": str(settings.data.resolve()),
        "version": __version__,
        "dicom": dicom if sockets.dicom else None,
    }


def _url(settings: Settings, sockets: Sockets) -> str:
    if settings.http.socket:
        return "http+unix://" + quote(str(settings.http.socket.absolute()), safe="")
    return f"http://{_reachable(settings.http.host)}:{sockets.http_port}"


def _reachable(host: str) -> str:
    """The address by which this machine reaches a listener on `host`, as it stands in a URL."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"[{host}]" if ":" in host else host


def _greet(settings: Settings, sockets: Sockets) -> None:
    guarded = _guarded(settings)
    tls = f", TLS port {settings.dicom.tls.port}" if settings.dicom.tls else ""
    dicom = f"{settings.ae_title} at {settings.dicom.host}:{sockets.dicom_port}{tls}"
    local = "programs of this user" if settings.http.socket else "programs on this machine"
    lines = [
        f"Isocenter {__version__} serves {settings.data}",
        f"  HTTP   {settings.http.socket or _url(settings, sockets)}",
        f"  DICOM  {dicom if sockets.dicom else 'is not listened for'}",
        "  Every request needs a token" if guarded else f"  No token exists: {local} need none",
    ]
    print("\n".join(lines), file=sys.stderr, flush=True)
