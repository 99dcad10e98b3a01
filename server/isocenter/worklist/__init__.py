"""Worklists: Unified Procedure Steps (PS3.4 Annex CC) and what happens to them."""
