"""Where objects, index and catalog meet: the only writer (row 4)."""
