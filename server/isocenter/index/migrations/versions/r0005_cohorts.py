"""Tables of frozen cohorts, their members, and the versions that names had."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROWID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def text(name: str) -> sa.Column[object]:
    """A text that is always there."""
    return sa.Column(name, TEXT, nullable=False, server_default="")


def number(name: str) -> sa.Column[object]:
    """A number that is always there."""
    return sa.Column(name, sa.BigInteger, nullable=False)


def long(name: str) -> sa.Column[object]:
    """A text without limit."""
    return sa.Column(name, sa.Text, nullable=False)


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "cohort",
        sa.Column("id", ROWID, primary_key=True, autoincrement=True),
        number("cohort_key"),
        text("name"),
        number("version"),
        text("level"),
        long("query"),
        text("digest"),
        text("members"),
        *(number(name) for name in ("studies", "series", "instances", "size", "seq")),
        long("heads"),
        text("frozen_by"),
        number("frozen"),
        long("description"),
        sa.Column("pinned", sa.SmallInteger, nullable=False),
        number("v0"),
        sa.Column("v1", sa.BigInteger),
    )
    now, ended = sa.text("v1 IS NULL"), sa.text("v1 IS NOT NULL")
    key = ["cohort_key", "name", "version"]
    op.create_index("cohort_now", "cohort", key, unique=True, sqlite_where=now, postgresql_where=now)
    op.create_index("cohort_key", "cohort", key[:1], sqlite_where=ended, postgresql_where=ended)
    op.create_index("cohort_v0", "cohort", ["v0"])
    op.create_index("cohort_v1", "cohort", ["v1"], sqlite_where=ended, postgresql_where=ended)
    op.create_table(
        "cohort_part",
        sa.Column("id", ROWID, primary_key=True, autoincrement=True),
        text("members"),
        number("number"),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("cohort_part_members", "cohort_part", ["members", "number"], unique=True)
    op.create_table("cohort_name", sa.Column("name", TEXT, primary_key=True), number("version"))
