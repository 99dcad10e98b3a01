"""Running jobs in real processes: what is told, made, cancelled, lost, and given back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from odd_jobs import odd_jobs

from isocenter.config import Settings
from isocenter.jobs import Job, Jobs, State, Trouble
from isocenter.jobs import executor as executor_module
from isocenter.jobs.executor import Runner
from isocenter.jobs.job import CANCELLED, LOST
from isocenter.jobs.run import folder_of
from isocenter.state import open_state


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data=tmp_path_factory.mktemp("jobs") / "data")


@pytest.fixture(scope="module")
def jobs(settings: Settings) -> Iterator[Jobs]:
    state = open_state(settings.data)
    yield Jobs(state)
    state.close()


@pytest.fixture(scope="module")
def runner(settings: Settings) -> Iterator[None]:
    """One for all tests that do not stop it: a process takes a second to start."""
    made = Runner(settings, odd_jobs)
    made.start()
    yield
    made.stop()


def until(jobs: Jobs, id: str, wanted: Callable[[Job], bool]) -> Job:
    end = time.monotonic() + 60
    while not wanted(job := jobs.get(id)):
        assert time.monotonic() < end, job
        time.sleep(0.02)
    return job


def over(job: Job) -> bool:
    return job.state.final


def submit(jobs: Jobs, kind: str, **parameters: object) -> str:
    return jobs.submit(kind, parameters, creator="ada").id


def test_a_job_runs_and_leaves_its_result_and_its_file(jobs: Jobs, runner: None, settings: Settings) -> None:
    id = submit(jobs, "counts", to=5)
    job = until(jobs, id, over)
    assert (job.state, job.result, job.total, job.done, job.attempts) == (
        State.SUCCESS,
        {"counted": 5},
        5,
        5,
        1,
    )
    assert (folder_of(settings.data, id) / job.output).read_text() == "5"
    assert job.output_size == 1


def test_errors_are_told_and_faults_keep_what_they_hold(jobs: Jobs, runner: None) -> None:
    ours, theirs = submit(jobs, "fails", how="ours"), submit(jobs, "fails")
    assert until(jobs, ours, over).error == Trouble("no-space", "The disk is full", "make room")
    told = until(jobs, theirs, over).error
    assert told is not None
    assert "Doe" not in told.message + told.hint


def test_a_running_job_is_cancelled(jobs: Jobs, runner: None, settings: Settings) -> None:
    id = submit(jobs, "counts", to=10_000, seconds=10)
    until(jobs, id, lambda job: job.done > 0)
    jobs.cancel(id)
    job = until(jobs, id, over)
    assert (job.state, job.error) == (State.FAILURE, CANCELLED)
    assert not folder_of(settings.data, id).exists()


def test_one_that_does_not_hear_it_is_killed(
    jobs: Jobs, runner: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_module, "DEAF", 0.5)
    id = submit(jobs, "deaf")
    until(jobs, id, lambda job: job.state is State.RUNNING)
    jobs.cancel(id)
    assert until(jobs, id, over).error == CANCELLED


def test_one_whose_process_dies_is_begun_once_more(jobs: Jobs, runner: None) -> None:
    once, twice = submit(jobs, "dies"), submit(jobs, "dies", twice=True)
    job = until(jobs, once, over)
    assert (job.state, job.result) == (State.SUCCESS, {"attempts": 2})
    job = until(jobs, twice, over)
    assert (job.state, job.error) == (State.FAILURE, LOST)


def test_what_runs_when_the_server_stops_is_begun_anew_at_the_next_start(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    state = open_state(settings.data)
    jobs = Jobs(state)
    id = submit(jobs, "counts", to=400, seconds=5)
    first, second = Runner(settings, odd_jobs), Runner(settings, odd_jobs)
    first.start()
    until(jobs, id, lambda job: job.done > 0)
    first.stop()
    assert (jobs.get(id).state, jobs.get(id).attempts) == (State.PENDING, 0)
    second.start()
    assert until(jobs, id, over).result == {"counted": 400}
    second.stop()
    state.close()


def test_so_many_run_at_once(jobs: Jobs, runner: None) -> None:
    ids = [submit(jobs, "counts", to=100_000, seconds=5) for _ in range(3)]
    until(jobs, ids[1], lambda job: job.state is State.RUNNING)
    assert [jobs.get(id).state for id in ids] == [State.RUNNING, State.RUNNING, State.PENDING]
    jobs.cancel(ids[0])
    until(jobs, ids[2], lambda job: job.state is State.RUNNING)
    for id in ids[1:]:
        jobs.cancel(id)
    assert all(until(jobs, id, over).error == CANCELLED for id in ids)


def test_files_of_what_is_forgotten_go(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", jobs={"kept": 0})
    state = open_state(settings.data)
    jobs = Jobs(state)
    id = submit(jobs, "counts")
    jobs.cancel(id)
    folder_of(settings.data, id).mkdir(parents=True)
    made = Runner(settings, odd_jobs)
    made.start()
    end = time.monotonic() + 60
    while jobs.all() or folder_of(settings.data, id).exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    made.stop()
    state.close()
