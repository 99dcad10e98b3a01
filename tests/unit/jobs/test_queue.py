"""What may become of a job: every change, and who sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.errors import Conflict, NotFound
from isocenter.jobs import Job, Jobs, Outcome, State, Trouble
from isocenter.state import open_state


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    state = open_state(tmp_path)
    yield Jobs(state)
    state.close()


def submit(jobs: Jobs, kind: str = "verify", priority: int = 0) -> Job:
    return jobs.submit(kind, {"digests": True}, creator="ada", dataset="main", priority=priority)


def code(job: Job) -> str:
    return job.error.code if job.error else ""


def test_a_job_is_kept_as_it_was_submitted(jobs: Jobs) -> None:
    made = submit(jobs)
    assert jobs.get(made.id) == made
    assert (made.state, made.creator, made.parameters) == (State.PENDING, "ada", {"digests": True})
    with pytest.raises(NotFound):
        jobs.get("00000000-0000-0000-0000-000000000000")


def test_the_most_urgent_is_begun_first_then_the_oldest(jobs: Jobs) -> None:
    first, second, urgent = submit(jobs), submit(jobs), submit(jobs, priority=5)
    claimed = [jobs.claim("me", 10) for _ in range(4)]
    assert [one and one.id for one in claimed] == [urgent.id, first.id, second.id, None]


def test_a_job_is_begun_by_one_alone(jobs: Jobs, tmp_path: Path) -> None:
    submit(jobs)
    state = open_state(tmp_path)
    other = Jobs(state)
    assert [bool(jobs.claim("me", 10)), bool(other.claim("you", 10))] == [True, False]
    state.close()


def test_its_owner_tells_its_progress_and_hears_that_it_is_cancelled(jobs: Jobs) -> None:
    id = submit(jobs).id
    jobs.claim("me", 10)
    assert jobs.beat(id, "me", 10, ("reading", 30, 120)) == ""
    told = jobs.get(id)
    assert (told.phase, told.done, told.total, told.progress) == ("reading", 30, 120, 25)
    assert jobs.beat(id, "you", 10, ("reading", 99, 120)) is None
    assert jobs.cancel(id).state is State.RUNNING
    assert jobs.beat(id, "me", 10, ("reading", 31, 120)) == "cancel"
    jobs.fail(id, "me", Trouble("cancelled", "The job was cancelled"))
    told = jobs.get(id)
    assert (told.state, told.to_json(0)["ErrorCode"], told.progress) == (State.FAILURE, 37, 25)


def test_what_is_done_has_its_result_and_whoever_lost_it_writes_nothing(jobs: Jobs) -> None:
    id = submit(jobs).id
    jobs.claim("me", 10)
    jobs.finish(id, "you", Outcome({"ok": False}), 0, ("", 0, 0))
    assert jobs.get(id).state is State.RUNNING
    jobs.finish(id, "me", Outcome({"ok": True}, "zip", "application/zip"), 5, ("writing", 7, 9))
    told = jobs.get(id).to_json(0)
    assert (told["State"], told["Progress"], told["Result"], told["ErrorCode"]) == (
        "Success",
        100,
        {"ok": True},
        0,
    )
    assert told["Output"] == {"Name": "zip", "MediaType": "application/zip", "Size": 5}


def test_one_whose_process_died_is_begun_once_more_then_fails_with_the_reason(jobs: Jobs) -> None:
    id = submit(jobs).id
    jobs.claim("me", 10)
    assert jobs.recover(id) is None, "its time is not over"
    first = jobs.recover(id, expired=False)
    assert first is not None
    assert (first.state, first.attempts) == (State.PENDING, 1)
    jobs.claim("me", 0)
    second = jobs.recover(id)
    assert second is not None
    assert (second.state, code(second)) == (State.FAILURE, "job-lost")
    again = jobs.resubmit(id)
    assert (again.state, again.attempts, again.error) == (State.PENDING, 0, None)


def test_one_that_is_given_back_counts_no_attempt(jobs: Jobs) -> None:
    id = submit(jobs).id
    jobs.claim("me", 10)
    jobs.stop([id])
    assert jobs.beat(id, "me", 10, ("", 0, 0)) == "stop"
    jobs.release(id, "me")
    told = jobs.get(id)
    assert (told.state, told.attempts, told.wanted) == (State.PENDING, 0, "")


def test_pause_resume_cancel_and_delete(jobs: Jobs) -> None:
    id = submit(jobs).id
    assert jobs.pause(id).state is State.PAUSED
    assert jobs.claim("me", 10) is None
    with pytest.raises(Conflict):
        jobs.pause(id)
    with pytest.raises(Conflict):
        jobs.delete(id)
    assert jobs.resume(id).state is State.PENDING
    assert jobs.cancel(id).state is State.FAILURE
    assert jobs.cancel(id).state is State.FAILURE
    jobs.delete(id)
    assert jobs.all() == []


def test_every_change_has_a_revision_to_follow(jobs: Jobs) -> None:
    first, second = submit(jobs), submit(jobs)
    last = jobs.revision()
    assert jobs.since(last) == []
    jobs.claim("me", 10)
    (changed,) = jobs.since(last)
    assert (changed.id, changed.revision) == (first.id, jobs.revision())
    last = jobs.revision()
    jobs.cancel(second.id)
    jobs.delete(second.id)
    assert jobs.since(last) == []
    assert jobs.revision() > last


def test_what_was_over_long_ago_is_forgotten(jobs: Jobs) -> None:
    old, waits = submit(jobs).id, submit(jobs).id
    jobs.cancel(old)
    assert jobs.trim(60) == []
    assert jobs.trim(-1) == [old]
    assert [one.id for one in jobs.all()] == [waits]
