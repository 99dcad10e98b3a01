"""What displays show: masks, dates, sizes, alignment, in text and HTML alike."""

import contextlib

import pytest

import isocenter
from isocenter.client.display.cells import Preview, broken, cell_text
from isocenter.client.display.html import facts_html, table_html
from isocenter.client.display.masking import is_identifier, masked_in_sql
from isocenter.client.display.text import facts_text, table_text, text_width
from isocenter.client.values import Values

ROWS = [
    {"PatientName": "Doe^Jane", "StudyDate": "2024-02-29", "Rows": 512, "SeriesDescription": "T1 <axial>"},
    {"PatientName": None, "StudyDate": None, "Rows": 64, "SeriesDescription": "x" * 80},
]
PREVIEW = Preview("2 series", tuple(ROWS[0]), ROWS, 2, {"instances": 1200, "size": 640_000_000})


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("StudyDate", "20240229", "2024-02-29"),
        ("StudyDate", "2024-02-29", "2024-02-29"),
        ("StudyTime", 37_815_000_000, "10:30:15"),
        ("AcquisitionDateTime", "2024-02-29T10:30:15.123456", "2024-02-29 10:30:15"),
        ("_received", "2024-02-29T10:30:15.123456+00:00", "2024-02-29 10:30:15"),
        ("_size", 524_288, "524 kB"),
        ("count", 1_234_567, "1,234,567"),
        ("NumberOfStudyRelatedInstances", 1200, "1,200"),
        ("SeriesNumber", 1200, "1200"),
        ("SliceThickness", 1 / 3, "0.333333"),
        ("ImageType", ["ORIGINAL", None, "AXIAL"], "ORIGINAL, , AXIAL"),
        ("PatientID", "20240229", "20240229"),
        ("SeriesDescription", None, ""),
    ],
)
def test_values_are_written_for_people(name, value, shown):
    assert cell_text(name, value) == shown


@pytest.mark.parametrize(
    "name",
    [
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "AccessionNumber",
        "ReferringPhysicianName",
        "OtherPatientIDsSequence.PatientID",
        "RequestAttributesSequence",
        "0009,GEMS_IDEN_01,02",
        "json",
        "private",
        "_unconverted",
    ],
)
def test_what_identifies_a_person_is_known(name):
    assert is_identifier(name)


@pytest.mark.parametrize(
    "name", ["StudyDate", "Modality", "_size", "count", "ProcedureCodeSequence", "SeriesInstanceUID", "low"]
)
def test_what_does_not_stays_readable(name):
    assert not is_identifier(name)


@pytest.mark.parametrize(
    ("sql", "columns", "masked"),
    [
        ("SELECT Modality, count(*) AS n FROM instances GROUP BY 1", ("Modality", "n"), set()),
        ("SELECT PatientID AS p, count(*) AS n FROM instances GROUP BY 1", ("p", "n"), {"p"}),
        ("SELECT PatientID AS p, avg(KVP) kvp FROM instances GROUP BY 1", ("p", "kvp"), {"p"}),
        ("SELECT PatientID AS p, max(PatientName) AS n FROM instances", ("p", "n"), {"p", "n"}),
        ("SELECT count(DISTINCT PatientID) FROM instances", ("count(DISTINCT PatientID)",), set()),
        (
            "SELECT PatientID, count(*) FROM instances GROUP BY 1",
            ("PatientID", "count_star()"),
            {"PatientID"},
        ),
        ("SELECT patientname AS who, MODALITY FROM instances", ("who", "Modality"), {"who"}),
        ("select patientid from instances", ("patientid",), {"patientid"}),
        ("SELECT median(PatientBirthDate) AS m FROM instances", ("m",), {"m"}),
        ("SELECT median(PatientBirthDate) FROM instances", ("median(PatientBirthDate)",), None),
        ("SELECT PatientID AS n FROM (SELECT PatientID, count(*) AS n FROM instances)", ("n",), {"n"}),
        ("SELECT * FROM volumes", ("slice_spacing", "instances"), set()),
        ("SELECT * FROM instances", ("PatientName", "Rows"), {"PatientName"}),
        ("SELECT a FROM instances AS t(a, b)", ("a",), {"a"}),
        ("SELECT a FROM instances t(a, b)", ("a",), {"a"}),
        ("SELECT COLUMNS('Pat(.*)') AS '\\1' FROM instances", ("ientName",), {"ientName"}),
        ("SELECT #2 AS x FROM instances", ("x",), {"x"}),
        ("SELECT json->>'$.00100010' AS x FROM instances", ("x",), {"x"}),
    ],
)
def test_renamed_identifiers_of_sql_are_masked_and_numbers_of_many_rows_are_not(sql, columns, masked):
    assert masked_in_sql(sql, columns) == (set(columns) if masked is None else masked)


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("PatientID = 4711", "PatientID = •••"),
        ('Modality = CT and PatientName ~ "Doe*"', "•••"),
        ("PatientBirthDate between 19700101 and 19701231", "PatientBirthDate between ••• and •••"),
        ("AccessionNumber in (A1, A2)", "AccessionNumber in (•••)"),
        ('RequestAttributesSequence has (RequestedProcedureID = "R1")', "•••"),
        ("not (PatientID is null)", "not (PatientID is null)"),
        ("Modality = CT", "Modality = CT"),
    ],
)
def test_what_was_asked_is_told_without_identifiers(archive, asked, shown):
    told = repr(archive.series.where(asked)).replace('"', "")
    assert shown in told
    assert not any(secret in told for secret in ("4711", "Doe", "1970", "A1", "R1"))
    with isocenter.options(show_identifiers=True):
        assert "•••" not in repr(archive.series.where(asked))


class TestHtml:
    """In a notebook."""

    def test_a_table_says_what_it_is_to_a_screen_reader(self):
        html = table_html(PREVIEW)
        assert "<caption>2 series<span> · 1,200 instances · 640 MB</span></caption>" in html
        assert html.count('scope="col"') == 4
        assert 'aria-label="masked"' in html

    def test_numbers_are_flush_right_and_long_text_is_whole_in_its_title(self):
        html = table_html(PREVIEW)
        assert '<td class="number">512</td>' in html
        assert f'title="{"x" * 80}"' in html
        assert "T1 &lt;axial&gt;" in html

    def test_masks_hold_in_titles_too(self):
        long = [{"PatientName": "Doe^Jane^With^Many^Given^Names"}]
        assert "Doe" not in table_html(Preview("1", ("PatientName",), long))
        with isocenter.options(show_identifiers=True):
            assert "Doe" in table_html(Preview("1", ("PatientName",), long))

    def test_colours_follow_jupyter_vs_code_and_the_reader(self):
        html = table_html(PREVIEW)
        for sign in ("--jp-ui-font-color1", "--vscode-editor-foreground", "prefers-color-scheme:dark"):
            assert sign in html

    def test_nothing_found_is_no_empty_table(self):
        html = table_html(Preview("0 series", ("Rows",), (), 0, {"size": 0}, question="Modality = XX"))
        assert "<table" not in html
        assert "Modality = XX" in html
        assert "0 B" not in html

    def test_facts_have_names_as_row_headings(self):
        assert '<th scope="row">size</th><td>1 kB</td>' in facts_html("A & B", {"size": "1 kB"})

    def test_counts_are_drawn_as_bars(self):
        html = table_html(Preview("2", ("count",), [{"count": 4}, {"count": 1}], bars="count"))
        assert "--share:100.0%" in html
        assert "--share:25.0%" in html


class TestText:
    """In a terminal."""

    def test_columns_are_aligned(self):
        lines = table_text(PREVIEW, 100).splitlines()
        assert lines[0] == "2 series · 1,200 instances · 640 MB"
        assert lines[1].startswith("PatientName  StudyDate   Rows  SeriesDescription")
        assert lines[3].startswith("•••          2024-02-29   512  T1 <axial>")
        assert lines[-1].startswith("identifiers masked")

    @pytest.mark.parametrize("width", [20, 40, 60, 200])
    def test_no_line_of_the_table_is_wider_than_the_terminal(self, width):
        lines = table_text(PREVIEW, width).splitlines()[1:-1]
        assert max(map(text_width, lines)) <= width
        assert (lines[0][-1] == "…") == (width < 100)

    def test_ideographs_take_two_places(self):
        rows = [{"SeriesDescription": "山田"}, {"SeriesDescription": "ab"}]
        first, second = table_text(
            Preview("2", ("SeriesDescription", "Rows"), [r | {"Rows": 1} for r in rows]), 80
        ).splitlines()[-2:]
        assert text_width(first) == text_width(second)

    def test_of_a_path_the_end_is_shown(self):
        text = table_text(Preview("1", ("name",), [{"name": "/very/long/" * 5 + "image.dcm"}]), 80)
        assert "image.dcm" in text

    def test_errors_and_facts(self):
        assert table_text(Preview("<frame>", error="No answer")) == "No answer\n<frame>"
        assert facts_text("Archive", {"a": 1, "long": 2}) == "Archive\n  a     1\n  long  2"

    def test_long_headings_break_between_words(self):
        assert broken("NumberOfStudyRelatedInstances") == ["NumberOfStudy", "RelatedInstances"]
        assert broken("Modality") == ["Modality"]
        assert "".join(broken("SOPClassesInStudyOfVeryLongName")) == "SOPClassesInStudyOfVeryLongName"


class TestOptions:
    """`isocenter.options`."""

    def test_within_a_block(self):
        with contextlib.suppress(ZeroDivisionError), isocenter.options(show_identifiers=True, display_rows=3):
            assert isocenter.options.show_identifiers
            1 / 0  # noqa: B018
        assert not isocenter.options.show_identifiers
        assert isocenter.options.display_rows == 10

    def test_misspelt_ones_change_nothing(self):
        with (
            pytest.raises(AttributeError, match="show_identifiers"),
            isocenter.options(display_rows=3, show_identifier=True),
        ):
            pass
        assert isocenter.options.display_rows == 10
        with pytest.raises(AttributeError, match="show_identifiers"):
            isocenter.options.show_identifier  # noqa: B018
        assert dir(isocenter.options) == ["display_rows", "progress", "show_identifiers", "timeout"]


class TestValues:
    """`frame["PatientName"]`."""

    def test_it_is_a_list_whose_display_masks(self):
        names = Values("PatientName", ["Doe^Jane", None])
        assert names == ["Doe^Jane", None]
        assert "Doe" not in repr(names) + str(names) + "".join(names._repr_mimebundle_().values())
        assert repr(Values("Rows", [1, None])) == "[1, None]"

    def test_it_can_be_copied_and_pickled(self):
        import copy
        import pickle

        names = Values("StudyDate", ["2024-02-29"])
        assert pickle.loads(pickle.dumps(names)) == names == copy.copy(names)
        assert copy.copy(names).name == "StudyDate"


class TestNames:
    """Attributes that are none."""

    @pytest.mark.parametrize(
        ("use", "meant"),
        [
            (lambda a: a.serie, "did you mean series"),
            (lambda a: a.series.wher, "did you mean where"),
            (lambda a: a.series.groupby, "did you mean group_by"),
            (lambda a: a.series.SliceThickness, 'frame["SliceThickness"]'),
            (lambda a: a.series.SliceThicknes, 'frame["SliceThickness"]'),
            (lambda a: a.sql("SELECT 1").to_panda, "did you mean to_pandas"),
            (lambda a: a.series.group_by("Modality").sorted, "did you mean sort"),
            (lambda a: isocenter.conect, "did you mean connect"),
        ],
    )
    def test_the_nearest_is_named(self, archive, use, meant):
        with pytest.raises(AttributeError) as caught:
            use(archive)
        assert meant in str(caught.value)

    def test_dir_shows_what_a_person_uses(self, archive):
        assert {"where", "group_by", "describe", "to_pandas"} <= set(dir(archive.series))
        assert not {"transport", "request", "preview"} & set(dir(archive.series))
        assert {"studies", "patients", "store", "changes"} <= set(dir(archive))
