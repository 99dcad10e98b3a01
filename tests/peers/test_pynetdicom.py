"""pynetdicom's own SCUs and SCPs as peers, and many associations at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from data_sets import data_set
from foreign import FILES
from live_dicom import LiveServer
from pydicom import Dataset, dcmread
from pynetdicom import AE, build_role, evt
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation, UserIdentityNegotiation
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    CTImageStorage,
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)
from scu import CT, ECHO, association, command, store

from isocenter.archive import Origin
from isocenter.dicom.uids import EXPLICIT_LITTLE_ENDIAN
from isocenter.network.messages import Field
from isocenter.network.negotiation import Proposal

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

STUDY = "1.2.3"


@contextmanager
def associated(server: LiveServer, *contexts: Any, **more: Any) -> Iterator[Any]:
    """An association of pynetdicom's requestor."""
    ae = AE("PYNETDICOM")
    for each in contexts:
        ae.add_requested_context(each)
    made = ae.associate("127.0.0.1", server.port, ae_title="ISOCENTER", **more)
    assert made.is_established
    try:
        yield made
    finally:
        made.release()


def identifier(level: str, **keys: Any) -> Dataset:
    made = Dataset()
    made.QueryRetrieveLevel = level
    for name, value in keys.items():
        setattr(made, name, value)
    return made


def fill(server: LiveServer, count: int = 5) -> None:
    for n in range(count):
        raw = data_set(SOPInstanceUID=f"1.2.3.4.{n}", InstanceNumber=str(n), pixels=bytes(512))
        server.dataset.store(raw, Origin("TEST", "ISOCENTER", ""), EXPLICIT_LITTLE_ENDIAN)


def test_echo(server: LiveServer) -> None:
    with associated(server, Verification) as peer:
        assert peer.send_c_echo().Status == 0


def test_store(server: LiveServer) -> None:
    with associated(server, CTImageStorage) as peer:
        assert peer.send_c_store(dcmread(FILES / "CT_small.dcm")).Status == 0
    assert len(server.dataset.index.reader.instances()) == 1


def test_find_at_both_roots_with_extended_negotiation(server: LiveServer) -> None:
    fill(server)
    relational = SOPClassExtendedNegotiation()
    relational.sop_class_uid = StudyRootQueryRetrieveInformationModelFind
    relational.service_class_application_information = b"\x01\x01\x01"
    models = (StudyRootQueryRetrieveInformationModelFind, PatientRootQueryRetrieveInformationModelFind)
    with associated(server, *models, ext_neg=[relational]) as peer:
        assert peer.acceptor.sop_class_extended == {models[0]: b"\x01\x01\x01"}
        answers = list(peer.send_c_find(identifier("IMAGE", SOPInstanceUID="", Rows=None), models[0]))
        assert [status.Status for status, _ in answers] == [0xFF00] * 5 + [0]
        answers = list(peer.send_c_find(identifier("PATIENT", PatientName="doe*", PatientID=""), models[1]))
        assert answers[0][1].PatientName == "Doe^Jane"


def test_find_is_cancelled(server: LiveServer) -> None:
    fill(server, 300)
    model = StudyRootQueryRetrieveInformationModelFind
    with associated(server, model) as peer:
        keys = identifier("IMAGE", StudyInstanceUID=STUDY, SeriesInstanceUID="1.2.3.1", SOPInstanceUID="")
        statuses = []
        for status, _ in peer.send_c_find(keys, model, msg_id=7):
            statuses.append(status.Status)
            if len(statuses) == 3:
                peer.send_c_cancel(7, query_model=model)
        assert statuses[-1] in (0xFE00, 0x0000)
        assert peer.is_established


@pytest.mark.parametrize(
    "model", [StudyRootQueryRetrieveInformationModelGet, PatientRootQueryRetrieveInformationModelGet]
)
def test_get(server: LiveServer, model: Any) -> None:
    fill(server)
    got = []

    def take(event: Any) -> int:
        got.append(event.dataset.SOPInstanceUID)
        return 0

    patient = model == PatientRootQueryRetrieveInformationModelGet
    keys = identifier("PATIENT", PatientID="P1") if patient else identifier("STUDY", StudyInstanceUID=STUDY)
    roles = [build_role(CTImageStorage, scp_role=True)]
    handlers = [(evt.EVT_C_STORE, take)]
    with associated(server, model, CTImageStorage, ext_neg=roles, evt_handlers=handlers) as peer:
        *_, (final, _) = peer.send_c_get(keys, model)
    assert got == [f"1.2.3.4.{n}" for n in range(5)]
    assert (final.Status, final.NumberOfCompletedSuboperations) == (0, 5)


def test_move_to_an_scp_of_pynetdicom(server: LiveServer, free_port: int) -> None:
    fill(server)
    came: list[tuple[str, str | None]] = []

    def take(event: Any) -> int:
        came.append((event.dataset.SOPInstanceUID, event.request.MoveOriginatorApplicationEntityTitle))
        return 0

    ae = AE("DST")
    ae.add_supported_context(CTImageStorage)
    listening = ae.start_server(("127.0.0.1", free_port), block=False, evt_handlers=[(evt.EVT_C_STORE, take)])
    try:
        with associated(server, StudyRootQueryRetrieveInformationModelMove) as peer:
            keys = identifier("STUDY", StudyInstanceUID=STUDY)
            model = StudyRootQueryRetrieveInformationModelMove
            *_, (final, _) = peer.send_c_move(keys, "DST", model)
    finally:
        listening.shutdown()
    assert (final.Status, final.NumberOfCompletedSuboperations) == (0, 5)
    assert came == [(f"1.2.3.4.{n}", "PYNETDICOM") for n in range(5)]


def test_a_user_identity_is_let_in(server: LiveServer) -> None:
    identity = UserIdentityNegotiation()
    identity.user_identity_type, identity.primary_field = 2, b"jane"
    identity.secondary_field = b"secret"
    with associated(server, Verification, ext_neg=[identity]) as peer:
        assert peer.send_c_echo().Status == 0


def test_abort_and_a_new_association(server: LiveServer) -> None:
    with associated(server, Verification) as peer:
        peer.abort()
    with associated(server, Verification) as peer:
        assert peer.send_c_echo().Status == 0


async def test_two_hundred_associations_at_a_time(server: LiveServer) -> None:
    everyone = asyncio.Barrier(200)

    async def one(n: int) -> list[int]:
        contexts = (ECHO, Proposal(CT, (EXPLICIT_LITTLE_ENDIAN,)))
        async with association(server.port, *contexts, calling=f"SCU{n}") as peer:
            async with asyncio.timeout(60):
                await everyone.wait()
            context = peer.context_for(ECHO)
            assert context is not None
            echoed = await peer.exchange(context, command(Field.C_ECHO_RQ, ECHO))
            uid = f"1.2.3.4.{n}"
            stored = await store(peer, data_set(SOPInstanceUID=uid, pixels=bytes(20_000)), uid)
            return [echoed.status, stored.status]

    outcomes = await asyncio.gather(*(one(n) for n in range(200)))
    assert outcomes == [[0, 0]] * 200
    assert len(server.dataset.index.reader.instances()) == 200
