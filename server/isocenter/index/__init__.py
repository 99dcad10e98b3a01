"""The SQL index that answers DICOM queries (row 3)."""
