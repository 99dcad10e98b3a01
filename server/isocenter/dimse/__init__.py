"""The DICOM services over associations (row 8)."""
