"""A patient called Text or Original: the object stays readable, and the name still goes where it is one."""

from __future__ import annotations

from pydicom.dataset import Dataset

from isocenter.deid.code_strings import is_term
from isocenter.deid.engine import Engine
from isocenter.deid.identifiers import Identifiers
from isocenter.deid.key import Key
from isocenter.deid.profile import Profile


def of(name: str) -> Dataset:
    """A CT of a patient with this name."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4.5"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    made.PatientName, made.PatientID, made.Modality = name, "4711", "CT"
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.ConvolutionKernel = f"B30 {name.partition('^')[0]}"
    return made


def test_a_name_that_is_a_term_does_not_cut_the_code() -> None:
    outcome = Engine(Profile(), Identifiers(Key(bytes(32)))).apply(of("Original^Axial"))
    assert outcome.dataset is not None
    assert list(outcome.dataset.ImageType) == ["ORIGINAL", "PRIMARY", "AXIAL"]
    assert outcome.dataset.ConvolutionKernel == "B30"


def test_another_value_of_such_an_attribute_is_searched() -> None:
    source = of("Miller^Ann")
    source.ImageType = ["ORIGINAL", "PRIMARY", "MILLER"]
    outcome = Engine(Profile(), Identifiers(Key(bytes(32)))).apply(source)
    assert outcome.dataset is not None
    assert "MILLER" not in outcome.dataset.ImageType
    assert not is_term(0x00080008, "MILLER")
