"""`isocenter deid-key`: keys of a data folder by which its server de-identifies: make, list, import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isocenter.cli.options import AsJson, Config, Data

if TYPE_CHECKING:
    from isocenter.deid.key_ring import KeyRing, Named

deid_key = typer.Typer(help="Keys by which the server de-identifies.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Its name, by which a recipe says which key is meant.")]


@deid_key.command("new")
def key_new(name: Name, data: Data = None, config: Config = None, as_json: AsJson = False) -> None:
    """Make a key. It cannot be made again: keep a copy of its file, and keep it secret."""
    ring = _ring(data, config)
    _tell(ring, ring.make(name), "Made", as_json=as_json)


@deid_key.command("import")
def key_import(
    name: Name,
    file: Annotated[Path, typer.Argument(help="The key's file, as `isocenter deid --new-key` makes it.")],
    data: Data = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Take the key of a file, which stays: the server and `isocenter deid` then give the same results."""
    ring = _ring(data, config)
    _tell(ring, ring.take(name, file), "Took", as_json=as_json)


@deid_key.command("list")
def key_list(data: Data = None, config: Config = None, as_json: AsJson = False) -> None:
    """List keys by name and fingerprint; no key is shown."""
    from isocenter.cli.output import table, tell_json

    found = _ring(data, config).all()
    if as_json:
        tell_json([one._asdict() for one in found])
    else:
        table(("name", "fingerprint"), [tuple(one) for one in found])


def _tell(ring: KeyRing, made: Named, did: str, *, as_json: bool) -> None:
    from isocenter.cli.output import err, tell_json

    if as_json:
        tell_json(made._asdict())
        return
    words = f"{did} {made.name} in {ring.folder.resolve()}: keep a copy. Fingerprint {made.fingerprint}"
    err.print(words, highlight=False, soft_wrap=True, markup=False)


def _ring(data: Path | None, config: Path | None) -> KeyRing:
    """The keys of a data folder. Raises NotFound: none is made where the one that was meant is not."""
    from isocenter.config import load
    from isocenter.deid.key_ring import KeyRing
    from isocenter.errors import NotFound

    folder = load({} if data is None else {"data": data}, file=config).data
    if not folder.is_dir():
        raise NotFound(f"{folder.resolve()} is no data folder of a server", hint="name it with --data")
    return KeyRing.of(folder)
