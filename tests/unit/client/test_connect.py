"""Finding the server: arguments, environment, connection files; and what was tried when there is none."""

import contextlib
import json
import os
import pickle
import socket
import subprocess
import sys
import threading

import pytest

import isocenter
from isocenter.client.server_info import runtime_folder
from isocenter.connection_file import published
from isocenter.connection_file import runtime_folder as written_to
from isocenter.errors import NoServer, Unavailable


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
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoServer) as told:
        isocenter.connect()
    assert str(told.value).splitlines() == [
        "No Isocenter server was found. Tried:",
        "  - ISOCENTER_URL: not set",
        f"  - connection files: none in {runtime_folder()}",
        f"  - {tmp_path}/isocenter-data/run/connection.json: not there",
        "Next: start one with `isocenter serve`, or with isocenter.start(), or give its address to connect()",
    ]
    assert pickle.loads(pickle.dumps(told.value)).detail == told.value.detail
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


def test_servers_lists_those_that_answer_without_their_tokens(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "No Isocenter servers" in repr(isocenter.servers())
    folder = runtime_folder()
    folder.mkdir(parents=True)
    (folder / "silent.json").write_text(json.dumps({"url": "http://127.0.0.1:1", "pid": os.getpid()}))
    server.token = "secret-of-this-start"
    facts = {"url": server.url, "pid": os.getpid(), "token": server.token, "data": str(tmp_path)}
    with published(tmp_path / "isocenter-data", facts):
        (found,) = isocenter.servers()  # once, though two files lead to it
        assert (found.url, found.ae_title, found.dicom_port) == (server.url, "ISOCENTER", 11112)
        assert found.data == tmp_path
        shown = isocenter.servers()._repr_html_() + repr(isocenter.servers())
    assert server.url in shown
    assert server.token not in shown


# -- JupyterHub ------------------------------------------------------------------------------------------


def test_on_a_hub_its_service_is_asked_with_the_hub_token(server, monkeypatch):
    server.token = "of-the-hub"
    server.routes["/services/isocenter/api/system"] = server.routes["/api/system"]
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", server.token)
    for name, value in (
        ("JUPYTERHUB_PUBLIC_HUB_URL", f"{server.url}/hub/"),
        ("JUPYTERHUB_PUBLIC_URL", f"{server.url}/user/ada/"),
        ("JUPYTERHUB_HOST", server.url),
        ("ISOCENTER_JUPYTERHUB_URL", f"{server.url}/services/isocenter"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            with isocenter.connect() as archive:
                assert archive.url == f"{server.url}/services/isocenter"


def test_the_hub_token_goes_to_the_service_of_the_hub_alone(server, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "of-the-hub")
    monkeypatch.setenv("ISOCENTER_JUPYTERHUB_URL", "http://hub.example/services/isocenter")
    monkeypatch.setenv("ISOCENTER_URL", server.url)
    isocenter.connect().close()
    isocenter.connect(server.url).close()
    assert not [headers for _, _, headers, _ in server.requests if "Authorization" in headers]
    monkeypatch.setenv("ISOCENTER_JUPYTERHUB_URL", server.url)
    isocenter.connect(server.url).close()
    assert server.requests[-1][2]["Authorization"] == "Bearer of-the-hub"


def test_a_hub_without_the_service_is_passed_over_and_said_to_be(server, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "of-the-hub")
    with pytest.raises(NoServer, match="JupyterHub: its public address is not known here"):
        isocenter.connect()
    monkeypatch.setenv("JUPYTERHUB_HOST", server.url)
    with pytest.raises(NoServer, match="the hub has no such service"):
        isocenter.connect()
    server.routes["/services/isocenter/api/system"] = server.routes["/api/system"]
    server.token = "another"
    with pytest.raises(NoServer, match="scope access:services!service=isocenter"):
        isocenter.connect()
    facts = {"url": server.url, "pid": os.getpid(), "token": "another"}
    with published(tmp_path / "data", facts), isocenter.connect() as archive:
        assert archive.url == server.url


# -- Jupyter ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def jupyter(folder, told, *, pid=1):
    """A Jupyter server that tells everybody who rings `told`; gives the path of its bell."""
    path = folder / f"jupyter-{pid}.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    caller, _ = listener.accept()
                    with caller:
                        caller.sendall(json.dumps(told).encode() + b"\n")

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield str(path)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_in_a_kernel_the_server_of_its_jupyter_is_taken(server, tmp_path, monkeypatch):
    server.token = "of-this-start"
    with jupyter(tmp_path, {"url": server.url, "token": server.token, "data": None}) as path:
        monkeypatch.setenv("ISOCENTER_JUPYTER", path)
        with isocenter.connect() as archive:
            assert archive.url == server.url
        assert not isocenter.servers()  # only looks: it does not ring


def test_the_server_that_the_panel_of_jupyter_shows_comes_before_that_of_the_hub(
    server, tmp_path, monkeypatch
):
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "of-the-hub")
    monkeypatch.setenv("ISOCENTER_JUPYTERHUB_URL", "http://127.0.0.1:9/services/isocenter")
    with jupyter(tmp_path, {"url": server.url, "token": server.token, "data": None}) as path:
        monkeypatch.setenv("ISOCENTER_JUPYTER", path)
        with isocenter.connect() as archive:
            assert archive.url == server.url


def test_a_jupyter_that_cannot_start_one_says_why(tmp_path, monkeypatch):
    with jupyter(tmp_path, Unavailable("The disk is full").to_json()) as path:
        monkeypatch.setenv("ISOCENTER_JUPYTER", path)
        with pytest.raises(NoServer, match="Jupyter: The disk is full"):
            isocenter.connect()
    with pytest.raises(NoServer, match="Jupyter: it does not answer"):
        isocenter.connect()


def test_jupyter_itself_does_not_wait_for_its_own_answer(tmp_path, monkeypatch):
    with jupyter(tmp_path, {"url": "http://127.0.0.1:1"}, pid=os.getpid()) as path:
        monkeypatch.setenv("ISOCENTER_JUPYTER", path)
        with pytest.raises(NoServer) as told:
            isocenter.connect()
        assert "127.0.0.1" not in str(told.value)
