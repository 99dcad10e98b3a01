"""JSON schemas of what DICOMweb requests and answers carry, for its OpenAPI description.

They say what a value looks like; what is refused beyond that is said by the handlers.
"""

from __future__ import annotations

from typing import Any

from isocenter.dicom.rendering.view import PROFILES
from isocenter.dicomweb.traits import JSON

Schema = dict[str, Any]

_UID: Schema = {"type": "string", "minLength": 1, "maxLength": 64, "description": "A DICOM UID"}
_AE_TITLE: Schema = {"type": "string", "minLength": 1, "maxLength": 16, "pattern": r"^[!-.0-\[\]-~]+$"}
_SWITCH: Schema = {"type": "boolean"}
_COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": 999_999_999_999}

# The name of a parameter is that of its schema here, save where two resources give one name two meanings.
_WIRE = {"value_offset": "offset"}

_PARAMETERS: dict[str, Schema] = {
    "study": _UID,
    "series": _UID,
    "instance": _UID,
    "workitem": _UID,
    "uid": _UID,
    "transaction": _UID,
    "aetitle": _AE_TITLE,
    "frames": {
        "type": "string",
        "pattern": "^[1-9][0-9]{0,4}(,[1-9][0-9]{0,4}){0,3}$",
        "description": "Numbers of frames, from 1, separated by commas",
    },
    "element": {
        "type": "string",
        "minLength": 1,
        "examples": ["7FE00010", "PixelData", "52009230/1/00189074/1/00480106"],
        "description": "Tag or keyword; below a sequence the number of the item, from 1, and its element",
    },
    "limit": _COUNT,
    "offset": _COUNT,
    "value_offset": {"type": "array", "items": _COUNT},
    "includefield": {
        "type": "array",
        "items": {
            "type": "string",
            "examples": ["all", "StudyDescription", "00081030", "SharedFunctionalGroups"],
        },
    },
    "fuzzymatching": _SWITCH,
    "emptyvaluematching": _SWITCH,
    "multiplevaluematching": _SWITCH,
    "count": _SWITCH,
    "deletionlock": _SWITCH,
    "dicomdir": _SWITCH,
    "names": {"type": "string", "enum": ["short", "uid"]},
    "filter": {"type": "string", "examples": ["WorklistLabel=Dose"]},
    "viewport": {
        "type": "string",
        "pattern": r"^[1-9][0-9]{0,2},[1-9][0-9]{0,2}(,[0-9]{1,3},[0-9]{1,3}(,-?[1-9][0-9]{0,2}){2})?$",
        "description": "Width and height to fit into, and the part of the image: x, y, width, height",
    },
    "window": {
        "type": "string",
        "pattern": r"^-?[0-9]{1,4},[1-9][0-9]{0,4},(linear|linear-exact|sigmoid)$",
        "description": "Center, width and function",
    },
    "quality": {"type": "integer", "minimum": 1, "maximum": 100},
    "annotation": {"type": "string", "pattern": "^(patient|technique|patient,technique)$"},
    "iccprofile": {"type": "string", "enum": list(PROFILES)},
    "accept": {"type": "string", "description": "As the header Accept, before which it goes"},
    "Range": {"type": "string", "pattern": "^bytes=([0-9]{1,6}-[0-9]{0,6}|-[1-9][0-9]{0,5})$"},
    "If-None-Match": {"type": "string", "pattern": '^(\\*|"[0-9a-z-]{1,60}")$'},
    "If-Range": {"type": "string", "pattern": '^"[0-9a-z-]{1,60}"$'},
    "If-Modified-Since": {
        "type": "string",
        "examples": ["Wed, 01 Jan 2025 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"],
    },
}

ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {name: {"type": "string"} for name in ("code", "message", "hint")} | {"detail": {}},
        }
    },
}
_VRS = "AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV"
DATA_SET: Schema = {
    "type": "object",
    "description": "A data set in the DICOM JSON model (PS3.18 F.2)",
    "patternProperties": {
        "^[0-9A-F]{8}$": {
            "type": "object",
            "required": ["vr"],
            "properties": {
                "vr": {"type": "string", "enum": _VRS.split(" ")},
                "Value": {"type": "array"},
                "BulkDataURI": {"type": "string"},
                "InlineBinary": {"type": "string", "contentEncoding": "base64"},
            },
        }
    },
    "additionalProperties": False,
}
_ONE = {"$ref": "#/components/schemas/DataSet"}
_SEVERAL: Schema = {"type": "array", "items": _ONE}


def wire_name(name: str) -> str:
    """The name of a parameter in a request."""
    return _WIRE.get(name, name)


def parameter(name: str, place: str) -> Schema:
    """A parameter of an operation.

    Args:
        name: see `traits`.
        place: `path`, `query` or `header`.
    """
    schema = _PARAMETERS.get(name, {"type": "string", "minLength": 1})
    made: Schema = {"name": wire_name(name), "in": place, "schema": schema}
    return made | {"required": True} if place == "path" else made


def request_body(kinds: tuple[str, ...]) -> Schema:
    """The body of a request: one data set, or an array of one, where it is JSON."""
    of_json = {"oneOf": [{**_SEVERAL, "minItems": 1, "maxItems": 1}, _ONE]}
    return {"required": True, "content": {kind: {"schema": _body(kind, of_json)} for kind in kinds}}


def content(kinds: tuple[str, ...]) -> Schema:
    """The body of an answer."""
    return {kind: {"schema": _body(kind, _SEVERAL)} for kind in kinds}


def _body(kind: str, of_json: Schema) -> Schema:
    """JSON has a shape; everything else is bytes, which OpenAPI 3.1 says by an empty schema."""
    return of_json if kind == JSON else {}
