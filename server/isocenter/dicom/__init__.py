"""The DICOM standard, pure: no input or output, no settings (row 0)."""
