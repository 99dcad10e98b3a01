"""Code extensions by escape sequences (PS3.5 6.1.2.5, ISO/IEC 2022), both ways.

Bytes below 80h belong to the code element G0, the others to G1; an escape sequence loads a set into one of
them. What the first term of Specific Character Set loads is active again behind each delimiter.

Not here: sets without code extensions (see `charset`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Note = Callable[[str], None]


@dataclass(frozen=True)
class CodeSet:
    """One set that escape sequences can load.

    Attributes:
        escape: the sequence that loads it.
        codec: Python's codec for it, with ASCII below 80h.
        wider: a codec that holds more, for writers who use characters beyond the set.
        high: loaded into G1; otherwise into G0.
        pairs: two bytes a character.
        prefix: what the codec wants before each pair of a G0 set.
    """

    escape: bytes
    codec: str
    wider: str = ""
    high: bool = True
    pairs: bool = False
    prefix: bytes = b""


ASCII = CodeSet(b"\x1b(B", "ascii", high=False)
ROMAJI = CodeSet(b"\x1b(J", "ascii", high=False)
JIS_X_0208 = CodeSet(b"\x1b$B", "euc_jp", high=False, pairs=True)
JIS_X_0212 = CodeSet(b"\x1b$(D", "euc_jp", high=False, pairs=True, prefix=b"\x8f")

BY_TERM: dict[int, CodeSet] = {
    6: ASCII,
    100: CodeSet(b"\x1b-A", "latin_1"),
    101: CodeSet(b"\x1b-B", "iso8859_2"),
    109: CodeSet(b"\x1b-C", "iso8859_3"),
    110: CodeSet(b"\x1b-D", "iso8859_4"),
    144: CodeSet(b"\x1b-L", "iso8859_5"),
    127: CodeSet(b"\x1b-G", "iso8859_6"),
    126: CodeSet(b"\x1b-F", "iso8859_7"),
    138: CodeSet(b"\x1b-H", "iso8859_8"),
    148: CodeSet(b"\x1b-M", "iso8859_9"),
    203: CodeSet(b"\x1b-b", "iso8859_15"),
    166: CodeSet(b"\x1b-T", "iso8859_11"),
    13: CodeSet(b"\x1b)I", "shift_jis"),
    87: JIS_X_0208,
    159: JIS_X_0212,
    149: CodeSet(b"\x1b$)C", "euc_kr", wider="cp949", pairs=True),
    58: CodeSet(b"\x1b$)A", "gb2312", wider="gb18030", pairs=True),
}
"""The sets by their ISO registration number, as in `ISO 2022 IR 87`."""

_BY_ESCAPE = {code.escape: code for code in (*BY_TERM.values(), ROMAJI)}
_BY_ESCAPE[b"\x1b$@"] = JIS_X_0208
_BY_ESCAPE[b"\x1b$(B"] = JIS_X_0208

_ESCAPES = re.compile(rb"(\x1b(?:\$[()*+\-./]?|[()*+\-./])[0-~])")
_CONTROLS = b"\t\n\x0c\r"
_DELIMITERS = {
    "PN": re.compile(rb"([\\^=\t\n\x0c\r])"),
    "ST": re.compile(rb"([\t\n\x0c\r])"),
}
_DELIMITERS["LT"] = _DELIMITERS["UT"] = _DELIMITERS["ST"]
_PLAIN = re.compile(rb"([\\\t\n\x0c\r])")
_LOW_PAIRS = re.compile(rb"((?:[!-~][!-~])+)")
_HIGH = bytes(b | 0x80 for b in range(256))
_LOW = bytes(b & 0x7F for b in range(256))


def decode(value: bytes, first: CodeSet, spare: CodeSet | None, vr: str, note: Note) -> str:
    """The text of a value.

    `first` is the set of the first term; `spare` that of bytes beyond 7Fh before any set for them is loaded.
    """
    high = first if first.high else None
    g0, g1, last = ASCII, high, spare
    out: list[str] = []
    for chunk in _ESCAPES.split(value):
        if chunk[:1] == b"\x1b" and _ESCAPES.match(chunk):
            code = _BY_ESCAPE.get(chunk)
            if code is None:
                note("text has an unknown escape sequence")
            elif code.high:
                g1 = last = code
            else:
                g0 = code
            continue
        if g0.pairs:
            text, rest = _decode_pairs(chunk, g0, g1, note)
            out.append(text)
            if not rest:
                continue
            # A line ended without the way back to ASCII that the standard wants before it.
            chunk, g0, g1 = rest, ASCII, high
        pieces = _DELIMITERS.get(vr, _PLAIN).split(chunk)
        for i, piece in enumerate(pieces):
            if i % 2:
                out.append(piece.decode("ascii"))
                g1 = high
            else:
                out.append(_decode_single(piece, g1 or last, note))
    return "".join(out)


def _decode_pairs(chunk: bytes, g0: CodeSet, g1: CodeSet | None, note: Note) -> tuple[str, bytes]:
    """The text up to the first control character, and the bytes from there on."""
    end = next((i for i, byte in enumerate(chunk) if byte in _CONTROLS), len(chunk))
    out = []
    for i, piece in enumerate(_LOW_PAIRS.split(chunk[:end])):
        if i % 2 == 0:
            out.append(_decode_single(piece, g1, note))
            continue
        raised = piece.translate(_HIGH)
        if g0.prefix:
            raised = b"".join(g0.prefix + raised[k : k + 2] for k in range(0, len(raised), 2))
        out.append(_strictly(raised, (g0.codec,), note))
    return "".join(out), chunk[end:]


def _decode_single(piece: bytes, g1: CodeSet | None, note: Note) -> str:
    if piece.isascii():
        return piece.decode("ascii")
    if g1 is None:
        return _strictly(piece, ("ascii",), note)
    return _strictly(piece, (g1.codec, g1.wider) if g1.wider else (g1.codec,), note)


def _strictly(data: bytes, codecs: tuple[str, ...], note: Note) -> str:
    for codec in codecs:
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            continue
    note("text does not fit its character set")
    return data.decode(codecs[0], "replace")


def encode(text: str, sets: list[CodeSet], vr: str) -> bytes | None:
    """The bytes of a text in the sets of a multi-valued Specific Character Set; None if it does not fit.

    Each delimiter finds the sets of the first term loaded again, as the standard wants.
    """
    home = ROMAJI if sets[0].codec == "shift_jis" else ASCII
    high = sets[0] if sets[0].high else None
    delimiters = {"PN": "\\^=\t\n\x0c\r", "ST": "\t\n\x0c\r", "LT": "\t\n\x0c\r", "UT": "\t\n\x0c\r"}
    resets = delimiters.get(vr, "\\\t\n\x0c\r")
    out = bytearray()
    g0, g1 = home, high
    for character in text:
        if character.isascii():
            if g0 is not home:
                out += home.escape
                g0 = home
            out += character.encode()
            if character in resets:
                g1 = high
            continue
        fit = _fit(character, sets, g0 if g0.pairs else g1)
        if fit is None:
            return None
        code, data = fit
        if code.high and code is not g1:
            out += code.escape
            g1 = code
        elif not code.high and code is not g0:
            out += code.escape
            g0 = code
        out += data
    return bytes(out) if g0 is home else bytes(out) + home.escape


def _fit(character: str, sets: list[CodeSet], now: CodeSet | None) -> tuple[CodeSet, bytes] | None:
    """The set that holds a character, the one in use before the others, and its bytes there."""
    for code in ([now] if now in sets else []) + sets:
        assert code is not None
        data = _encode_one(character, code)
        if data is not None:
            return code, data
    return None


def _encode_one(character: str, code: CodeSet) -> bytes | None:
    try:
        data = character.encode(code.codec)
    except UnicodeEncodeError:
        return None
    if code.codec == "shift_jis":
        return data if len(data) == 1 and data[0] >= 0xA1 else None
    if code.high or not code.pairs:
        return data
    if not data.startswith(code.prefix) or len(data) != 2 + len(code.prefix):
        return None
    data = data[len(code.prefix) :]
    # Two bytes with 8Eh in front are half-width katakana, which JIS X 0208 does not have.
    return data.translate(_LOW) if data[0] >= 0xA1 else None
