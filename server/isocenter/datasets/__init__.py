"""Datasets to teach and test with: phantoms and recipes (row 6)."""
