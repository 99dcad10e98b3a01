"""The tables of hand-written pages, from what the code negotiates, matches, answers and routes."""

from __future__ import annotations

from python_tables import python_tables
from route_table import routes

from isocenter.config import DicomLimits
from isocenter.dicom import compress, uids
from isocenter.dicom.attributes import COMPUTED, INDEX, lookup
from isocenter.dicom.levels import Level
from isocenter.dicom.non_patient import RESOURCES
from isocenter.dicomweb import contents
from isocenter.dicomweb.media import bulk_type
from isocenter.dimse import models, status
from isocenter.network import negotiation
from isocenter.worklist import states
from isocenter.worklist.attributes import REQUIREMENTS


def tables() -> dict[str, str]:
    """Every generated table by its name in the page."""
    return {
        "routes": routes(),
        "services": _services(),
        "transfer-syntaxes": _transfer_syntaxes(),
        "encoded-syntaxes": _encoded_syntaxes(),
        "attributes": _attributes(),
        "statuses": _statuses(),
        "rejections": _rejections(),
        "limits": _limits(),
        "non-patient": _non_patient(),
        "rendered": _rendered(),
        "workitem-states": _workitem_states(),
        "workitem-attributes": _workitem_attributes(),
        **python_tables(),
    }


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _rendered() -> str:
    rows = [
        ("single-frame image", ", ".join(contents.SINGLE)),
        ("multi-frame image", ", ".join((*contents.SINGLE, f"{contents.MP4} where an encoder is installed"))),
        ("presentation state", ", ".join(contents.Content(contents.Kind.STATE).offers)),
        ("structured report, key object selection", ", ".join(contents.Content(contents.Kind.REPORT).offers)),
        ("video", "as stored: video/mp4, video/mp2t, video/h264 or video/mpeg"),
        ("encapsulated document", "as stored, in the media type that it tells"),
    ]
    return _table(("what is stored", "rendered media types, the first for `*/*`"), rows)


def _services() -> str:
    extended = dict(models.EXTENDED)
    rows = [
        (uids.name_of(uid) or uid, f"`{uid}`", " ".join(map(str, extended.get(uid, b""))))
        for uid in (models.VERIFICATION, *models.MODELS)
    ]
    rows.append(("every storage SOP class; unknown ones unless `dicom.unknown_sop_classes` is off", "", ""))
    return _table(("SOP class (SCP)", "UID", "extended negotiation, bytes supported"), rows)


def _transfer_syntaxes() -> str:
    rows = [
        (uids.name_of(uid) or uid, f"`{uid}`") for uid in sorted(negotiation.STORED_SYNTAXES, key=_numeric)
    ]
    return _table(("transfer syntax", "UID"), rows)


def _encoded_syntaxes() -> str:
    rows = [(uids.name_of(uid), f"`{uid}`", bulk_type(uid)) for uid in compress.ENCODED]
    return _table(("transfer syntax", "UID", "media type of a frame"), rows)


def _numeric(uid: str) -> tuple[int, ...]:
    return tuple(int(part) for part in uid.split("."))


def _attributes() -> str:
    rows = []
    for level in Level:
        for name in (*INDEX[level], *COMPUTED[level]):
            attribute = lookup(name.rpartition(".")[2])
            computed = "computed" if name in COMPUTED[level] else ""
            rows.append((level.value, name, f"`{attribute.tag_text}`", attribute.vr, computed))
    return _table(("level", "attribute", "tag", "VR", ""), rows)


def _statuses() -> str:
    told = [
        ("C-STORE", status.OUT_OF_RESOURCES, "no space, or the index is locked: try again later"),
        (
            "C-STORE",
            status.DOES_NOT_MATCH_SOP_CLASS,
            "command and data set name another SOP class or instance",
        ),
        ("C-STORE", status.CANNOT_UNDERSTAND, "no readable header, or no Study, Series or SOP Instance UID"),
        ("C-STORE", status.CONFLICT, "other bytes are stored under this UID and the dataset rejects"),
        ("C-STORE", status.SOP_CLASS_NOT_SUPPORTED, "the object is no instance (a DICOMDIR)"),
        ("all", status.NOT_AUTHORIZED, "the peer lacks the right"),
        ("all", status.PROCESSING_FAILURE, "anything else"),
        ("C-FIND", status.PENDING, "a match"),
        ("C-FIND", status.PENDING_WITHOUT_OPTIONAL_KEYS, "a match; an optional key was not supported"),
        (
            "C-FIND",
            status.OUT_OF_RESOURCES,
            "more matches than allowed; those before it hold; or as of C-STORE",
        ),
        ("C-FIND, C-MOVE, C-GET", status.CANCELLED, "cancelled"),
        ("C-MOVE, C-GET", status.CANNOT_COUNT_MATCHES, "no space, or the index is locked: try again later"),
        ("C-MOVE, C-GET", status.CANNOT_SEND, "nothing could be sent"),
        ("C-MOVE", status.DESTINATION_UNKNOWN, "no peer of this AE title"),
        ("C-MOVE, C-GET", status.SOME_FAILED, "one or more sub-operations failed; their UIDs are listed"),
    ]
    return _table(("service", "status", "meaning"), [(s, f"`{code:04X}`", text) for s, code, text in told])


def _rejections() -> str:
    told = [
        (negotiation.CALLED_UNKNOWN, "no dataset has this called AE title"),
        (
            negotiation.CALLING_UNKNOWN,
            "the calling AE title, its host or its certificate is not that of a peer",
        ),
        (negotiation.IDENTITY_REFUSED, "the user identity is refused"),
        (negotiation.WRONG_APPLICATION_CONTEXT, "another application context name"),
        (negotiation.WRONG_VERSION, "protocol version without bit 0"),
        (negotiation.TOO_MANY, "too many associations"),
    ]
    rows = [(str(r.result), str(r.source), str(r.reason), text) for r, text in told]
    return _table(("result", "source", "reason", "when"), rows)


def _non_patient() -> str:
    rows = [
        (f"`/{resource}`", uids.name_of(uid) or uid, f"`{uid}`")
        for resource, classes in RESOURCES.items()
        for uid in classes
    ]
    return _table(("resource", "SOP class", "UID"), rows)


def _workitem_states() -> str:
    columns = tuple(states.State)

    def cell(found: states.Cell) -> str:
        if found.status:
            return f"{found.status:04X}"
        return "reported" if found.asks else ", then ".join(found.through)

    rows = []
    for (request, correct), row in states.TABLE.items():
        lock = "" if (request, False) not in states.TABLE else " with the lock" if correct else " without it"
        rows.append((f"{request}{lock}", *(cell(row[state]) for state in columns)))
    return _table(("request", *(state or "none" for state in columns)), rows)


def _workitem_attributes() -> str:
    rows = [
        (row.keyword, f"`{row.tag}`", row.create.replace("0", "empty"), row.set, row.final, row.returned)
        for row in REQUIREMENTS.values()
    ]
    return _table(("attribute", "tag", "N-CREATE", "N-SET", "final", "returned"), rows)


def _limits() -> str:
    rows = [
        (f"`dicom.limits.{name}`", f"{field.default:.16g}", field.description or "")
        for name, field in DicomLimits.model_fields.items()
    ]
    return _table(("setting", "default", "meaning"), rows)
