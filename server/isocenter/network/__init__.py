"""The DICOM upper layer (PS3.8) in both roles, on the event loop (row 2)."""
