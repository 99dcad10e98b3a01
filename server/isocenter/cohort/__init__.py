"""Cohorts (row 6): what a question selected, frozen with a name and a version, so that it can be cited.

`Cohorts` is the face. Not here: who may freeze (`rest`), what may be done with a cohort beyond asking of it.
"""

from isocenter.cohort.cohort import Cohort, Reference, Scale, reference
from isocenter.cohort.cohorts import Cohorts, Loss
from isocenter.cohort.differ import Difference
from isocenter.cohort.select import Wanted

__all__ = ["Cohort", "Cohorts", "Difference", "Loss", "Reference", "Scale", "Wanted", "reference"]
