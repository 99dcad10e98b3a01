"""UPS-RS over HTTP: status codes, headers and bodies of PS3.18 chapter 11."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from workitem_documents import elements, performed, workitem

from isocenter.dicom.xml_model import from_xml, to_xml
from isocenter.security import Role

LOCK = "2.25.1"
JSON = {"Content-Type": "application/dicom+json"}
ROOT = "/dicom-web/workitems"
ALL, FILTERED = "1.2.840.10008.5.1.4.34.5", "1.2.840.10008.5.1.4.34.5.1"


class Performer:
    """Short ways of saying what a user agent does."""

    def __init__(self, web: Any) -> None:
        self.web = web

    def ask(self, method: str, path: str, document: Any = None, **options: Any) -> requests.Response:
        headers = JSON | options.pop("headers", {})
        answer: requests.Response = self.web.web.request(
            method, self.web.url + path, json=document, headers=headers, timeout=60, **options
        )
        return answer

    def create(self, uid: str = "1.2", **changes: Any) -> requests.Response:
        return self.ask("POST", f"{ROOT}?{uid}", workitem(**changes))

    def state(self, state: str, transaction: str = LOCK, uid: str = "1.2") -> requests.Response:
        told = {"TransactionUID": transaction} if transaction else {}
        return self.ask("PUT", f"{ROOT}/{uid}/state", elements(ProcedureStepState=state, **told))

    def update(self, query: str, uid: str = "1.2", **told: Any) -> requests.Response:
        return self.ask("POST", f"{ROOT}/{uid}{query}", elements(**told) or performed())


@pytest.fixture
def ups(web: Any) -> Performer:
    return Performer(web)


def warning(answer: requests.Response) -> str:
    return answer.headers.get("Warning", "").partition(": ")[2]


class TestCreate:
    def test_it_answers_where_the_workitem_is(self, ups: Performer) -> None:
        answer = ups.create()
        assert (answer.status_code, answer.content) == (201, b"")
        assert answer.headers["Location"] == f"{ups.web.url}{ROOT}/1.2"
        assert ups.ask("GET", answer.headers["Location"].removeprefix(ups.web.url)).status_code == 200

    def test_what_was_filled_in_is_said(self, ups: Performer) -> None:
        assert warning(ups.create()) == "The Workitem was created with modifications."

    @pytest.mark.parametrize("query", ["?workitem=1.2", "?AffectedSOPInstanceUID=1.2", "?1.2"])
    def test_each_way_of_naming_it(self, ups: Performer, query: str) -> None:
        assert ups.ask("POST", ROOT + query, workitem()).headers["Location"].endswith("/workitems/1.2")

    def test_the_body_may_name_it_and_may_be_a_list(self, ups: Performer) -> None:
        answer = ups.ask("POST", ROOT, [workitem(SOPInstanceUID="1.7")])
        assert answer.headers["Location"].endswith("/workitems/1.7")

    def test_without_a_uid_it_gets_one(self, ups: Performer) -> None:
        assert "/workitems/2.25." in ups.ask("POST", ROOT, workitem()).headers["Location"]

    def test_the_same_uid_again_is_a_conflict(self, ups: Performer) -> None:
        ups.create()
        assert ups.create().status_code == 409

    @pytest.mark.parametrize(
        ("changes", "status"),
        [({"ProcedureStepLabel": None}, 400), ({"ProcedureStepState": "IN PROGRESS"}, 400)],
    )
    def test_what_is_wrong_with_it(self, ups: Performer, changes: Any, status: int) -> None:
        assert ups.create(**changes).status_code == status

    def test_a_body_of_another_type_is_refused(self, ups: Performer) -> None:
        answer = ups.web.post(ROOT, data=b"x", headers={"Content-Type": "text/plain"})
        assert answer.status_code == 415
        assert ups.web.post(ROOT, data=b"{", headers=JSON).status_code == 400


class TestXml:
    def test_created_and_retrieved_as_xml(self, ups: Performer) -> None:
        kind = {"Content-Type": "application/dicom+xml"}
        assert ups.web.post(ROOT + "?1.2", data=to_xml(workitem()), headers=kind).status_code == 201
        answer = ups.web.get(ROOT + "/1.2", headers={"Accept": "application/dicom+xml"})
        assert from_xml(answer.content)["00741204"]["Value"] == ["Segment the liver"]

    def test_as_a_part_of_a_multipart_body(self, ups: Performer) -> None:
        kind = 'multipart/related; type="application/dicom+xml"; boundary=here'
        body = b"--here\r\nContent-Type: application/dicom+xml\r\n\r\n" + to_xml(workitem()) + b"\r\n--here--"
        assert ups.web.post(ROOT + "?1.2", data=body, headers={"Content-Type": kind}).status_code == 201
        answer = ups.web.get(ROOT, headers={"Accept": 'multipart/related; type="application/dicom+xml"'})
        assert answer.headers["Content-Type"].startswith("multipart/related")
        assert b"Segment the liver" in answer.content

    def test_neither_of_both_is_not_acceptable(self, ups: Performer) -> None:
        assert ups.web.get(ROOT, headers={"Accept": "image/jpeg"}).status_code == 406


class TestRetrieveAndSearch:
    def test_it_is_a_list_of_one_without_its_lock(self, ups: Performer) -> None:
        ups.create()
        ups.state("IN PROGRESS")
        (found,) = ups.ask("GET", ROOT + "/1.2").json()
        assert found["00741000"]["Value"] == ["IN PROGRESS"]
        assert "00081195" not in found

    def test_unknown_ones(self, ups: Performer) -> None:
        assert ups.ask("GET", ROOT + "/9.9").status_code == 404
        assert ups.update("", uid="9.9").status_code == 404
        assert ups.state("IN PROGRESS", uid="9.9").status_code == 404
        assert ups.ask("POST", ROOT + "/9.9/cancelrequest").status_code == 404

    def test_search_as_qido_has_it(self, ups: Performer) -> None:
        for uid, label in (("1.1", "Dose"), ("1.2", "Research")):
            ups.create(uid, WorklistLabel=label, ContactDisplayName="Somebody")
        assert ups.ask("GET", ROOT + "?WorklistLabel=Dose&00741000=SCHEDULED").json()[0]["00080018"][
            "Value"
        ] == ["1.1"]
        (found,) = ups.ask("GET", ROOT + "?limit=1&offset=1").json()
        assert "0074100C" not in found
        (found,) = ups.ask("GET", ROOT + "?limit=1&includefield=ContactDisplayName").json()
        assert found["0074100C"]["Value"] == ["Somebody"]
        assert ups.ask("GET", ROOT + "?PatientID=nobody").json() == []

    def test_more_results_are_announced(self, ups: Performer) -> None:
        ups.create("1.1")
        ups.create("1.2")
        assert warning(ups.ask("GET", ROOT + "?limit=1")).startswith("There are 1 additional results")
        assert warning(ups.ask("GET", ROOT + "?nonsense=1")).startswith("These parameters are unknown")

    @pytest.mark.parametrize("path", [ROOT, "/dicom-web/studies"])
    def test_a_parameter_without_a_name_is_warned_of_as_well(self, ups: Performer, path: str) -> None:
        answer = ups.ask("GET", path + "?nonsense=1&=1")
        assert (answer.status_code, answer.headers["Warning"][-8:]) == (200, "nonsense")


class TestUpdate:
    def test_a_scheduled_one(self, ups: Performer) -> None:
        ups.create()
        answer = ups.update("", ProcedureStepLabel="Other")
        assert (answer.status_code, answer.content) == (200, b"")
        assert ups.ask("GET", ROOT + "/1.2").json()[0]["00741204"]["Value"] == ["Other"]

    @pytest.mark.parametrize("query", [f"?transaction={LOCK}", f"?{LOCK}", f"?transaction-uid={LOCK}"])
    def test_one_in_progress_by_its_performer(self, ups: Performer, query: str) -> None:
        ups.create()
        ups.state("IN PROGRESS")
        assert ups.update(query).status_code == 200

    def test_statuses_and_warnings(self, ups: Performer) -> None:
        ups.create()
        claimed = ups.update(f"?{LOCK}")
        assert (claimed.status_code, warning(claimed)) == (
            409,
            "The target URI did not reference a claimed Workitem.",
        )
        ups.state("IN PROGRESS")
        told = "The submitted request is inconsistent with the current state of the Workitem."
        for query in ("", "?2.25.9"):
            answer = ups.update(query)
            assert (answer.status_code, warning(answer)) == (400, told)
            assert answer.json()["error"]["detail"]["dicom_status"] == "C301"
        ups.update(f"?{LOCK}")
        ups.state("COMPLETED")
        answer = ups.update(f"?{LOCK}")
        assert (answer.status_code, warning(answer)) == (400, told)


class TestState:
    def test_statuses_and_warnings(self, ups: Performer) -> None:
        ups.create()
        inconsistent = "The submitted request is inconsistent with the state of the UPS Instance."
        steps = [
            ("IN PROGRESS", "", 400, "The Transaction UID is missing."),
            ("COMPLETED", LOCK, 409, inconsistent),
            ("IN PROGRESS", LOCK, 200, ""),
            ("IN PROGRESS", LOCK, 409, inconsistent),
            ("COMPLETED", "2.25.9", 400, "The Transaction UID is incorrect."),
            ("SCHEDULED", LOCK, 409, inconsistent),
            ("COMPLETED", LOCK, 409, inconsistent),
            ("CANCELED", LOCK, 200, ""),
            ("CANCELED", LOCK, 200, "The UPS is already in the requested state of CANCELED."),
            ("COMPLETED", LOCK, 409, inconsistent),
        ]
        for state, transaction, status, told in steps:
            answer = ups.state(state, transaction)
            assert (answer.status_code, warning(answer)) == (status, told), (state, transaction)

    def test_completed_twice(self, ups: Performer) -> None:
        ups.create()
        ups.state("IN PROGRESS")
        ups.update(f"?{LOCK}")
        assert warning(ups.state("COMPLETED")) == ""
        assert warning(ups.state("COMPLETED")) == "The UPS is already in the requested state of COMPLETED."

    def test_no_such_state(self, ups: Performer) -> None:
        ups.create()
        assert ups.state("PAUSED").status_code == 400


class TestCancelRequest:
    def test_a_scheduled_one_is_canceled(self, ups: Performer) -> None:
        ups.create()
        answer = ups.ask("POST", ROOT + "/1.2/cancelrequest", elements(ReasonForCancellation="Not needed"))
        assert answer.status_code == 202
        assert ups.ask("GET", ROOT + "/1.2").json()[0]["00741000"]["Value"] == ["CANCELED"]
        again = ups.ask("POST", ROOT + "/1.2/cancelrequest")
        assert warning(again) == "The UPS is already in the requested state of CANCELED."

    def test_one_in_progress_is_not_and_a_completed_one_cannot_be(self, ups: Performer) -> None:
        ups.create()
        ups.state("IN PROGRESS")
        assert ups.ask("POST", ROOT + "/1.2/cancelrequest/BOSS").status_code == 202
        assert ups.ask("GET", ROOT + "/1.2").json()[0]["00741000"]["Value"] == ["IN PROGRESS"]
        ups.update(f"?{LOCK}")
        ups.state("COMPLETED")
        assert ups.ask("POST", ROOT + "/1.2/cancelrequest").status_code == 409


class TestSubscriptions:
    @pytest.mark.parametrize("target", ["1.2", ALL, FILTERED + "/subscribers/WATCHER?filter=PatientID=P1"])
    def test_it_answers_where_events_come_from(self, ups: Performer, target: str) -> None:
        ups.create()
        path = target if "/" in target else target + "/subscribers/WATCHER?deletionlock=true"
        answer = ups.ask("POST", f"{ROOT}/{path}")
        assert answer.status_code == 201
        wanted = f"ws://127.0.0.1:{ups.web.port}/dicom-web/subscribers/WATCHER"
        assert answer.headers["Content-Location"] == wanted

    @pytest.mark.parametrize(
        "path",
        [
            f"{ALL}/subscribers/A_TITLE_THAT_IS_TOO_LONG",
            f"{ALL}/subscribers/X?deletionlock=perhaps",
            f"{FILTERED}/subscribers/X",
            f"{FILTERED}/subscribers/X?filter=Nonsense=1",
            f"{FILTERED}/subscribers/X?filter=ScheduledProcedureStepStartDateTime=soon",
            "1.2/subscribers/X/suspend",
        ],
    )
    def test_what_cannot_be_asked_for(self, ups: Performer, path: str) -> None:
        assert ups.ask("POST", f"{ROOT}/{path}").status_code == 400

    def test_what_is_not_there(self, ups: Performer) -> None:
        assert ups.ask("POST", f"{ROOT}/9.9/subscribers/X").status_code == 404
        assert ups.ask("DELETE", f"{ROOT}/{ALL}/subscribers/X").status_code == 404

    def test_suspended_and_ended(self, ups: Performer) -> None:
        path = f"{ROOT}/{ALL}/subscribers/WATCHER"
        assert ups.ask("POST", path).status_code == 201
        assert ups.ask("POST", path + "/suspend").status_code == 200
        assert ups.ask("POST", path).status_code == 201
        assert ups.ask("DELETE", path).status_code == 200


def test_a_reader_sees_the_worklist_and_changes_nothing(ups: Performer) -> None:
    ups.create()
    secret, _ = ups.web.context.tokens.create("reader", role=Role.READER)
    headers = {"Authorization": f"Bearer {secret}"}
    assert ups.ask("GET", ROOT + "/1.2", headers=headers).status_code == 200
    for method, path in (("POST", ROOT), ("POST", ROOT + "/1.2"), ("PUT", ROOT + "/1.2/state")):
        assert ups.ask(method, path, workitem(), headers=headers).status_code == 403
