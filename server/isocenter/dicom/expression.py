"""Query text to predicate: `Modality=CT and SliceThickness<2 and PatientName~"doe*"`.

::

    query      = [ either ]                            empty text is everything
    either     = both { "or" both }
    both       = denied { "and" denied }
    denied     = [ "not" ] ( "(" either ")" | comparison | "true" | "false" )
    comparison = name ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value
               | name [ "not" ] "in" "(" value { "," value } ")"
               | name [ "not" ] "between" [ ">" ] value "and" [ "<" ] value     the signs leave a bound out
               | name [ "not" ] ( "like" | "ilike" | "~" ) pattern        `*` any text, `?` one character
               | name "is" [ "not" ] "null"
               | name "has" "(" either ")"             some item of the sequence satisfies all of it
    name       = keyword { "." keyword } | (gggg,eeee) | [gggg,CREATOR,ee] | DateKeyword+TimeKeyword
    value      = bare word | 'text' | "text"           a quotation mark inside is written twice

Words of the grammar are in any case; names of attributes are spelt as PS3.6 spells them.
Not here: the meaning of the operators (`predicate`), DICOM matching keys (`matching`), the way back to
text (`wording`).
Standard library only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from isocenter.dicom import values
from isocenter.dicom.attributes import lookup, name_of_path, path_of
from isocenter.dicom.predicate import (
    MAX_DEPTH,
    DateTimeRange,
    Equal,
    Everything,
    Exists,
    IsNull,
    Like,
    OneOf,
    Path,
    Predicate,
    Range,
    Scalar,
    all_of,
    any_of,
)
from isocenter.dicom.terms import checked, coerce, kind_of
from isocenter.errors import BadRequest, InvalidQuery

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<tag>\(\s*[0-9A-Fa-f]{4}\s*,\s*[0-9A-Fa-f]{4}\s*\))
    | \[(?P<private>[^\]]*)\]
    | (?P<quoted>"(?:[^"]|"")*"|'(?:[^']|'')*')
    | (?P<sign><=|>=|!=|<>|==|!~|[=<>~(),])
    | (?P<word>[^\s()\[\],<>=!~'"]+)
    )""",
    re.VERBOSE,
)
_WORDS = frozenset(
    {"and", "or", "not", "in", "is", "null", "like", "ilike", "between", "has", "true", "false"}
)
_NAMES = ("word", "private", "tag")
_COMPARED = {"=", "==", "!=", "<>", "<", "<=", ">", ">="}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # tag, private, quoted, sign, word, or end
    text: str
    at: int
    end: int

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.lower() in words

    def is_sign(self, *signs: str) -> bool:
        return self.kind == "sign" and self.text in signs


def parse(text: str) -> Predicate:
    """The predicate of a query text.

    Raises:
        InvalidQuery: not understood; `detail["position"]` counts characters from 0.
        UnknownAttribute: naming the nearest keyword.
        InvalidValue: a value that does not fit the attribute's VR.
    """
    return _Parser(text).query()


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.at = 0
        self.depth = 0

    @property
    def here(self) -> _Token:
        return self.tokens[self.at]

    def take(self) -> _Token:
        token = self.here
        if token.kind != "end":
            self.at += 1
        return token

    def took(self, *words: str) -> bool:
        """Whether one of these words or signs comes next; it is taken then."""
        if self.here.is_word(*words) or self.here.is_sign(*words):
            self.at += 1
            return True
        return False

    def need(self, sign: str) -> None:
        if not self.took(sign):
            raise self.wrong(f"Expected '{sign}'")

    def wrong(self, expected: str, hint: str = "") -> InvalidQuery:
        token = self.here
        found = "the end of the query" if token.kind == "end" else repr(token.text)
        detail = {"position": token.at, "text": self.text}
        return InvalidQuery(f"{expected} at position {token.at}, found {found}", hint=hint, detail=detail)

    def query(self) -> Predicate:
        if self.here.kind == "end":
            return Everything()
        found = self.either()
        if self.here.kind != "end":
            raise self.wrong("Expected 'and', 'or' or the end")
        return found

    def either(self) -> Predicate:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.wrong(f"The query nests deeper than {MAX_DEPTH}")
        terms = [self.both()]
        while self.took("or"):
            terms.append(self.both())
        self.depth -= 1
        return any_of(terms)

    def both(self) -> Predicate:
        terms = [self.denied()]
        while self.took("and"):
            terms.append(self.denied())
        return all_of(terms)

    def denied(self) -> Predicate:
        denials = 0
        while self.took("not"):
            denials += 1
        found: Predicate
        if self.took("("):
            found = self.either()
            self.need(")")
        elif self.took("true"):
            found = Everything()
        elif self.took("false"):
            found = any_of(())
        else:
            found = self.comparison()
        return ~found if denials % 2 else found

    def comparison(self) -> Predicate:
        start = self.here
        path = self.path()
        try:
            if "+" in path[0]:
                return self.moment(path[0])
            return self.leaf(path)
        except BadRequest as error:
            if error.detail is None:
                error.detail = {"position": start.at, "text": self.text}
            raise

    def path(self) -> Path:
        token = self.here
        if token.kind == "sign" or token.kind in ("quoted", "end") or token.is_word(*_WORDS):
            raise self.wrong("Expected the name of an attribute")
        names: list[str] = []
        while not names or (self.here.kind in _NAMES and self.here.at == self.tokens[self.at - 1].end):
            piece = self.take()
            names += piece.text.strip(".").split(".") if piece.kind == "word" else [piece.text]
        try:
            return (token.text,) if "+" in names[0] else checked(tuple(names))
        except BadRequest as error:
            error.detail = {"position": token.at, "text": self.text}
            raise

    def leaf(self, path: Path) -> Predicate:
        if self.took("is"):
            negative = self.took("not")
            if not self.took("null"):
                raise self.wrong("Expected 'null'")
            return ~IsNull(path) if negative else IsNull(path)
        if self.took("has"):
            return self.has(path)
        negative = self.took("not")
        if self.took("!~"):
            return ~self.like(path)
        found = self.test(path)
        return ~found if negative else found

    def test(self, path: Path) -> Predicate:
        if self.took("in"):
            return OneOf(path, self.values(path))
        if self.took("like", "~"):
            return self.like(path)
        if self.took("ilike"):
            return replace(self.like(path), fold=True)
        if self.took("between"):
            low_open, low = self.took(">"), self.value(path)
            if not self.took("and"):
                raise self.wrong("Expected 'and'")
            high_open, high = self.took("<"), self.value(path)
            return Range(path, low, high, low_open, high_open)
        if self.here.kind == "sign" and self.here.text in _COMPARED:
            return self.compared(path, self.take().text)
        raise self.wrong("Expected a comparison", "one of = != < <= > >= in like ~ between is has")

    def compared(self, path: Path, sign: str) -> Predicate:
        equality = sign in ("=", "==", "!=", "<>")
        if equality and self.here.kind == "quoted" and not _unquoted(self.here.text).strip():
            self.take()
            return IsNull(path) if sign in ("=", "==") else ~IsNull(path)
        if (
            equality
            and self.here.kind == "word"
            and "*" in self.here.text
            and kind_of(path) in ("text", "name")
        ):
            raise self.wrong("Expected a plain value", "write ~ for wild cards, or quote the text")
        value = self.value(path)
        if equality:
            return Equal(path, value) if sign in ("=", "==") else ~Equal(path, value)
        if sign in ("<", "<="):
            return Range(path, None, value, high_open=sign == "<")
        return Range(path, value, None, low_open=sign == ">")

    def has(self, path: Path) -> Predicate:
        if kind_of(path) not in ("sequence", "text"):
            raise self.wrong(f"{name_of_path(path)} is no sequence: expected a comparison")
        self.need("(")
        if self.took(")"):
            return Exists(path, Everything())
        term = self.either()
        self.need(")")
        return Exists(path, term)

    def like(self, path: Path) -> Like:
        if kind_of(path) not in ("text", "name", "uid"):
            vr = lookup(path[-1]).vr
            raise self.wrong(f"Wild cards do not apply to {name_of_path(path)} ({vr}): expected another test")
        token = self.take()
        if token.kind not in ("word", "quoted"):
            self.at -= token.kind != "end"
            raise self.wrong("Expected a pattern")
        return Like(path, _unquoted(token.text) if token.kind == "quoted" else token.text)

    def values(self, path: Path) -> tuple[Scalar, ...]:
        self.need("(")
        found = [self.value(path)]
        while self.took(","):
            found.append(self.value(path))
        self.need(")")
        return tuple(found)

    def value(self, path: Path) -> Scalar:
        token = self.here
        if token.kind == "tag" and kind_of(path) == "tag":
            return values.normal("AT", self.take().text, name_of_path(path))
        if token.kind not in ("word", "quoted"):
            raise self.wrong(f"Expected a value for {name_of_path(path)}")
        self.take()
        quoted = token.kind == "quoted"
        return coerce(path, _unquoted(token.text) if quoted else token.text, quoted=quoted)

    def moment(self, names: str) -> Predicate:
        date, time = (checked(path_of(name)) for name in names.split("+", 1))
        negative = self.took("not")
        if self.took("between"):
            low: str | None = self.bound(names)
            if not self.took("and"):
                raise self.wrong("Expected 'and'")
            found = DateTimeRange(date, time, low, self.bound(names))
        elif self.took(">="):
            found = DateTimeRange(date, time, self.bound(names), None)
        elif self.took("<="):
            found = DateTimeRange(date, time, None, self.bound(names))
        else:
            raise self.wrong("Expected '>=', '<=' or 'between'")
        return ~found if negative else found

    def bound(self, names: str) -> str:
        token = self.here
        if token.kind not in ("word", "quoted"):
            raise self.wrong("Expected a date-time")
        self.take()
        return str(
            values.normal("DT", _unquoted(token.text) if token.kind == "quoted" else token.text, names)
        )


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        token = _TOKEN.match(text, at)
        if token is None:
            where = at + len(text[at:]) - len(text[at:].lstrip())
            hint = "a quotation mark is not closed" if text[where] in "\"'" else ""
            detail = {"position": where, "text": text}
            raise InvalidQuery(f"Unexpected {text[where]!r} at position {where}", hint=hint, detail=detail)
        kind = str(token.lastgroup)
        at = token.end()
        found.append(_Token(kind, token[kind], token.start(kind) - (kind == "private"), at))
    return [*found, _Token("end", "", len(text), len(text))]


def _unquoted(text: str) -> str:
    return text[1:-1].replace(text[0] * 2, text[0])
