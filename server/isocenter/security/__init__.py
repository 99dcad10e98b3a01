"""Who may do what: tokens and rights (row 2)."""
