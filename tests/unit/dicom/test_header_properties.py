"""Whatever pydicom writes is read back, in every syntax; whatever bytes come, the reader survives them."""

import io
import struct
import warnings

import pydicom
import pytest
from encoded import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, real_files
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

from isocenter.dicom import frames
from isocenter.dicom.header import Header, UnreadableHeader, read_header
from isocenter.dicom.json_model import to_json_bytes
from isocenter.errors import IsocenterError

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
SYNTAXES = [IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED]

words = st.text("ABCDEF abc.123^", max_size=40)
VALUES = {
    "PatientName": words, "PatientComments": st.text("abc \n", max_size=3000), "StudyDescription": words,
    "Rows": st.integers(0, 65535), "ReferencePixelX0": st.integers(-(2**31), 2**31 - 1),
    "SliceThickness": st.floats(-1e5, 1e5).map(lambda x: f"{x:.6g}"),
    "InstanceNumber": st.integers(-999, 999),
    "RealWorldValueIntercept": st.floats(allow_nan=False), "FrameIncrementPointer": st.just(0x00181063),
    "ICCProfile": st.binary(max_size=3000).map(lambda b: b + b"\0" * (len(b) % 2)),
    "SelectorUTValue": st.text("xyz", max_size=2000), "PixelRepresentation": st.sampled_from([0, 1]),
    "SmallestImagePixelValue": st.integers(0, 30000),
}  # fmt: skip
SEQUENCES = ["ReferencedStudySequence", "RequestAttributesSequence", "ContentSequence"]


def data_sets(children=None):
    values = st.fixed_dictionaries({}, optional=VALUES)
    items = st.just([]) if children is None else st.lists(children, max_size=3)
    sequences = st.dictionaries(st.sampled_from(SEQUENCES), items, max_size=2)
    return st.builds(build, values, sequences, st.booleans())


def build(values, sequences, undefined):
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    for keyword, items in sequences.items():
        setattr(made, keyword, Sequence(items))
        made[keyword].is_undefined_length = undefined
    made.is_undefined_length_sequence_item = undefined
    return made


trees = st.recursive(data_sets(), data_sets, max_leaves=8)


def written(data_set, syntax):
    file = io.BytesIO()
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = syntax
    data_set.file_meta.MediaStorageSOPClassUID = "1.2"
    data_set.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(file, data_set, enforce_file_format=True)
    return file.getvalue()


def texts(elements, big=False):
    """What the elements say, whatever they are written in."""
    said = []
    for e in elements:
        if e.items is not None:
            said.append((e.tag, e.vr, [texts(item) for item in e.items]))
        elif e.value is None:
            said.append((e.tag, e.vr, e.length))
        else:
            width = {"US": 2, "SS": 2, "SL": 4, "FD": 8, "AT": 2}.get(e.vr, 1) if e.big_endian else 1
            parts = [e.value[i : i + width][::-1] for i in range(0, len(e.value), width)]
            said.append((e.tag, e.vr, b"".join(parts)))
    return said


@settings(max_examples=80, deadline=None, suppress_health_check=SLOW)
@given(trees)
def test_the_same_data_set_in_every_syntax(data_set):
    data_set.SOPInstanceUID = "1.2.3.4"
    files = [written(data_set, syntax) for syntax in SYNTAXES]
    headers = [read_header(file) for file in files]
    said = [texts(header.elements()) for header in headers]
    assert said[1:] == said[:1] * 3
    assert len({str(header.index_keys()) for header in headers}) == 1
    assert all(header.problems == () for header in headers)


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(trees, st.sampled_from(SYNTAXES))
def test_the_packed_header_is_the_header(data_set, syntax):
    data_set.SOPInstanceUID = "1.2.3.4"
    file = written(data_set, syntax)
    header = read_header(file)
    again = unpacked(header)
    assert again == header
    assert again.tree() == header.tree()
    for element in flat(header.tree()):
        if element.value is not None and not header.deflated:
            assert file[element.offset :][: element.length] == element.value


def unpacked(header):
    return Header.unpack(
        header.raw, transfer_syntax=header.transfer_syntax, data_set_offset=header.data_set_offset
    )


def flat(elements):
    for element in elements:
        yield element
        for item in element.items or ():
            yield from flat(item)


SEED_NAMES = [
    "MR_small.dcm", "rtplan.dcm", "nested_priv_SQ.dcm", "image_dfl.dcm", "ExplVR_BigEnd.dcm", "badVR.dcm",
    "test-SR.dcm", "reportsi.dcm", "UN_sequence.dcm", "priv_SQ.dcm", "chrH32.dcm", "emri_small_RLE.dcm",
    "DICOMDIR-bigEnd", "SC_rgb_small_odd_jpeg.dcm", "liver_1frame.dcm",
]  # fmt: skip
SEEDS = [path.read_bytes() for path in real_files() if path.name in SEED_NAMES]


def survive(data):
    """All that may be done with a header: it ends, and in nothing worse than an error of ours."""
    try:
        header = read_header(data)
        again = unpacked(header)
        assert again == header
        assert again.tree() == header.tree()
        assert again.index_keys() == header.index_keys()
        to_json_bytes(header)
        with io.BytesIO(data) as file:
            assert read_header(file) == header
        found = frames.locate(data, header)
        for number in range(1, min(found.count, 3) + 1):
            found.frame(number)
    except IsocenterError:
        pass


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 6000), st.binary(min_size=1, max_size=6)), min_size=1, max_size=6),
    st.integers(0, 8000),
)
def test_changed_bytes_never_do_worse_than_an_unreadable_header(seed, changes, cut):
    data = bytearray(seed[:40000])
    for place, new in changes:
        data[132 + place : 132 + place + len(new)] = new
    survive(bytes(data))
    survive(bytes(data[: 132 + cut]))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([*SYNTAXES, None]))
@example(struct.pack("<HH2sH", 8, 5, b"CS", 65535), EXPLICIT_LITTLE)
def test_any_bytes_never_do_worse_than_an_unreadable_header(data, syntax):
    try:
        header = read_header(data, transfer_syntax=syntax)
    except UnreadableHeader:
        return
    assert unpacked(header).tree() == header.tree()
    header.index_keys()
    to_json_bytes(header)


@pytest.mark.timeout(60)  # work grows with the bytes, not with their square
@pytest.mark.parametrize("byte", [b"\0", b"\xff", b" ", b"\xfe\xff\x00\xe0"], ids=repr)
def test_a_megabyte_of_the_same_byte(byte):
    survive(bytes(128) + b"DICM" + byte * (1 << 20))
    survive(byte * (1 << 20))
