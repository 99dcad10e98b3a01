"""The automation API under /api (row 8)."""
