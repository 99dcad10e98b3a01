"""Tables of what a view's instances are made of, and how far it has come."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROWID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def text(name: str) -> sa.Column[object]:
    """A text that is always there."""
    return sa.Column(name, TEXT, nullable=False, server_default="")


def number(name: str) -> sa.Column[object]:
    """A number that is always there."""
    return sa.Column(name, sa.BigInteger, nullable=False)


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "origin",
        sa.Column("id", ROWID, primary_key=True, autoincrement=True),
        number("source_key"),
        text("SourceInstanceUID"),
        text("source"),
        text("SOPInstanceUID"),
        text("object"),
        number("size"),
        text("sha256"),
        text("reason"),
    )
    op.create_index("origin_source", "origin", ["source_key", "SourceInstanceUID"], unique=True)
    op.create_index("origin_object", "origin", ["object"])
    op.create_table(
        "view_progress",
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
