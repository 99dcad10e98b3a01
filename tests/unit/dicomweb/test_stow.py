"""Storing over the web: whatever real senders send, each instance with a result of its own."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from isocenter.dicom.xml_model import from_xml

Make = Callable[..., bytes]


def stored(web: Any) -> list[str]:
    return sorted(one.SOPInstanceUID for one in web.main.instances())


def reasons(module: dict[str, Any], tag: str = "00081198") -> list[int]:
    return [item["00081197"]["Value"][0] for item in module.get(tag, {}).get("Value", [])]


def test_instances_are_stored_and_named_in_the_answer(web: Any, make: Make) -> None:
    answer = web.store(make(1), make(2))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/dicom+json"
    module = answer.json()
    assert module["00081190"]["Value"] == [f"{web.url}/dicom-web/studies/1.2.3"]
    told = {item["00081155"]["Value"][0] for item in module["00081199"]["Value"]}
    assert told == {"1.2.3.1.1", "1.2.3.1.2"} == set(stored(web))
    assert "00081198" not in module


def test_several_studies_at_once_and_the_same_bytes_again(web: Any, make: Make) -> None:
    files = [make(1, study=f"1.2.{n}") for n in range(4)]
    assert web.store(*files).status_code == 200
    again = web.store(*files)
    assert again.status_code == 200
    assert len(again.json()["00081199"]["Value"]) == 4
    assert len(stored(web)) == 4


def test_each_instance_has_its_own_result(web: Any, make: Make) -> None:
    answer = web.store(make(1), b"this is no DICOM" * 50, make(2))
    assert answer.status_code == 202
    module = answer.json()
    assert len(module["00081199"]["Value"]) == 2
    assert reasons(module, "0008119A") == [0xC000]
    assert len(stored(web)) == 2


def test_nothing_readable_is_400(web: Any) -> None:
    assert web.store(b"nonsense" * 50, b"more" * 100).status_code == 400
    assert web.store().status_code == 400
    assert stored(web) == []


def test_other_bytes_of_the_same_instance(serve: Any, make: Make) -> None:
    web = serve(on_conflict="reject")
    assert web.store(make(1, PatientID="A")).status_code == 200
    refused = web.store(make(1, PatientID="B"))
    assert refused.status_code == 409
    assert reasons(refused.json()) == [0xC001]
    assert refused.json()["00081198"]["Value"][0]["00081155"]["Value"] == ["1.2.3.1.1"]


def test_a_study_takes_its_own_instances_only(web: Any, make: Make) -> None:
    inside = web.store(make(1), make(1, study="9.9"), path="/dicom-web/studies/1.2.3")
    assert inside.status_code == 202
    assert reasons(inside.json()) == [0xC002]
    assert stored(web) == ["1.2.3.1.1"]
    assert web.store(make(1, study="9.9"), path="/dicom-web/studies/1.2.3").status_code == 409


def test_a_single_part(web: Any, make: Make) -> None:
    answer = web.post("/dicom-web/studies", data=make(1), headers={"Content-Type": "application/dicom"})
    assert answer.status_code == 200
    assert stored(web) == ["1.2.3.1.1"]


@pytest.mark.parametrize(
    "body",
    [
        b"\r\n--b\r\nContent-Type: application/dicom\r\n\r\nFILE\r\n--b--\r\n",
        b"--b\r\nContent-Type: application/dicom\r\n\r\nFILE\r\n--b--",
        b"--b\r\n\r\nFILE\r\n--b--\r\n",
        b"--b\nContent-Type: application/dicom\n\nFILE\n--b--\n",
        b"--b\r\nContent-Type: application/dicom; transfer-syntax=1.2.840.10008.1.2.1\r\n\r\nFILE--b--\r\n",
        b"--b\r\ncontent-type:application/dicom\r\nMIME-Version: 1.0\r\n\r\nFILE\r\n--b--\r\nafter",
    ],
)
@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/related; type="application/dicom"; boundary="b"',
        "multipart/related;boundary=b;type=application/dicom",
        "Multipart/Related; Boundary=b",
    ],
)
def test_bodies_of_real_senders(web: Any, make: Make, body: bytes, content_type: str) -> None:
    answer = web.post(
        "/dicom-web/studies", data=body.replace(b"FILE", make(1)), headers={"Content-Type": content_type}
    )
    assert answer.status_code == 200, answer.text
    assert stored(web) == ["1.2.3.1.1"]


def test_chunked_transfer(web: Any, make: Make) -> None:
    def pieces() -> Iterator[bytes]:
        raw = (
            b"--b\r\nContent-Type: application/dicom\r\n\r\n"
            + make(1, pixels=bytes(50_000))
            + b"\r\n--b--\r\n"
        )
        for start in range(0, len(raw), 777):
            yield raw[start : start + 777]

    answer = web.post(
        "/dicom-web/studies",
        data=pieces(),
        headers={"Content-Type": "multipart/related; type=application/dicom; boundary=b"},
    )
    assert answer.status_code == 200
    assert stored(web) == ["1.2.3.1.1"]


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "multipart/form-data; boundary=here",
        "text/plain",
    ],
)
def test_other_bodies_are_415_and_large_ones_still_get_their_answer(web: Any, content_type: str) -> None:
    answer = web.post("/dicom-web/studies", data=bytes(5_000_000), headers={"Content-Type": content_type})
    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "unsupported-media-type"


def test_a_part_of_another_type_is_refused_alone(web: Any, make: Make) -> None:
    body = b"--b\r\nContent-Type: image/jpeg\r\n\r\nxyz\r\n--b\r\n\r\n" + make(1) + b"\r\n--b--"
    answer = web.post(
        "/dicom-web/studies", data=body, headers={"Content-Type": "multipart/related; boundary=b"}
    )
    assert answer.status_code == 202
    assert stored(web) == ["1.2.3.1.1"]


def test_thousands_of_tiny_parts_get_their_results_and_let_others_in(web: Any, make: Make) -> None:
    parts = b"--b\r\n\r\n\r\n" * 3_000 + b"--b\r\n\r\n" + make(1) + b"\r\n--b--"
    answer = web.post(
        "/dicom-web/studies", data=parts, headers={"Content-Type": "multipart/related; boundary=b"}
    )
    assert answer.status_code == 202
    assert len(reasons(answer.json(), "0008119A")) == 3_000
    assert stored(web) == ["1.2.3.1.1"]


def test_more_instances_than_the_settings_allow_are_413(serve: Any, make: Make) -> None:
    web = serve(dicomweb={"store_instances": 2})
    assert web.store(make(1), make(2)).status_code == 200
    refused = web.store(make(3), make(4), make(5))
    assert refused.status_code == 413
    assert "at most 2" in refused.json()["error"]["message"]


def test_a_transfer_syntax_that_is_no_uid_is_refused(web: Any, make: Make) -> None:
    raw = make(1)
    syntax = b"1.2.840.10008.1.2.1\0"
    assert syntax in raw
    answer = web.store(raw.replace(syntax, b"1.2\r\nX-Evil: yes sir", 1))
    assert answer.status_code == 400
    assert reasons(answer.json(), "0008119A" if "0008119A" in answer.json() else "00081198") == [0xC000]
    assert stored(web) == []


def test_a_boundary_that_is_missing_or_wrong_is_400(web: Any, make: Make) -> None:
    for content_type in ("multipart/related", "multipart/related; boundary=other"):
        answer = web.post("/dicom-web/studies", data=make(1), headers={"Content-Type": content_type})
        assert answer.status_code == 400
    assert stored(web) == []


def test_a_body_that_ends_inside_an_instance_keeps_those_before_it(web: Any, make: Make) -> None:
    body = b"--b\r\n\r\n" + make(1) + b"\r\n--b\r\n\r\n" + make(2)[:-3]
    answer = web.post(
        "/dicom-web/studies", data=body, headers={"Content-Type": "multipart/related; boundary=b"}
    )
    assert answer.status_code == 202
    assert stored(web) == ["1.2.3.1.1"]


def test_a_sender_that_goes_away_leaves_nothing(web: Any, make: Make) -> None:
    with socket.create_connection(("127.0.0.1", web.port)) as sender:
        sender.sendall(
            b"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n"
            b"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\n\r\n"
            + make(1, pixels=bytes(6_000_000))  # what is small waits in memory
        )
        _until(lambda: bool(_incoming(web)))
    _until(lambda: not _incoming(web))
    assert "isocenter_http_active 1.0" in web.get("/metrics").text  # this one
    web.store(make(2))
    assert stored(web) == ["1.2.3.1.2"]


def _incoming(web: Any) -> list[Any]:
    return list((web.archive.data / "objects" / ".incoming").iterdir())


def _until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_beyond_the_limit_is_413(serve: Any, make: Make) -> None:
    web = serve(http={"max_body": 100_000})
    assert web.store(make(1, pixels=bytes(200_000))).status_code == 413
    assert web.store(make(1)).status_code == 200


def test_expect_100_continue_is_refused_before_the_body(web: Any) -> None:
    web.context.tokens.create("somebody")
    with socket.create_connection(("127.0.0.1", web.port)) as sender:
        sender.sendall(
            b"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000000\r\n"
            b"Content-Type: multipart/related; boundary=b\r\nExpect: 100-continue\r\n\r\n"
        )
        assert sender.recv(1000).startswith(b"HTTP/1.1 401")


def test_the_answer_is_xml_for_who_asks(web: Any, make: Make) -> None:
    answer = web.store(make(1), headers={"Accept": "application/dicom+xml"})
    assert answer.headers["Content-Type"] == "application/dicom+xml"
    assert from_xml(answer.content) == web.store(make(1)).json()
    assert web.store(make(1), headers={"Accept": "text/html"}).status_code == 406


def test_a_file_that_claims_another_class_is_stored_with_a_warning(web: Any, make: Make) -> None:
    answer = web.store(make(1).replace(b"1.2.840.10008.5.1.4.1.1.2\0", b"1.2.840.10008.5.1.4.1.1.4\0", 1))
    assert answer.status_code == 202
    (item,) = answer.json()["00081199"]["Value"]
    assert item["00081196"] == {"vr": "US", "Value": [0xB007]}
    assert stored(web) == ["1.2.3.1.1"]


def test_other_datasets_have_their_own_root(serve: Any, make: Make) -> None:
    web = serve(datasets={"lab": {"ae_title": "LAB"}})
    answer = web.store(make(1), path="/datasets/lab/dicom-web/studies")
    assert answer.json()["00081190"]["Value"] == [f"{web.url}/datasets/lab/dicom-web/studies/1.2.3"]
    assert stored(web) == []
    assert len(web.archive.datasets["lab"].instances()) == 1
    assert web.store(make(1), path="/datasets/none/dicom-web/studies").status_code == 404


def test_origin_is_kept(web: Any, make: Make) -> None:
    from isocenter.security import Role

    secret, _ = web.context.tokens.create("scanner-gateway", role=Role.CONTRIBUTOR)
    assert web.store(make(1), headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    assert web.main.instances()[0].source_aet == "scanner-gateway"


def test_pipelined_requests_of_one_connection(web: Any, make: Make) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)
    for number in (1, 2, 3):
        body = b"--b\r\n\r\n" + make(number) + b"\r\n--b--"
        headers = {"Content-Type": "multipart/related; boundary=b"}
        connection.request("POST", "/dicom-web/studies", body, headers)
        answer = connection.getresponse()
        assert answer.status == 200
        answer.read()
    connection.close()
    assert len(stored(web)) == 3
