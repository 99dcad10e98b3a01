"""Finding the server: arguments, environment, connection files; and what was tried when there is none."""

import json
import os
import subprocess
import sys

import pytest

import isocenter
from isocenter.client.connect import runtime_folder
from isocenter.connection_file import published
from isocenter.connection_file import runtime_folder as written_to
from isocenter.errors import Unavailable


def test_the_environment(server, monkeypatch):
    server.token = "abc"
    monkeypatch.setenv("ISOCENTER_URL", server.url)
    monkeypatch.setenv("ISOCENTER_TOKEN", "abc")
    with isocenter.connect() as archive:
        assert archive.url == server.url


def test_a_token_is_not_sent_to_another_server_than_its_own(server, monkeypatch):
    monkeypatch.setenv("ISOCENTER_TOKEN", "abc")
    isocenter.connect(server.url).close()
    assert server.requests[-1][2]["Authorization"] == "Bearer abc"
    monkeypatch.setenv("ISOCENTER_URL", "http://elsewhere:8042")
    isocenter.connect(server.url).close()
    assert "Authorization" not in server.requests[-1][2]


def test_the_file_that_a_server_writes(server, tmp_path):
    server.token = "of-this-start"
    with published(tmp_path / "data", {"url": server.url, "token": server.token, "pid": os.getpid()}):
        for arguments in ({}, {"url": server.url}, {"data": tmp_path / "data"}):
            with isocenter.connect(**arguments) as archive:
                assert archive.series.count() == 25


def test_client_and_server_agree_on_the_runtime_folder(monkeypatch, tmp_path):
    assert runtime_folder() == written_to()
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert runtime_folder() == written_to()
    monkeypatch.delenv("XDG_STATE_HOME")
    assert runtime_folder() == written_to()


def test_a_user_without_a_home_folder_serves_and_connects_by_address(server, tmp_path):
    program = (
        "import os, sys; from pathlib import Path; import isocenter\n"
        "from isocenter.connection_file import published, runtime_folder\n"
        "assert runtime_folder() is None\n"
        "with published(Path(sys.argv[1]), {'url': sys.argv[2], 'pid': os.getpid()}):\n"
        "    isocenter.connect(sys.argv[2])\n"
        "    isocenter.connect(data=sys.argv[1])\n"
        "    try: isocenter.connect()\n"
        "    except isocenter.errors.Unavailable as error: print(error)\n"
    )
    # A service account: no HOME, and a user id that no account has.
    patched = "import pwd\ndef nobody(uid): raise KeyError(uid)\npwd.getpwuid = nobody\n"
    env = {n: v for n, v in os.environ.items() if n != "HOME" and not n.startswith("XDG_")}
    told = subprocess.run(
        [sys.executable, "-c", patched + program, str(tmp_path / "data"), server.url],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "this user has no home folder" in told.stdout


def test_the_server_started_last_is_taken_and_dead_ones_passed_over(server, tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    folder = runtime_folder()
    folder.mkdir(parents=True)
    (folder / "old.json").write_text(json.dumps({"url": server.url, "pid": os.getpid()}))
    (folder / "dead.json").write_text(json.dumps({"url": "http://127.0.0.1:1", "pid": dead.pid}))
    (folder / "gone.json").symlink_to(tmp_path / "nowhere.json")
    (folder / "broken.json").write_text("{")
    os.utime(folder / "old.json", (1, 1))
    with isocenter.connect() as archive:
        assert archive.url == server.url


def test_it_says_what_was_tried(monkeypatch, tmp_path):
    with pytest.raises(Unavailable, match="isocenter serve") as told:
        isocenter.connect()
    assert "ISOCENTER_URL: not set" in str(told.value)
    assert str(runtime_folder()) in str(told.value)
    monkeypatch.setenv("ISOCENTER_URL", "http://127.0.0.1:1")
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
        isocenter.connect()
    with pytest.raises(Unavailable, match=r"connection\.json"):
        isocenter.connect(data=tmp_path)


def test_an_address_in_the_environment_that_is_dead_is_not_replaced_by_another(server, tmp_path, monkeypatch):
    monkeypatch.setenv("ISOCENTER_URL", "http://127.0.0.1:1")
    with published(tmp_path / "data", {"url": server.url, "pid": os.getpid()}), pytest.raises(Unavailable):
        isocenter.connect()


def test_the_default_data_folder_of_the_current_one(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with published(tmp_path / "isocenter-data", {"url": server.url, "pid": os.getpid()}) as path:
        for link in runtime_folder().iterdir():
            link.unlink()
        assert path.exists()
        with isocenter.connect() as archive:
            assert archive.url == server.url


def test_a_dataset_is_chosen(server):
    with isocenter.connect(server.url, dataset="ct-lab") as archive:
        assert "ct-lab" in repr(archive)
