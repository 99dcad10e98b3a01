"""Tornado handlers and streams that every web face shares (row 7)."""
