"""A table of objects that belong to no patient."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
ROWID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "nonpatient",
        sa.Column("id", ROWID, primary_key=True, autoincrement=True),
        sa.Column("sop_key", sa.BigInteger, nullable=False),
        sa.Column("SOPInstanceUID", TEXT, nullable=False, server_default=""),
        sa.Column("SOPClassUID", TEXT, nullable=False, server_default=""),
        sa.Column("sha256", TEXT, nullable=False, server_default=""),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("json", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("v0", sa.BigInteger, nullable=False),
        sa.Column("v1", sa.BigInteger),
    )
    now, ended = sa.text("v1 IS NULL"), sa.text("v1 IS NOT NULL")
    key = ["sop_key", "SOPInstanceUID"]
    op.create_index("nonpatient_now", "nonpatient", key, unique=True, sqlite_where=now, postgresql_where=now)
    op.create_index("nonpatient_key", "nonpatient", key[:1], sqlite_where=ended, postgresql_where=ended)
    op.create_index("nonpatient_v0", "nonpatient", ["v0"])
    op.create_index("nonpatient_v1", "nonpatient", ["v1"], sqlite_where=ended, postgresql_where=ended)
