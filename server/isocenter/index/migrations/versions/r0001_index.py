"""The first schema: new indexes are created whole, so that there is nothing to do here."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing: no index is older."""
