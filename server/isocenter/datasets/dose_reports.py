"""The content tree of a generated CT radiation dose report (PS3.16 TID 10011, 10012, 10013).

It writes what a demonstration needs; reading the reports of real scanners is not its work.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

_DCM = "DCM"
Concept = tuple[str, str, str]
Items = list[Dataset] | None

_REPORT = ("113701", _DCM, "X-Ray Radiation Dose Report")
_CT = ("77477000", "SCT", "Computed Tomography X-Ray")
_AUTOMATED = ("113856", _DCM, "Automated Data Collection")
_SPIRAL = ("116152004", "SCT", "Spiral Acquisition")
_HEAD_PHANTOM = ("113690", _DCM, "IEC Head Dosimetry Phantom")


def fill_ct(report: Dataset, *, device_uid: str, event_uid: str, ctdi_vol: float, dlp: float) -> None:
    """Make `report` a complete CT dose report of one spiral acquisition.

    Args:
        device_uid: device observer UID.
        event_uid: irradiation event UID.
        ctdi_vol: mean CTDIvol in mGy (IEC 32 cm or 16 cm phantom: head, 16 cm).
        dlp: dose length product in mGy.cm.
    """
    report.CompletionFlag, report.VerificationFlag = "COMPLETE", "UNVERIFIED"
    report.ReferencedPerformedProcedureStepSequence = []
    report.PerformedProcedureCodeSequence = []
    report.ValueType, report.ContinuityOfContent = "CONTAINER", "SEPARATE"
    report.ConceptNameCodeSequence = [_coded(_REPORT)]
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "10011"
    report.ContentTemplateSequence = [template]
    start = f"{report.StudyDate}{report.StudyTime}"
    report.ContentSequence = [
        _code("HAS CONCEPT MOD", ("121058", _DCM, "Procedure reported"), _CT),
        _code("HAS OBS CONTEXT", ("121005", _DCM, "Observer Type"), ("121007", _DCM, "Device")),
        _uid("HAS OBS CONTEXT", ("121012", _DCM, "Device Observer UID"), device_uid),
        _time("HAS OBS CONTEXT", ("113809", _DCM, "Start of X-Ray Irradiation"), start),
        _time("HAS OBS CONTEXT", ("113810", _DCM, "End of X-Ray Irradiation"), start),
        _code(
            "HAS OBS CONTEXT",
            ("113705", _DCM, "Scope of Accumulation"),
            ("113014", _DCM, "Study"),
            [
                _uid("HAS PROPERTIES", ("110180", _DCM, "Study Instance UID"), report.StudyInstanceUID),
            ],
        ),
        _container(
            ("113811", _DCM, "CT Accumulated Dose Data"),
            [
                _number(("113812", _DCM, "Total Number of Irradiation Events"), 1, ("{events}", "events")),
                _number(("113813", _DCM, "CT Dose Length Product Total"), dlp, ("mGy.cm", "mGy.cm")),
            ],
        ),
        _acquisition(event_uid, ctdi_vol, dlp),
        _code("CONTAINS", ("113854", _DCM, "Source of Dose Information"), _AUTOMATED),
    ]


def _acquisition(event_uid: str, ctdi_vol: float, dlp: float) -> Dataset:
    millimetre = ("mm", "mm")
    return _container(
        ("113819", _DCM, "CT Acquisition"),
        [
            _text(("125203", _DCM, "Acquisition Protocol"), "Head 5.0 mm"),
            _code("CONTAINS", ("123014", _DCM, "Target Region"), ("69536005", "SCT", "Head")),
            _code("CONTAINS", ("113820", _DCM, "CT Acquisition Type"), _SPIRAL),
            _uid("CONTAINS", ("113769", _DCM, "Irradiation Event UID"), event_uid),
            _container(
                ("113822", _DCM, "CT Acquisition Parameters"),
                [
                    _number(("113824", _DCM, "Exposure Time"), 20.0, ("s", "s")),
                    _number(("113825", _DCM, "Scanning Length"), round(dlp / ctdi_vol * 10, 3), millimetre),
                    _number(("113826", _DCM, "Nominal Single Collimation Width"), 0.6, millimetre),
                    _number(("113827", _DCM, "Nominal Total Collimation Width"), 38.4, millimetre),
                    _number(("113828", _DCM, "Pitch Factor"), 0.55, ("{ratio}", "ratio")),
                    _number(
                        ("113823", _DCM, "Number of X-Ray Sources"), 1, ("{X-Ray sources}", "X-Ray sources")
                    ),
                    _source(),
                ],
            ),
            _container(
                ("113829", _DCM, "CT Dose"),
                [
                    _number(("113830", _DCM, "Mean CTDIvol"), ctdi_vol, ("mGy", "mGy")),
                    _code("CONTAINS", ("113835", _DCM, "CTDIw Phantom Type"), _HEAD_PHANTOM),
                    _number(("113838", _DCM, "DLP"), dlp, ("mGy.cm", "mGy.cm")),
                ],
            ),
        ],
    )


def _source() -> Dataset:
    return _container(
        ("113831", _DCM, "CT X-Ray Source Parameters"),
        [
            _text(("113832", _DCM, "Identification of the X-Ray Source"), "A"),
            _number(("113733", _DCM, "KVP"), 120, ("kV", "kV")),
            _number(("113833", _DCM, "Maximum X-Ray Tube Current"), 220, ("mA", "mA")),
            _number(("113734", _DCM, "X-Ray Tube Current"), 200, ("mA", "mA")),
            _number(("113834", _DCM, "Exposure Time per Rotation"), 1.0, ("s", "s")),
        ],
    )


def _coded(concept: Concept) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = concept
    return item


def _item(
    relationship: str, value_type: str, concept: Concept, below: list[Dataset] | None = None
) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = relationship, value_type
    item.ConceptNameCodeSequence = [_coded(concept)]
    if below:
        item.ContentSequence = below
    return item


def _container(concept: Concept, below: list[Dataset]) -> Dataset:
    item = _item("CONTAINS", "CONTAINER", concept, below)
    item.ContinuityOfContent = "SEPARATE"
    return item


def _code(relationship: str, concept: Concept, value: Concept, below: list[Dataset] | None = None) -> Dataset:
    item = _item(relationship, "CODE", concept, below)
    item.ConceptCodeSequence = [_coded(value)]
    return item


def _uid(relationship: str, concept: Concept, value: str) -> Dataset:
    item = _item(relationship, "UIDREF", concept)
    item.UID = value
    return item


def _time(relationship: str, concept: Concept, value: str) -> Dataset:
    item = _item(relationship, "DATETIME", concept)
    item.DateTime = value
    return item


def _text(concept: Concept, value: str) -> Dataset:
    item = _item("CONTAINS", "TEXT", concept)
    item.TextValue = value
    return item


def _number(concept: Concept, value: float, unit: tuple[str, str]) -> Dataset:
    item = _item("CONTAINS", "NUM", concept)
    measured = Dataset()
    measured.NumericValue = value
    measured.MeasurementUnitsCodeSequence = [_coded((unit[0], "UCUM", unit[1]))]
    item.MeasuredValueSequence = [measured]
    return item
