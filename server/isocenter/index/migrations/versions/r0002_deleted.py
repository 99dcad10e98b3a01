"""The lines of the change log that tell of deletions, found by UID: what was deleted is 410, not 404."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Index the deletions."""
    deletions = sa.text("kind = 'deleted'")
    op.create_index(
        "change_deleted",
        "change",
        ["StudyInstanceUID", "SOPInstanceUID"],
        sqlite_where=deletions,
        postgresql_where=deletions,
    )
