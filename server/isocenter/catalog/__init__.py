"""The Delta Lake tables: every attribute of every instance (row 3)."""
