"""C-MOVE: classes and transfer syntaxes that a destination is offered, and takes or refuses."""

from __future__ import annotations

from pathlib import Path

from data_sets import data_set
from destination import EXPLICIT, IMPLICIT, Destination, fill_series, moved, moving
from live_dicom import LiveServer
from scu import CT, decoded

from isocenter.archive import Origin
from isocenter.dimse import outgoing
from isocenter.index.records import StoredInstance
from isocenter.network.negotiation import STORED_SYNTAXES, Policy


async def test_a_destination_that_takes_only_implicit_vr_gets_that(tmp_path: Path) -> None:
    policy = Policy(transfer_syntaxes=frozenset({IMPLICIT}))
    async with moving(tmp_path, Destination(policy=policy)) as (server, destination):
        final = (await moved(server))[-1]
    assert final.status == 0
    assert {syntax for _, syntax, _ in destination.keeping.received} == {IMPLICIT}
    assert decoded(destination.keeping.received[0][2], IMPLICIT).PatientID == "P1"


async def test_a_class_that_the_destination_refuses_fails_alone(tmp_path: Path) -> None:
    odd = "1.3.12.2.1107.5.9.1"

    def fill(server: LiveServer) -> None:
        fill_series(server, 3)
        raw = data_set(SOPInstanceUID="1.2.3.5", SOPClassUID=odd, InstanceNumber="9")
        server.dataset.store(raw, Origin("TEST", "ISOCENTER", ""), EXPLICIT)

    policy = Policy(unknown_sop_classes=False)
    async with moving(tmp_path, Destination(policy=policy), fill) as (server, destination):
        final = (await moved(server))[-1]
    assert len(destination.keeping.received) == 3
    assert final.status == 0xB000
    assert decoded(final.data).FailedSOPInstanceUIDList == "1.2.3.5"


async def test_an_object_without_a_class_fails_alone(tmp_path: Path) -> None:
    def fill(server: LiveServer) -> None:
        fill_series(server, 2)
        raw = data_set(SOPInstanceUID="1.2.3.5", SOPClassUID="", InstanceNumber="9")
        server.dataset.store(raw, Origin("TEST", "ISOCENTER", ""), EXPLICIT)

    async with moving(tmp_path, fill=fill) as (server, destination):
        final = (await moved(server))[-1]
    assert final.status == 0xB000
    assert len(destination.keeping.received) == 2
    assert decoded(final.data).FailedSOPInstanceUIDList == "1.2.3.5"


def instance(sop_class: str, syntax: str) -> StoredInstance:
    return StoredInstance("1", "2", "3", sop_class, 1, syntax, 0, "", 0, "", "", 0, 0, "", 0, 0, 0)


def test_each_stored_syntax_has_a_context_alone_and_each_class_one_for_uncompressed() -> None:
    jpeg = "1.2.840.10008.1.2.4.50"
    ((*contexts,),) = outgoing.proposals([instance(CT, jpeg), instance(CT, EXPLICIT), instance(CT, jpeg)])
    assert [each.transfer_syntaxes for each in contexts] == [(jpeg,), (EXPLICIT,), (EXPLICIT, IMPLICIT)]


def test_more_than_128_contexts_take_a_second_association() -> None:
    many = [instance(f"1.2.3.{n}", EXPLICIT) for n in range(100)]
    first, second = outgoing.proposals(many)
    assert len(first) <= 128
    assert len(first) + len(second) == 200
    assert all(outgoing.serves(first, each) != outgoing.serves(second, each) for each in many)


async def test_objects_of_many_classes_all_arrive(tmp_path: Path) -> None:
    def fill(server: LiveServer) -> None:
        for n in range(80):
            raw = data_set(SOPInstanceUID=f"1.2.3.4.{n}", SOPClassUID=f"1.2.3.99.{n}", InstanceNumber=str(n))
            server.dataset.store(raw, Origin("TEST", "ISOCENTER", ""), EXPLICIT)

    async with moving(tmp_path, fill=fill) as (server, destination):
        final = (await moved(server))[-1]
    assert final.status == 0
    assert len(destination.called) == 2
    assert len(set(destination.keeping.instances)) == 80


def test_every_stored_syntax_fits_one_association() -> None:
    (contexts,) = outgoing.proposals([instance(CT, syntax) for syntax in STORED_SYNTAXES])
    assert len(contexts) == len(STORED_SYNTAXES) + 1
