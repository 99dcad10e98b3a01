"""Pixel rules: our own TOML, CTP scripts and deid recipes mean what they meant, or are errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from isocenter.deid.region_scripts import parse_ctp, parse_recipe, read_scripts
from isocenter.deid.regions import Box, Mask, find, own_regions, parse_regions
from isocenter.errors import BadRequest, NotFound

CTP = """
A library of regions   // with a remark

See http://example.org/index.php?title=Regions
**************
     US
**************
Room 3
  { Modality.equals("US") * ( ManufacturerModelName.containsIgnoreCase("alpha")
      + [0008,1090].startsWith("Beta") ) * !ImageType.contains("RAW") }
  (0,0,640,50) (500, 60, 140, 20)

{ [0028,0010].isGreaterThan("1000") }
(1,2,3,4)

Kept back { Modality.equals("OT") }
"""

RECIPE = """
FORMAT dicom
%filter whitelist
LABEL anything # (me)
  contains Modality CT

%filter graylist
LABEL Dose screens # (me)
  contains Modality CT|PT
  + contains ImageType SCREEN SAVE || contains SeriesDescription Dose
  coordinates 0,0,511,119
LABEL Alpha
  missing Manufacturer || empty Manufacturer
  + notequals Rows 512
  ctpcoordinates 10,20,30,40
LABEL Ultrasound
  present SequenceOfUltrasoundRegions
  keepcoordinates from:SequenceOfUltrasoundRegions

%filter blacklist
LABEL Photographs
  + equals Modality XC

%header
REMOVE PatientName
"""


def data(**attributes: object) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def test_a_ctp_script_is_read() -> None:
    rules = parse_ctp(CTP)
    first, second, third = rules
    assert first.name.endswith("Room 3")
    assert first.mask == Mask((Box(0, 0, 640, 50), Box(500, 60, 140, 20)))
    assert find(rules, data(Modality="US", ManufacturerModelName="ALPHA 7")) is first
    assert find(rules, data(Modality="US", ManufacturerModelName="Beta")) is first
    assert find(rules, data(Modality="US", ManufacturerModelName="beta")) is None
    assert find(rules, data(Modality="US", ManufacturerModelName="Beta", ImageType=["RAW", "X"])) is None
    assert find(rules, data(Rows=1001)) is second
    assert find(rules, data(Rows=1000)) is None
    assert third.resolve(data(Modality="OT")) is None


@pytest.mark.parametrize(
    "script",
    [
        "no rule at all",
        '{ Modality.sounds("US") } (0,0,1,1)',
        '{ NoSuchThing.equals("US") } (0,0,1,1)',
        '{ Modality.equals("US") Rows.equals("5") } (0,0,1,1)',
        '{ Modality.equals("US") * } (0,0,1,1)',
        '{ (Modality.equals("US") } (0,0,1,1)',
        '{ Modality.equals("US") } (0,0,0,1)',
        '{ Modality.equals("US") } (-5,0,9,9)',
        '{ Modality.equals("US") } (0,0,9)',
        "(0,0,9,9)",
        '{ Modality.equals("US") } and (0,0,9,9)',
        '{ Modality.equals("US") } (0,0,9,9) { Modality.equals("CT")',
    ],
)
def test_a_ctp_script_that_cannot_be_read_is_an_error(script: str) -> None:
    with pytest.raises(BadRequest):
        parse_ctp(script)


def test_a_recipe_is_read() -> None:
    rules = parse_recipe(RECIPE)
    dose, alpha, ultrasound, photographs = rules
    assert dose.mask == Mask((Box(0, 0, 512, 120),))  # its far corner is masked too
    assert find(rules, data(Manufacturer="A", Modality="PT", SeriesDescription="dose")) is dose
    assert find(rules, data(Manufacturer="A", Modality="CT", ImageType=["DERIVED", "SCREEN SAVE"])) is dose
    assert find(rules, data(Manufacturer="A", Modality="MR", SeriesDescription="dose")) is None
    assert find(rules, data(Rows=256)) is alpha
    assert find(rules, data(Rows=256, Manufacturer="")) is alpha
    assert find(rules, data(Rows=512)) is None
    assert alpha.mask == Mask((Box(10, 20, 30, 40),))
    assert ultrasound.ultrasound
    assert photographs.resolve(data(Modality="XC")) is None


@pytest.mark.parametrize(
    "lines",
    [
        "LABEL a",
        "contains Modality US",
        "LABEL a\n resembles Modality US",
        "LABEL a\n contains Modality US\n contains Rows 5",
        "LABEL a\n contains Modality (",
        "LABEL a\n contains Manfacturer ADAC\n ctpcoordinates 0,0,9,9",
        "LABEL a\n || contains Modality US",
        "LABEL a\n contains Modality US\n coordinates 1,2,3",
        "LABEL a\n contains Modality US\n coordinates 9,9,3,3",
    ],
)
def test_a_recipe_that_cannot_be_read_is_an_error(lines: str) -> None:
    with pytest.raises(BadRequest):
        parse_recipe(f"FORMAT dicom\n%filter graylist\n{lines}\n")


def test_files_are_told_apart(tmp_path: Path) -> None:
    for name, text in (("a.script", CTP), ("deid.dicom", RECIPE)):
        (tmp_path / name).write_text(text)
    (tmp_path / "a.toml").write_text('version = 1\n[[rule]]\nmatch = { Modality = "US" }\n')
    assert [len(read_scripts(tmp_path / name)) for name in ("a.script", "deid.dicom", "a.toml")] == [3, 4, 1]
    with pytest.raises(NotFound):
        read_scripts(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"match": {}},
        {"match": {"Modalty": "US"}},
        {"match": {"Modality": 1.5}},
        {"match": {"Modality": "US"}, "mask": [[0, 0, 1]]},
        {"match": {"Modality": "US"}, "mask": [[-1, 0, 1, 1]]},
        {"match": {"Modality": "US"}, "masks": []},
    ],
    ids=str,
)
def test_a_rule_that_cannot_be_read_is_an_error(rule: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        parse_regions({"version": 1, "rule": [rule]})


def test_our_own_rules_can_be_read() -> None:
    assert own_regions()
