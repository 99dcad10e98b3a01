"""The steps that alembic takes an older index through; `isocenter.index.migrate` says when."""
