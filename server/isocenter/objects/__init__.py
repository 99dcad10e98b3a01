"""Stored Part 10 files: immutable, content-checked, swept when nothing names them (row 3)."""
