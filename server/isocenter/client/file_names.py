"""Names of downloaded files: a template of keywords becomes a safe relative path for each instance.

Values cannot leave the folder nor make folders of their own; what some file system does not take is replaced,
what is too long is cut and told apart by a digest. Not here: writing them (`download`).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from string import Formatter
from typing import Any

from isocenter.client.columns import name_of
from isocenter.dicom.attributes import lookup
from isocenter.errors import BadRequest, InvalidQuery

_LONGEST = 120
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*]+')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_ABSENT = "none"


class Template:
    """A template such as `"{PatientID}/{StudyDate}_{StudyInstanceUID}/{InstanceNumber:04}.dcm"`.

    Fields are keywords, with a format of Python's behind a colon; dates are as DICOM writes them. A template
    that ends with `/` is a folder, in which files are called by their SOP Instance UID.

    Raises:
        BadRequest: it is no template, or leads out of the folder.
    """

    def __init__(self, text: str) -> None:
        whole = f"{text}{{SOPInstanceUID}}" if text.endswith("/") or not text else text
        whole = whole if whole.lower().endswith(".dcm") else f"{whole}.dcm"
        self.text = text
        self._parts = [self._parsed(part) for part in whole.split("/")]
        fields = (field for part in self._parts for _, field, _ in part if field)
        self.columns = tuple(dict.fromkeys(fields))

    def path(self, row: Mapping[str, Any]) -> PurePosixPath:
        """The relative path for an instance, of the columns that the template needs."""
        return PurePosixPath(*(_safe(self._filled(part, row)) for part in self._parts))

    def _parsed(self, part: str) -> list[tuple[str, str, str]]:
        hint = 'such as "{PatientID}/{StudyDate}/{SOPInstanceUID}.dcm", below the folder'
        if part in ("", ".", "..") or "\\" in part or ":" in re.sub(r"\{[^}]*\}", "", part):
            raise BadRequest(f"{self.text!r} is no template of a file name", hint=hint)
        try:
            found = list(Formatter().parse(part))
        except ValueError as error:
            raise BadRequest(f"{self.text!r} is no template of a file name: {error}", hint=hint) from None
        if any(conversion for *_, conversion in found) or any(field == "" for _, field, *_ in found):
            raise BadRequest(f"{self.text!r} is no template of a file name", hint=hint)
        return [(literal, name_of(field) if field else "", form or "") for literal, field, form, _ in found]

    def _filled(self, part: list[tuple[str, str, str]], row: Mapping[str, Any]) -> str:
        return "".join(
            literal + (_UNSAFE.sub("_", _text(field, row.get(field), form)) if field else "")
            for literal, field, form in part
        )


def distinct(paths: Iterable[tuple[PurePosixPath, str]]) -> list[PurePosixPath]:
    """Paths that no file system takes for the same: where some are, each gets its SOP Instance UID.

    Args:
        paths: with the SOP Instance UID of each.
    """
    given = list(paths)
    alike: defaultdict[str, set[str]] = defaultdict(set)
    for path, uid in given:
        alike[_folded(path)].add(uid)
    return [
        path.with_name(f"{path.stem}_{_safe(uid)}{path.suffix}") if len(alike[_folded(path)]) > 1 else path
        for path, uid in given
    ]


def _folded(path: PurePosixPath) -> str:
    return unicodedata.normalize("NFKC", str(path)).casefold()


def _text(name: str, value: Any, form: str) -> str:
    if value is None or value == []:
        return _ABSENT
    if isinstance(value, list):
        return "-".join(_text(name, one, "") for one in value)
    vr = "" if name.startswith("_") else lookup(name.rpartition(".")[2]).vr
    if vr == "DA":
        value = str(value).replace("-", "")
    elif vr == "TM" and isinstance(value, int):
        seconds = value // 1_000_000
        value = f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"
    elif isinstance(value, float) and not form:
        form = "g"
    try:
        return format(value, form)
    except (ValueError, TypeError):
        hint = "numbers take forms such as 04, texts such as .8"
        raise InvalidQuery(f"{name} cannot be written in the form {form!r}", hint=hint) from None


def _safe(name: str) -> str:
    """A name that every usual file system takes, as one name and nothing else."""
    made = _UNSAFE.sub("_", unicodedata.normalize("NFC", name)).rstrip(" .").lstrip(" ")
    if made.startswith("."):
        made = f"_{made[1:]}"
    if not made:
        return "_"
    if _DEVICES.fullmatch(made):
        made = f"_{made}"
    if len(made.encode("utf-8", "surrogatepass")) > _LONGEST:
        digest = hashlib.blake2b(made.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
        suffix = f"~{digest}{PurePosixPath(made).suffix if made.lower().endswith('.dcm') else ''}"
        made = made.encode("utf-8", "replace")[: _LONGEST - len(suffix)].decode("utf-8", "ignore") + suffix
    return made.encode("utf-8", "replace").decode()
