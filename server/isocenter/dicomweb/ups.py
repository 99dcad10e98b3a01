"""UPS-RS, the worklist service (PS3.18 chapter 11): workitems, their states, who is told of them.

Status codes and `Warning` texts are those of the chapter; the DICOM status is in the body of a refusal.
Deletion locks are granted, and final workitems are kept. Not here: the channel that events come through
(`subscribers`), what may happen to a workitem (`isocenter.worklist`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, ParamSpec, TypeVar

from isocenter.dicom.matching import match_all
from isocenter.dicom.uids import clean
from isocenter.dicomweb.data_sets import DataSetHandler
from isocenter.dicomweb.parameters import parse_search
from isocenter.dicomweb.paths import ROOT
from isocenter.dicomweb.representation import choose
from isocenter.errors import BadRequest, IsocenterError
from isocenter.security import Action
from isocenter.worklist import documents, states
from isocenter.worklist.refusal import Refused
from isocenter.worklist.subscriptions import FILTERED, Wish
from isocenter.worklist.workitems import Worklist, new_uid

P = ParamSpec("P")
T = TypeVar("T")

WORKITEM = r"/workitems/(?P<workitem>[^/]+)"
AETITLE = r"(?P<aetitle>[^/]+)"

_STATUS = {
    states.NO_SUCH_STEP: 404,
    states.WRONG_TRANSACTION: 400,
    states.NOT_CREATED_SCHEDULED: 400,
    states.NOT_APPROPRIATE: 400,
}
"""HTTP statuses other than 409."""
_INCONSISTENT = "The submitted request is inconsistent with the state of the UPS Instance."
_UPDATE_INCONSISTENT = "The submitted request is inconsistent with the current state of the Workitem."
_ALREADY = {
    states.ALREADY_CANCELED: "The UPS is already in the requested state of CANCELED.",
    states.ALREADY_COMPLETED: "The UPS is already in the requested state of COMPLETED.",
}
_AE = re.compile(r"[ !-\[\]-~]{1,16}")
_UID = re.compile(r"[0-9.]{1,64}")


class WorkitemRefused(IsocenterError):
    """A workitem's state does not allow this; `warning` is the text that PS3.18 prescribes."""

    code = "workitem-refused"

    def __init__(self, refused: Refused, status: int, warning: str) -> None:
        super().__init__(refused.message, hint=refused.hint, detail=refused.detail)
        self.status = status  # type: ignore[misc]  # here it differs from error to error
        self.warning = warning


class WorklistHandler(DataSetHandler):
    """What the resources of the worklist share."""

    face = "ups"
    actions: ClassVar[Mapping[str, Action]] = {
        **DataSetHandler.actions,
        "POST": Action.STORE,
        "PUT": Action.STORE,
        "DELETE": Action.STORE,
    }

    @property
    def worklist(self) -> Worklist:
        """The worklist of the dataset."""
        return Worklist(self.dataset().index, self.dataset_name)

    @property
    def workitem(self) -> str:
        """The UID that the path names."""
        return clean(self.path_kwargs.get("workitem") or "")

    @property
    def aetitle(self) -> str:
        """The AE title that the path names. Raises BadRequest."""
        return ae_title(self.path_kwargs.get("aetitle") or "")

    @property
    def uid_of_query(self) -> str:
        """A UID that is the whole query, as `?1.2.3` (PS3.18 11.4.1, 11.6.1)."""
        return self.request.query if _UID.fullmatch(self.request.query) else ""

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something to the worklist in a thread; a refusal becomes what PS3.18 answers."""
        try:
            return await self.context.short(work, *args, **kwargs)
        except Refused as refused:
            status = _STATUS.get(refused.dicom_status, 409)
            raise WorkitemRefused(refused, status, self.warning_of(refused.dicom_status)) from None

    def warning_of(self, dicom_status: int) -> str:
        """The prescribed warning of a refusal, empty when there is none."""
        return "" if dicom_status == states.NO_SUCH_STEP else _INCONSISTENT

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Tell an error, with its warning."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, WorkitemRefused) and error.warning:
            self.warn(error.warning)
        super().write_error(status_code, **kwargs)


def ae_title(text: str) -> str:
    """An AE title (PS3.5 6.2). Raises BadRequest."""
    if not _AE.fullmatch(text) or not text.strip():
        raise BadRequest("An AE title has 1 to 16 characters, and no backslash")
    return text.strip()


class Workitems(WorklistHandler):
    """The worklist: search (GET) and create a workitem (POST)."""

    async def get(self, **_path: str) -> None:
        """Answer with the workitems that match, by scheduled start; `[]` when none does."""
        form = choose(self.accepted())
        search = parse_search(self.text_arguments())
        for text in search.warnings:
            self.warn(text)
        predicate = match_all(search.keys, search.rules)
        found, remaining = await self.context.long(
            self.worklist.search, predicate, limit=search.limit, offset=search.offset
        )
        if remaining:
            self.warn(f"There are {remaining} additional results that can be requested")
        asked = [*search.keys, *search.include]
        results = [documents.result(one, asked, everything=search.include_all) for one in found]
        self.send_data_sets(results, form)

    head = get

    async def post(self, **_path: str) -> None:
        """201 and where it is; without a UID in query or body one is made."""
        document = self.data_set()
        told = self.get_query_argument("workitem", "") or self.get_query_argument(
            "AffectedSOPInstanceUID", ""
        )
        inside = [
            documents.value(document, keyword) for keyword in ("SOPInstanceUID", "AffectedSOPInstanceUID")
        ]
        uid = clean(self.uid_of_query or told or inside[0] or inside[1]) or new_uid()
        document.pop(documents.tag("AffectedSOPInstanceUID"), None)
        created = await self.run(self.worklist.create, document, uid)
        if created.modified:
            self.warn("The Workitem was created with modifications.")
        self.set_status(201)
        self.set_header("Location", f"{self.root}/workitems/{created.uid}")

    def text_arguments(self) -> dict[str, list[str]]:
        """Query parameters as text; bytes that are no UTF-8 match nothing."""
        raw = self.request.query_arguments
        return {name: [one.decode("utf-8", "replace") for one in found] for name, found in raw.items()}


class OneWorkitem(WorklistHandler):
    """One workitem: retrieve (GET) and update (POST)."""

    async def get(self, **_path: str) -> None:
        """Answer with the workitem, without its Transaction UID."""
        form = choose(self.accepted(), single=True)
        self.send_data_sets([await self.run(self.worklist.retrieve, self.workitem)], form)

    head = get

    async def post(self, **_path: str) -> None:
        """Set the elements of the body, as the performer whose Transaction UID is given."""
        document = self.data_set()
        told = next(filter(None, (self.get_query_argument(n, "") for n in _TRANSACTION)), "")
        transaction = self.uid_of_query or told or documents.value(document, "TransactionUID")
        await self.run(self.worklist.update, self.workitem, document, clean(transaction))
        self.set_header("Content-Location", f"{self.root}/workitems/{self.workitem}")

    def warning_of(self, dicom_status: int) -> str:
        """Those of 11.6.3.2; a final workitem is told by 400 (11.6.2)."""
        if dicom_status == states.NO_SUCH_STEP:
            return ""
        if dicom_status == states.NOT_IN_PROGRESS:
            return "The target URI did not reference a claimed Workitem."
        return _UPDATE_INCONSISTENT

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As for every resource, save that updating a final workitem is 400."""
        try:
            return await super().run(work, *args, **kwargs)
        except WorkitemRefused as refused:
            if refused.detail == {"dicom_status": f"{states.NO_LONGER_UPDATED:04X}"}:
                refused.status = 400  # type: ignore[misc]
            raise


_TRANSACTION = ("transaction", "transaction-uid", "transaction_uid", "TransactionUID")


class WorkitemState(WorklistHandler):
    """The state of a workitem: claim, complete or cancel it as its performer."""

    async def put(self, **_path: str) -> None:
        """Change the state to the one in the body, with the Transaction UID in the body."""
        document = documents.well_formed(self.data_set())
        self._transaction = clean(documents.value(document, "TransactionUID"))
        wanted = documents.value(document, "ProcedureStepState")
        status = await self.run(self.worklist.change_state, self.workitem, wanted, self._transaction)
        if status in _ALREADY:
            self.warn(_ALREADY[status])

    def warning_of(self, dicom_status: int) -> str:
        """Those of 11.7.3.2."""
        if dicom_status == states.WRONG_TRANSACTION:
            return f"The Transaction UID is {'incorrect' if self._transaction else 'missing'}."
        return super().warning_of(dicom_status)


class CancelRequest(WorklistHandler):
    """Ask the performer of a workitem to cancel it; one that nobody claimed is canceled."""

    async def post(self, **_path: str) -> None:
        """202; the body may say why and whom to contact."""
        reasons = self.data_set() if self._body.strip() else {}
        status = await self.run(self.worklist.request_cancel, self.workitem, reasons, self._requester())
        self.set_status(202)
        if status in _ALREADY:
            self.warn(_ALREADY[status])

    def _requester(self) -> str:
        """Requesting AE: the one that the path ends with, else who asks, as far as that is an AE title."""
        told = self.path_kwargs.get("aetitle")
        return ae_title(told) if told else re.sub(r"[^ !-\[\]-~]", "", self.identity.name)[:16].strip() or "-"


class Subscriber(WorklistHandler):
    """A subscription: subscribe (POST) and unsubscribe (DELETE), one workitem or a well-known UID for all."""

    async def post(self, **_path: str) -> None:
        """201, and in Content-Location the WebSocket that events come through."""
        lock = self.get_query_argument("deletionlock", "false").strip().lower()
        if lock not in ("true", "false"):
            raise BadRequest(f"deletionlock is true or false, not {lock[:20]!r}")
        keys = self._keys() if self.workitem == FILTERED else None
        wish = Wish(self.workitem, self.aetitle, lock == "true", keys)
        await self.run(self.worklist.subscribe, wish)
        self.set_status(201)
        channel = f"{self.root}/subscribers/{self.path_kwargs['aetitle']}"
        self.set_header("Content-Location", re.sub(r"^http", "ws", channel))

    async def delete(self, **_path: str) -> None:
        """Unsubscribe."""
        await self.run(self.worklist.unsubscribe, self.workitem, self.aetitle)

    def _keys(self) -> dict[str, str]:
        """The matching keys of `filter`, a comma-separated list of attribute=value (11.10.1.2)."""
        given: dict[str, list[str]] = {}
        for text in self.get_query_arguments("filter"):
            for pair in re.split(r"[,&](?=[\w.]+=)", text):
                name, equals, found = pair.partition("=")
                if not equals:
                    raise BadRequest("filter is a list of attribute=value", hint="filter=WorklistLabel=Dose")
                given.setdefault(name.strip(), []).append(found)
        search = parse_search(given)
        if not search.keys or any("unknown" in text for text in search.warnings):
            raise BadRequest("filter names no attribute, or one that is unknown")
        match_all(search.keys, search.rules)
        return {name: str(found) for name, found in search.keys.items()}


class Suspension(WorklistHandler):
    """Suspend a global subscription: workitems to come are not told of any more."""

    async def post(self, **_path: str) -> None:
        """Suspend."""
        await self.run(self.worklist.suspend, self.workitem, self.aetitle)


routes = [
    (ROOT + r"/workitems/?", Workitems),
    (ROOT + WORKITEM, OneWorkitem),
    (ROOT + WORKITEM + r"/state", WorkitemState),
    (ROOT + WORKITEM + r"/state/" + AETITLE, WorkitemState),
    (ROOT + WORKITEM + r"/cancelrequest", CancelRequest),
    (ROOT + WORKITEM + r"/cancelrequest/" + AETITLE, CancelRequest),
    (ROOT + WORKITEM + r"/subscribers/" + AETITLE, Subscriber),
    (ROOT + WORKITEM + r"/subscribers/" + AETITLE + r"/suspend", Suspension),
]
