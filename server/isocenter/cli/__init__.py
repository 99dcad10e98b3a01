"""The command line (row 9)."""
