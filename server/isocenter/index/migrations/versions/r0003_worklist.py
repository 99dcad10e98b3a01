"""Tables of worklists: UPS workitems, subscriptions, events, subscribers."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROWID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def text(name: str) -> sa.Column[object]:
    """A text that is always there."""
    return sa.Column(name, TEXT, nullable=False, server_default="")


def number(name: str) -> sa.Column[object]:
    """A number that is always there."""
    return sa.Column(name, sa.BigInteger, nullable=False)


def versioned(name: str, identity: list[str], *columns: sa.Column[object]) -> None:
    """A table with epochs, and its indices."""
    op.create_table(
        name,
        sa.Column("id", ROWID, primary_key=True, autoincrement=True),
        *columns,
        number("v0"),
        sa.Column("v1", sa.BigInteger),
    )
    visible, ended = sa.text("v1 IS NULL"), sa.text("v1 IS NOT NULL")
    op.create_index(
        f"{name}_now", name, identity, unique=True, sqlite_where=visible, postgresql_where=visible
    )
    op.create_index(f"{name}_key", name, identity[:1], sqlite_where=ended, postgresql_where=ended)
    op.create_index(f"{name}_v0", name, ["v0"])
    op.create_index(f"{name}_v1", name, ["v1"], sqlite_where=ended, postgresql_where=ended)


def upgrade() -> None:
    """Create them."""
    versioned(
        "workitem",
        ["workitem_key", "SOPInstanceUID"],
        number("workitem_key"),
        text("SOPInstanceUID"),
        text("state"),
        text("transaction_uid"),
        text("scheduled"),
        number("created"),
        number("changed"),
        sa.Column("content", sa.Text, nullable=False),
    )
    versioned(
        "subscription",
        ["workitem_key", "SOPInstanceUID", "aetitle"],
        number("workitem_key"),
        text("SOPInstanceUID"),
        text("aetitle"),
        sa.Column("deletion_lock", sa.SmallInteger, nullable=False),
        sa.Column("filter", sa.Text, nullable=False, server_default=""),
    )
    op.create_index("subscription_aetitle", "subscription", ["aetitle"])
    op.create_table(
        "workitem_event",
        sa.Column("id", ROWID, primary_key=True, autoincrement=True),
        text("aetitle"),
        number("time"),
        sa.Column("content", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("workitem_event_aetitle", "workitem_event", ["aetitle", "id"])
    op.create_index("workitem_event_time", "workitem_event", ["time"])
    op.create_table("subscriber", sa.Column("aetitle", TEXT, primary_key=True), number("delivered"))
