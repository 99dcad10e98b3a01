"""Tables of `state.db`: what belongs to the server. What belongs to a dataset is in that dataset's index."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, Table, Text

# Written to `PRAGMA user_version`. A file of a higher version is refused; a lower one is migrated.
VERSION = 3

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

job = Table(
    "job",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("dataset", Text, nullable=False),  # empty: the whole server
    Column("creator", Text, nullable=False),
    Column("parameters", Text, nullable=False),  # JSON
    Column("priority", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("wanted", Text, nullable=False),  # `cancel` or `stop` while a running one is asked to end
    Column("created", Integer, nullable=False),  # microseconds since 1970, UTC, like the next two; 0 not yet
    Column("started", Integer, nullable=False),
    Column("ended", Integer, nullable=False),
    Column("phase", Text, nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("owner", Text, nullable=False),  # who runs it
    Column("lease", Integer, nullable=False),  # until when it is the owner's
    Column("result", Text, nullable=False),  # JSON
    Column("output", Text, nullable=False),  # name of a file in its folder
    Column("media_type", Text, nullable=False),
    Column("output_size", Integer, nullable=False),
    Column("error", Text),  # JSON
    Column("revision", Integer, nullable=False),
    Index("job_revision", "revision"),
    Index("job_state", "state"),
)
"""Work that outlives a request; see `isocenter.jobs`."""

review = Table(
    "review",
    metadata,
    Column("job", Text, primary_key=True),  # that made what is held
    Column("verdict", Text, nullable=False),  # `pending`, `accepted` or `rejected`
    Column("reviewer", Text, nullable=False),
    Column("reviewed", Integer, nullable=False),  # microseconds since 1970, UTC, like the next; 0 not yet
    Column("released", Integer, nullable=False),
    Column("rejected", Text, nullable=False),  # JSON list of UIDs of originals
    Column("decisions", Text, nullable=False),  # JSON
    Column("release", Text, nullable=False),  # the job that releases it
)
"""What jobs made and somebody must look at before it leaves; see `isocenter.jobs.reviews`."""

counter = Table("counter", metadata, Column("name", Text, primary_key=True), Column("value", Integer))
"""Numbers that only grow."""
