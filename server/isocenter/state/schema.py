"""Tables of `state.db`: what belongs to the server. What belongs to a dataset is in that dataset's index."""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Text

# Written to `PRAGMA user_version`. A file of a higher version is refused; a lower one is migrated.
VERSION = 1

metadata = MetaData()

token = Table(
    "token",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("datasets", Text, nullable=False),  # JSON list of names; [] is every dataset
    Column("created", Integer, nullable=False),  # microseconds since 1970, UTC
    Column("expires", Integer),  # the same; NULL never
)
