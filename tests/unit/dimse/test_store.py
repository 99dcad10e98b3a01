"""C-STORE: an object is stored as sent, and its sender is told what became of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from data_sets import data_set
from live_dicom import LiveServer, live
from raw_peer import Peer, fragment, p_data, until
from scu import CT, ECHO, association, command, store

from isocenter.dicom import uids
from isocenter.dicom.levels import Level
from isocenter.dimse import store as storing
from isocenter.network import messages, negotiation
from isocenter.network.messages import Field
from isocenter.network.negotiation import Proposal

SYNTAX = uids.EXPLICIT_LITTLE_ENDIAN
EXPLICIT = Proposal(CT, (SYNTAX,))


def stored(server: LiveServer) -> list[str]:
    return sorted(row["SOPInstanceUID"] for row in server.dataset.find(Level.INSTANCE, everything()))


def everything() -> Any:
    from isocenter.dicom.predicate import Everything

    return Everything()


def leftovers(server: LiveServer) -> list[Path]:
    """Files below the objects folder that no instance names."""
    named = {each.object for each in server.dataset.index.reader.instances()}
    root = server.settings.data / "objects"
    files = [
        path
        for path in root.rglob("*")
        if path.is_file() and not path.name.startswith((".sweep", ".dataset-"))
    ]
    return [path for path in files if str(path.relative_to(root)) not in named]


async def test_a_stored_object_is_there_when_its_sender_is_told(server: LiveServer) -> None:
    raw = data_set(SOPInstanceUID="1.2.3.4", pixels=bytes(1000))
    async with association(server.port, EXPLICIT, calling="CT1") as peer:
        reply = await store(peer, raw, "1.2.3.4")
        assert reply.status == 0
        assert reply.command["AffectedSOPInstanceUID"] == "1.2.3.4"
        assert reply.command["AffectedSOPClassUID"] == CT
        (instance,) = server.dataset.index.reader.instances()
    assert instance.source_aet == "CT1"
    with server.dataset.open(instance) as file:
        file.seek(instance.data_set_offset)
        assert file.read() == raw
    assert leftovers(server) == []


async def test_the_same_object_again_is_a_success_that_changes_nothing(server: LiveServer) -> None:
    raw = data_set(SOPInstanceUID="1.2.3.4")
    async with association(server.port, EXPLICIT) as peer:
        assert [(await store(peer, raw, "1.2.3.4")).status for _ in range(3)] == [0, 0, 0]
    assert stored(server) == ["1.2.3.4"]
    assert leftovers(server) == []


async def test_other_bytes_are_refused_where_the_dataset_rejects_conflicts(tmp_path: Path) -> None:
    with live(tmp_path, on_conflict="reject") as server:
        async with association(server.port, EXPLICIT) as peer:
            assert (await store(peer, data_set(SOPInstanceUID="1.2.3.4"), "1.2.3.4")).status == 0
            other = data_set(SOPInstanceUID="1.2.3.4", PatientName="Secret^Name")
            reply = await store(peer, other, "1.2.3.4")
    assert reply.status == 0xC001
    assert "Secret" not in reply.command["ErrorComment"]


@pytest.mark.parametrize(
    ("raw", "announced", "status"),
    [
        (data_set(SOPInstanceUID="1.2.3.4"), "1.2.3.5", 0xA900),
        (data_set(SOPInstanceUID="1.2.3.4", SOPClassUID="1.2.840.10008.5.1.4.1.1.4"), "1.2.3.4", 0xA900),
        (data_set(SOPInstanceUID="1.2.3.4", StudyInstanceUID=""), "1.2.3.4", 0xC000),
        (data_set(SOPInstanceUID="1.2.3.4", SeriesInstanceUID=""), "1.2.3.4", 0xC000),
        (data_set(SOPInstanceUID=""), "", 0xC000),
        (b"\x00" * 100, "1.2.3.4", 0xC000),
        (b"this is no data set, not at all", "1.2.3.4", 0xC000),
        (b"", "1.2.3.4", 0xC000),
    ],
    ids=["other instance", "other class", "no study", "no series", "no instance", "zeros", "text", "nothing"],
)
async def test_what_cannot_be_stored_is_refused_and_leaves_nothing(
    server: LiveServer, raw: bytes, announced: str, status: int
) -> None:
    async with association(server.port, EXPLICIT) as peer:
        reply = await store(peer, raw, announced)
        assert reply.status == status
        assert 0 < len(reply.command["ErrorComment"]) <= 64
        assert (await store(peer, data_set(SOPInstanceUID="1.2.9"), "1.2.9")).status == 0
    assert stored(server) == ["1.2.9"]
    assert leftovers(server) == []


async def test_a_dicomdir_is_not_stored(server: LiveServer) -> None:
    directory = uids.MEDIA_STORAGE_DIRECTORY
    async with association(server.port, directory) as peer:
        reply = await store(peer, data_set(SOPClassUID=directory), "1.2.3.4", directory)
    assert reply.status == 0x0122
    assert stored(server) == []


async def test_nothing_is_stored_in_the_context_of_another_service(server: LiveServer) -> None:
    async with association(server.port, ECHO) as peer:
        context = peer.context_for(ECHO)
        assert context is not None
        told = command(Field.C_STORE_RQ, CT, AffectedSOPInstanceUID="1.2.3.4")
        reply = await peer.exchange(context, told, data_set())
    assert reply.status == 0x0122
    assert stored(server) == []


async def test_a_peer_without_the_right_is_told_so(tmp_path: Path) -> None:
    with live(tmp_path, peers={"READER": {"host": "127.0.0.1", "rights": ["echo", "find"]}}) as server:
        async with association(server.port, EXPLICIT, calling="READER") as peer:
            reply = await store(peer, data_set(), "1.2.3.4")
        assert reply.status == 0x0124
        assert stored(server) == []


async def test_private_and_unknown_classes_are_stored(server: LiveServer) -> None:
    private = "1.3.12.2.1107.5.9.1"
    async with association(server.port, Proposal(private, (SYNTAX,))) as peer:
        raw = data_set(SOPClassUID=private)
        assert (await store(peer, raw, "1.2.3.4", private)).status == 0
    assert stored(server) == ["1.2.3.4"]


async def test_broken_uids_are_kept_as_sent(server: LiveServer) -> None:
    odd = "1.2.03.not-a-uid"
    async with association(server.port, EXPLICIT) as peer:
        assert (await store(peer, data_set(SOPInstanceUID=odd), odd)).status == 0
    assert stored(server) == [odd]


async def test_a_sender_faster_than_the_disk_is_made_to_wait(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    feed = storing.Storing.feed

    def watched(self: storing.Storing, fragment: memoryview) -> None:
        feed(self, fragment)
        seen.append(self._reception.backlog)

    monkeypatch.setattr(storing.Storing, "feed", watched)
    raw = data_set(SOPInstanceUID="1.2.3.4", pixels=bytes(64 * 1024 * 1024))
    async with association(server.port, EXPLICIT) as peer:
        assert (await store(peer, raw, "1.2.3.4")).status == 0
    assert max(seen) < 8 * 1024 * 1024


async def test_an_abort_in_the_middle_leaves_nothing(server: LiveServer) -> None:
    raw = data_set(SOPInstanceUID="1.2.3.4", pixels=bytes(16 * 1024 * 1024))
    async with association(server.port, EXPLICIT) as peer:
        sending = asyncio.create_task(store(peer, raw, "1.2.3.4"))
        while not leftovers(server):
            await asyncio.sleep(0.001)
        peer.abort()
        with pytest.raises(Exception, match="over"):
            await sending
    await until(lambda: not leftovers(server))
    assert stored(server) == []


@pytest.mark.parametrize("end", ["close", "half-close", "reset"])
@pytest.mark.parametrize("size", [1000, 8_000_000])
async def test_a_connection_that_ends_inside_a_data_set_leaves_nothing(
    server: LiveServer, end: str, size: int
) -> None:
    raw = data_set(SOPInstanceUID="1.2.3.4", pixels=bytes(size))
    told = command(Field.C_STORE_RQ, CT, AffectedSOPInstanceUID="1.2.3.4")
    packed = messages.pack_command({**told, "MessageID": 1, "CommandDataSetType": 1})
    peer = await Peer.connect(server.port)
    await peer.associate(negotiation.propose("ISOCENTER", "SCU", [EXPLICIT]))
    await peer.send(p_data(fragment(1, packed, command=True)))
    for start in range(0, len(raw), 100_000):
        await peer.send(p_data(fragment(1, raw[start : start + 100_000], last=False)))
    if size > 1_000_000:  # less is not written before it is complete
        await until(lambda: leftovers(server))
    if end == "reset":
        peer.reset()
    elif end == "half-close":
        peer.writer.write_eof()
    else:
        await peer.close()
    await until(lambda: not server.server.associations)
    await until(lambda: not leftovers(server))
    assert stored(server) == []
    assert server.dataset.index.reader.waiting() == (0, None)
    await peer.close()


async def test_other_associations_go_on_while_one_is_slow(server: LiveServer) -> None:
    big = data_set(SOPInstanceUID="1.2.1", pixels=bytes(32 * 1024 * 1024))
    async with association(server.port, EXPLICIT) as slow, association(server.port, EXPLICIT) as quick:
        sending = asyncio.create_task(store(slow, big, "1.2.1"))
        for n in range(10):
            uid = f"1.2.2.{n}"
            assert (await store(quick, data_set(SOPInstanceUID=uid), uid)).status == 0
        assert (await sending).status == 0
    assert len(stored(server)) == 11


async def test_an_object_of_another_class_than_its_context_is_refused(server: LiveServer) -> None:
    mr = "1.2.840.10008.5.1.4.1.1.4"
    async with association(server.port, EXPLICIT) as peer:
        told = command(Field.C_STORE_RQ, mr, AffectedSOPInstanceUID="1.2.3.4")
        reply = await peer.exchange(1, told, data_set(SOPInstanceUID="1.2.3.4", SOPClassUID=mr))
        assert reply.status == 0x0122
    assert stored(server) == []


async def test_who_took_the_role_of_the_storage_provider_alone_does_not_store_here(
    server: LiveServer,
) -> None:
    async with association(server.port, Proposal(CT, (SYNTAX,), scu=False, scp=True)) as peer:
        told = command(Field.C_STORE_RQ, CT, AffectedSOPInstanceUID="1.2.3.4")
        assert (await peer.exchange(1, told, data_set(SOPInstanceUID="1.2.3.4"))).status == 0x0122
    assert stored(server) == []
