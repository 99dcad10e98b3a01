"""Isocenter: a research data server for medical images, at home in Jupyter."""

__version__ = "0.1.0"
