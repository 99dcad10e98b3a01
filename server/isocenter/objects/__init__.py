"""Stored Part 10 files: immutable, content-checked, swept when nothing names them (row 3)."""

from isocenter.objects.incoming import Incoming
from isocenter.objects.local import LocalStore
from isocenter.objects.lock import Share
from isocenter.objects.part10 import HEAD_SIZE
from isocenter.objects.paths import object_path
from isocenter.objects.store import ObjectInfo, ObjectStore

__all__ = ["HEAD_SIZE", "Incoming", "LocalStore", "ObjectInfo", "ObjectStore", "Share", "object_path"]
