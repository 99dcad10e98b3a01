"""The error of a request that a workitem's state does not allow, with its DICOM status."""

from __future__ import annotations

from isocenter.errors import Conflict
from isocenter.worklist.states import MEANINGS


class Refused(Conflict):
    """A workitem's state does not allow this.

    Args:
        dicom_status: of PS3.4 CC.2, such as C301.
        more: what is missing, in words.
    """

    code = "workitem-refused"

    def __init__(self, dicom_status: int, more: str = "") -> None:
        meaning = MEANINGS[dicom_status]
        super().__init__(
            meaning[0].upper() + meaning[1:], hint=more, detail={"dicom_status": f"{dicom_status:04X}"}
        )
        self.dicom_status = dicom_status

    def __reduce__(self) -> tuple[type[Refused], tuple[int, str]]:
        return type(self), (self.dicom_status, self.hint)
