"""The Python client: talks HTTP, imports nothing heavy.

`isocenter.connect` and `isocenter.col` are its face; the modules here may be imported on their own.
"""
