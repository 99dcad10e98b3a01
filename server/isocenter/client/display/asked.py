"""What was asked, in words, without the values that identify a person.

`patient.studies` is a question that holds a PatientID nobody typed. Not here: the words (`dicom.wording`).
"""

from __future__ import annotations

from dataclasses import replace

from isocenter.client.display.masking import MASK, is_identifier
from isocenter.client.options import options
from isocenter.dicom.predicate import And, Equal, Exists, Like, Not, OneOf, Or, Path, Predicate, Range
from isocenter.dicom.wording import to_text


def asked_text(predicate: Predicate) -> str:
    """The condition as query text, identifiers masked unless `options.show_identifiers`."""
    return to_text(predicate if options.show_identifiers else _masked(predicate, ()))


def _masked(predicate: Predicate, outer: Path) -> Predicate:
    match predicate:
        case And(terms) | Or(terms):
            return type(predicate)(tuple(_masked(term, outer) for term in terms))
        case Not(term):
            return Not(_masked(term, outer))
        case Exists(path, term):
            return Exists(path, _masked(term, outer + path))
        case Equal(path) | OneOf(path) | Like(path) | Range(path):
            return _hidden(predicate) if is_identifier(".".join(outer + path)) else predicate
    return predicate


def _hidden(term: Equal | OneOf | Like | Range) -> Predicate:
    match term:
        case Equal():
            return replace(term, value=MASK)
        case OneOf(_, values):
            return replace(term, values=(MASK,) if values else ())
        case Like():
            return replace(term, pattern=MASK)
        case Range(_, low, high):
            return replace(term, low=None if low is None else MASK, high=None if high is None else MASK)
