"""Where an index is, and whether: a SQLite file, or a schema of a PostgreSQL database.

In PostgreSQL the schema is named after the dataset. What a rebuild makes, and what it put aside, are schemas
beside it, named with a full stop, which no name of a dataset has.
"""

from __future__ import annotations

from pathlib import Path

_POSTGRES = ("postgresql://", "postgres://")


def in_postgres(place: str | Path) -> bool:
    """Whether this is the URL of a PostgreSQL database."""
    return isinstance(place, str) and place.startswith(_POSTGRES)


def has_index(place: str | Path, *, dataset: str = "main") -> bool:
    """Whether there is an index at this place. Raises Unavailable."""
    if not in_postgres(place):
        return Path(place).exists()
    return dataset in datasets_in(str(place))


def datasets_in(url: str) -> set[str]:
    """The names of the indexes in a PostgreSQL database. Raises Unavailable."""
    from isocenter.index.postgres import schemas

    return {schema.removeprefix("isocenter_") for schema in schemas(url)}


def drop_index(url: str, dataset: str) -> None:
    """Drop an index in PostgreSQL, if it is there. Raises Unavailable."""
    from isocenter.index.postgres import drop

    drop(url, f"isocenter_{dataset}")


def exchange_indexes(url: str, new: str, here: str, kept: str) -> None:
    """In PostgreSQL, in one transaction: `here` becomes `kept`, and `new` becomes `here`.

    Nothing happens when it was done before. Raises Unavailable.
    """
    from isocenter.index.postgres import exchange

    exchange(url, *(f"isocenter_{name}" for name in (new, here, kept)))
