"""De-identification (PS3.15 Annex E): profiles as plans, identifiers by key, findings and reports.

The engine is pure: data set in; data set, findings and change log out. `Deidentifier` does data sets, files
and folders. Not here: cohorts of an archive.
"""

from isocenter.deid.deidentifier import Deidentifier
from isocenter.deid.key import Key
from isocenter.deid.key_ring import KeyRing
from isocenter.deid.policies import BirthDate, Documents, Policies, Residual, Times, Uncleared
from isocenter.deid.profile import Option
from isocenter.deid.recipe import Recipe

__all__ = [
    "BirthDate",
    "Deidentifier",
    "Documents",
    "Key",
    "KeyRing",
    "Option",
    "Policies",
    "Recipe",
    "Residual",
    "Times",
    "Uncleared",
]
