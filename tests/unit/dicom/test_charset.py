"""Text in all character sets of the standard, and as senders get them wrong."""

import pydicom
import pytest
from encoded import EXPLICIT_LITTLE, explicit, item, real_files, sequence
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicom import charset
from isocenter.dicom.header import read_header
from isocenter.errors import InvalidValue

JAPANESE = "\\ISO 2022 IR 87"
KATAKANA = "ISO 2022 IR 13\\ISO 2022 IR 87"
KOREAN = "\\ISO 2022 IR 149"
CHINESE = "\\ISO 2022 IR 58"

# PS3.5 Annexes H (Japanese), I (Korean), J and K (Chinese): terms, bytes, text.
STANDARD = {
    "H.3.1": (
        JAPANESE,
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    "H.3.2": (
        KATAKANA,
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    "I.2": (
        KOREAN,
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        "Hong^Gildong=洪^吉洞=홍^길동",
    ),
    "J.1": (
        "ISO_IR 192",
        b"Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe6\x9d\xb1=",
        "Wang^XiaoDong=王^小東=",
    ),
    "J.3": ("GB18030", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^XiaoDong=王^小东="),
    "J.4": ("GBK", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^XiaoDong=王^小东="),
    "K.2": (
        CHINESE,
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
        "Zhang^XiaoDong=张^小东=",
    ),
}


@pytest.mark.parametrize("example", STANDARD)
def test_examples_of_the_standard_both_ways(example):
    terms, data, text = STANDARD[example]
    assert charset.decode(data, terms, vr="PN") == text
    assert charset.encode(text, terms, vr="PN") == data


def test_lines_of_text_start_with_the_first_set_again():
    # PS3.5 I.3 and K.3: each line designates its set anew.
    word = b"\x1b$)C\xb1\xe6\xb5\xbf"
    korean = b"The 1st line includes " + word + b".\r\nThe 2nd line includes " + word + b", too.\r\n"
    text = "The 1st line includes 길동.\r\nThe 2nd line includes 길동, too.\r\n"
    assert charset.decode(korean, KOREAN, vr="LT") == text
    assert charset.encode(text, KOREAN, vr="LT") == korean


@pytest.mark.parametrize("path", [p for p in real_files() if p.name.startswith("chr")], ids=lambda p: p.name)
def test_the_charset_files_of_pydicom(path):
    header = read_header(path.read_bytes())
    theirs = pydicom.dcmread(path)
    assert header.problems == ()
    if "PatientName" in theirs:
        # pydicom drops empty component groups at the end of a name.
        assert header.text("PatientName").rstrip("=") == str(theirs.PatientName)
    if "RequestedProcedureCodeSequence" in theirs:
        name = str(theirs.RequestedProcedureCodeSequence[0].PatientName)
        assert header.text("RequestedProcedureCodeSequence.PatientName") == name


def test_an_item_may_have_a_set_of_its_own():
    inner = explicit(0x00080005, "CS", b"ISO_IR 144") + explicit(0x00321060, "LO", "Люк".encode("iso8859_5"))
    outer = explicit(0x00321060, "LO", "é".encode("latin-1"))
    data = explicit(0x00080005, "CS", b"ISO_IR 100") + sequence(0x00081110, item(inner), item(outer))
    header = read_header(data, transfer_syntax=EXPLICIT_LITTLE)
    assert header.text("ReferencedStudySequence.RequestedProcedureDescription") == "Люк\\é"


@pytest.mark.parametrize("codec", ["gb18030", "gbk"])
def test_a_backslash_inside_a_character_separates_nothing(codec):
    character = next(c for c in map(chr, range(0x4E00, 0x9FFF)) if c.encode(codec, "ignore")[1:2] == b"\\")
    names = [character, "B" + character]
    data = explicit(0x00080005, "CS", codec.upper().encode()) + explicit(
        0x00101001, "PN", "\\".join(names).encode(codec)
    )
    header = read_header(data, transfer_syntax=EXPLICIT_LITTLE)
    assert header.text("OtherPatientNames").split("\\") == names
    # The second byte of this kanji in JIS X 0208 is 5Ch.
    kanji = b"\x1b$B" + bytes([0x30, 0x5C]) + b"\x1b(B\\B"
    assert charset.decode(kanji, JAPANESE).split("\\")[1] == "B"
    assert len(charset.decode(kanji, JAPANESE)) == 3


@pytest.mark.parametrize(
    ("told", "means"),
    [
        ("ISO_IR_100", "ISO_IR 100"), ("ISO-IR 100", "ISO_IR 100"), ("ISO IR 100", "ISO_IR 100"),
        ("iso_ir 100", "ISO_IR 100"), ("ISO_IR100", "ISO_IR 100"), ("ISO8859-1", "ISO_IR 100"),
        ("latin1", "ISO_IR 100"), ("ISO 2022 IR100", "ISO 2022 IR 100"), ("ISO_2022_IR_87", "ISO 2022 IR 87"),
        ("ISO-2022 IR 87", "ISO 2022 IR 87"), ("UTF-8", "ISO_IR 192"), ("utf8", "ISO_IR 192"),
        ("ISO_IR192", "ISO_IR 192"), ("ISO 2022 IR 192", "ISO_IR 192"), ("gb18030", "GB18030"),
        ("GB2312", "GBK"),
    ],
)  # fmt: skip
def test_misspelt_terms(told, means):
    found = charset.parse(told)
    assert found.terms == (means,)
    assert found.problems == (f"Specific Character Set has a misspelt term, taken for {means}",)
    assert charset.parse(means).problems == ()


def text_of(terms, value, assume=None):
    data = explicit(0x00080005, "CS", terms) if terms is not None else b""
    header = read_header(data + explicit(0x00100010, "PN", value), transfer_syntax=EXPLICIT_LITTLE)
    return header.index_keys(assume_charset=assume)["PatientName"], header.problems


@pytest.mark.parametrize("terms", [None, b"", b"ISO_IR 6", b"KLINGON"])
def test_bytes_beyond_ascii_without_a_set(terms):
    for value, assume, text in (
        ("Jérôme".encode(), None, "Jérôme"),
        ("Jérôme".encode("latin-1"), None, "Jérôme"),
        ("Люк".encode("iso8859_5"), "ISO_IR 144", "Люк"),
        ("山田".encode("gb18030"), "GB18030", "山田"),
    ):
        found, problems = text_of(terms, value, assume)
        assert found == text
        assert any("without its character set" in problem for problem in problems)


def test_what_one_reader_assumes_does_not_bind_the_next():
    header = read_header(
        explicit(0x00100010, "PN", "Люк".encode("iso8859_5")), transfer_syntax=EXPLICIT_LITTLE
    )
    assert header.index_keys(assume_charset="ISO_IR 144")["PatientName"] == "Люк"
    assert header.index_keys(assume_charset="ISO_IR 100")["PatientName"] == "»îÚ"
    assert header.index_keys()["PatientName"] == "»îÚ"


def test_bytes_that_do_not_fit_are_replaced_and_told():
    for terms, value in (
        (b"ISO_IR 192", b"Buc\xe9r"),
        (b"ISO_IR 126", b"\xd2\xff"),
        (KOREAN.encode(), b"\x1b$)C\xb1"),
    ):
        found, problems = text_of(terms, value)
        assert "\ufffd" in found
        assert problems == ("text does not fit its character set",)


def test_a_writer_that_forgot_its_escape_sequences():
    assert text_of(KOREAN.encode(), "김희중".encode("euc_kr")) == (
        "김희중",
        ("text beyond ASCII lacks its escape sequence",),
    )
    # Behind the delimiter the set has to be loaded again; this writer did not.
    forgot = b"\x1b$)C\xb1\xe8^\xc8\xf1"
    assert charset.decode(forgot, KOREAN, vr="PN") == "김^희"


def test_more_than_the_set_holds_but_its_bigger_brother_does():
    assert charset.decode("똠".encode("cp949"), "\\ISO 2022 IR 149") == "똠"
    assert charset.decode("㐂".encode("gb18030"), "GBK") == "㐂"


def test_an_unknown_escape_sequence():
    problems = []
    assert charset.parse(JAPANESE).decode(b"A\x1b$)ZB", problems.append) == "AB"
    assert problems == ["text has an unknown escape sequence"]


ALPHABETS = {
    "ISO_IR 100": "éàüß", "ISO_IR 101": "őłž", "ISO_IR 109": "ħĝ", "ISO_IR 110": "ģ", "ISO_IR 144": "Люк",
    "ISO_IR 127": "قباني", "ISO_IR 126": "Διον",
    "ISO_IR 138": "שרון", "ISO_IR 148": "ğış", "ISO_IR 166": "กขค",
    "ISO_IR 203": "€œ", "ISO_IR 13": "ﾔﾏﾀﾞ", "ISO_IR 192": "🙂王é", "GB18030": "王é🙂", "GBK": "王東",
    "ISO 2022 IR 100\\ISO 2022 IR 144": "éЛà", JAPANESE: "山田ア", KATAKANA: "ﾔ山",
    "ISO 2022 IR 13\\ISO 2022 IR 87\\ISO 2022 IR 159": "ﾔ山丂", KOREAN: "홍길洪", CHINESE: "张小",
    "ISO 2022 IR 6\\ISO 2022 IR 127\\ISO 2022 IR 166\\ISO 2022 IR 149": "ق홍ก",
}  # fmt: skip


@pytest.mark.parametrize("terms", ALPHABETS)
@given(data=st.data(), vr=st.sampled_from(["PN", "LO", "LT"]))
def test_whatever_fits_a_set_comes_back(terms, data, vr):
    text = data.draw(st.text(ALPHABETS[terms] + "Az09 ^=\r\n", max_size=30))
    problems = []
    encoded = charset.encode(text, terms, vr=vr)
    assert charset.parse(terms).decode(encoded, problems.append, vr) == text
    assert problems == []


@given(st.text(max_size=20), st.sampled_from(sorted(ALPHABETS)))
def test_a_text_is_encoded_right_or_not_at_all(text, terms):
    try:
        encoded = charset.encode(text, terms, vr="PN")
    except InvalidValue:
        return
    assert charset.decode(encoded, terms, vr="PN") == text


@given(st.binary(max_size=60), st.sampled_from(sorted(ALPHABETS)), st.sampled_from(["PN", "LO", "UT"]))
def test_any_bytes_decode_to_something(value, terms, vr):
    assert isinstance(charset.decode(value, terms, vr=vr), str)


def test_the_answer_is_in_the_first_set_that_holds_everything():
    assert charset.choose(["Doe^John", ""], "ISO_IR 144") is None
    assert charset.choose(["Люк"], "ISO_IR 144", "ISO_IR 192") == "ISO_IR 144"
    assert charset.choose(["Люк"], "ISO_IR 100", "\\ISO 2022 IR 144") == "\\ISO 2022 IR 144"
    assert charset.choose(["Люк", "é"], "ISO_IR 100", "ISO_IR 144") == "ISO_IR 192"
    assert charset.choose(["王"], None, None) == "ISO_IR 192"
    assert charset.choose(["王^小东"], "GB18030") == "GB18030"


def test_what_does_not_fit_is_an_error():
    for terms in (None, "", "ISO_IR 100", JAPANESE):
        with pytest.raises(InvalidValue):
            charset.encode("홍", terms)
