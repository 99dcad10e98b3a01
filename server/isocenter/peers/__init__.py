"""Remote application entities: who they are and what they may do (row 5)."""
