"""The Python client: talks HTTP, imports nothing heavy."""
