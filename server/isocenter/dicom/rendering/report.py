"""Structured reports for reading (PS3.3 C.17.3, PS3.18 8.7.4): the content tree as HTML or plain text.

Every value is escaped. Key object selections and whatever else carries a content tree are shown too. Not
here: reports as tables (`dose`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import Any, NamedTuple

from pydicom import Dataset

from isocenter.dicom.rendering.view import CannotRender

MOST_DEPTH = 64
MOST_ITEMS = 200_000


class Line(NamedTuple):
    """One content item: how deep it is, its concept name, its value; whether it contains others."""

    depth: int
    name: str
    value: str
    container: bool


def lines_of(report: Dataset) -> Iterator[Line]:
    """The content items in reading order, the root first; cut off beyond `MOST_ITEMS`."""
    waiting: list[tuple[int, Dataset]] = [(0, report)]
    told = 0
    while waiting:
        depth, item = waiting.pop()
        told += 1
        if told > MOST_ITEMS:
            yield Line(0, "", "… the report goes on", False)
            return
        container = str(item.get("ValueType") or "") == "CONTAINER"
        yield Line(depth, _meaning(item.get("ConceptNameCodeSequence")), _value(item), container)
        below = item.get("ContentSequence") or []
        if depth < MOST_DEPTH:
            waiting += [(depth + 1, one) for one in reversed(list(below))]


def as_html(report: Dataset) -> str:
    """A page without scripts and links."""
    _check(report)
    title = escape(_meaning(report.get("ConceptNameCodeSequence")) or "Report")
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>\n" for name, value in _head(report)
    )
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{title}</title>\n<style>body{{font:15px/1.4 sans-serif;margin:2em;max-width:60em}}"
        "th{text-align:left;padding-right:1em;vertical-align:top}"
        "p,h2,h3,h4,h5,h6{margin:.3em 0}</style></head><body>\n"
        f"<h1>{title}</h1>\n<table>\n{rows}</table>\n"
    ]
    parts += [_html_line(line) for line in lines_of(report) if line.depth]
    return "".join([*parts, "</body></html>\n"])


def as_text(report: Dataset) -> str:
    """Plain text, indented by depth."""
    _check(report)
    title = _meaning(report.get("ConceptNameCodeSequence")) or "Report"
    parts = [title, "=" * len(title), *(f"{name}: {value}" for name, value in _head(report)), ""]
    for line in lines_of(report):
        if line.depth:
            told = ": ".join(part for part in (line.name, line.value.replace("\r\n", "\n").strip()) if part)
            indent = "  " * (line.depth - 1)
            parts.append(indent + told.replace("\r", "\n").replace("\n", "\n" + indent + "  "))
    return "\n".join(parts) + "\n"


def _check(report: Dataset) -> None:
    if "ContentSequence" not in report and "ConceptNameCodeSequence" not in report:
        raise CannotRender(
            "The object has neither pixels nor a report", hint="retrieve it as application/dicom"
        )


def _head(report: Dataset) -> list[tuple[str, str]]:
    """Who and when, above the content."""
    told = [
        ("Patient", _plain(report.get("PatientName"))),
        ("Patient ID", _plain(report.get("PatientID"))),
        ("Study date", _plain(report.get("StudyDate"))),
        (
            "Content date",
            " ".join(filter(None, (_plain(report.get(k)) for k in ("ContentDate", "ContentTime")))),
        ),
        ("Completion", _plain(report.get("CompletionFlag"))),
        ("Verification", _plain(report.get("VerificationFlag"))),
    ]
    return [(name, value) for name, value in told if value]


def _html_line(line: Line) -> str:
    if line.container:
        level = min(line.depth + 1, 6)
        return f"<h{level}>{escape(line.name or line.value or 'Section')}</h{level}>\n"
    name = f"<b>{escape(line.name)}:</b> " if line.name else ""
    value = escape(line.value).replace("\r\n", "\n").replace("\r", "\n").replace("\n", "<br>")
    return f'<p style="margin-left:{min(line.depth - 1, 20) * 1.2:.1f}em">{name}{value}</p>\n'


def _value(item: Dataset) -> str:
    if "ReferencedContentItemIdentifier" in item:
        numbers = item.ReferencedContentItemIdentifier
        path = [numbers] if isinstance(numbers, int) else numbers
        return "see " + ".".join(map(str, path))
    show = _VALUES.get(str(item.get("ValueType") or ""))
    return show(item) if show else ""


def _measured(item: Dataset) -> str:
    texts = []
    for one in item.get("MeasuredValueSequence") or []:
        unit = one.get("MeasurementUnitsCodeSequence")
        code = _plain(unit[0].get("CodeValue")) if unit else ""
        texts.append(f"{_plain(one.get('NumericValue'))} {'' if code == '1' else code}".strip())
    return ", ".join(texts) or _meaning(item.get("NumericValueQualifierCodeSequence"))


def _coordinates(item: Dataset) -> str:
    data = item.get("GraphicData")
    numbers = data if data is not None and not isinstance(data, float) else []
    return f"{_plain(item.get('GraphicType'))} ({len(numbers)} numbers)"


def _times(item: Dataset) -> str:
    kind = _plain(item.get("TemporalRangeType"))
    names = ("ReferencedSamplePositions", "ReferencedTimeOffsets", "ReferencedDateTime")
    return f"{kind} {next(filter(None, (_plain(item.get(name)) for name in names)), '')}".strip()


def _reference(item: Dataset) -> str:
    references = item.get("ReferencedSOPSequence") or []
    told = []
    for one in references:
        frames = _plain(one.get("ReferencedFrameNumber"))
        told.append(_plain(one.get("ReferencedSOPInstanceUID")) + (f", frame {frames}" if frames else ""))
    return ", ".join(told)


_VALUES: dict[str, Callable[[Dataset], str]] = {
    "TEXT": lambda item: _plain(item.get("TextValue")),
    "CODE": lambda item: _meaning(item.get("ConceptCodeSequence")),
    "NUM": _measured,
    "DATETIME": lambda item: _plain(item.get("DateTime")),
    "DATE": lambda item: _plain(item.get("Date")),
    "TIME": lambda item: _plain(item.get("Time")),
    "PNAME": lambda item: _plain(item.get("PersonName")),
    "UIDREF": lambda item: _plain(item.get("UID")),
    "IMAGE": _reference,
    "COMPOSITE": _reference,
    "WAVEFORM": _reference,
    "SCOORD": _coordinates,
    "SCOORD3D": _coordinates,
    "TCOORD": _times,
}


def _meaning(codes: Any) -> str:
    """Code Meaning of the first code, the code itself where there is none."""
    if not codes:
        return ""
    code = codes[0]
    return _plain(code.get("CodeMeaning")) or _plain(code.get("CodeValue"))


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return (
        str(value).replace("^", " ").strip() if type(value).__name__ == "PersonName" else str(value).strip()
    )
