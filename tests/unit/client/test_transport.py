"""HTTP over TCP and unix sockets: kept connections, errors, large and broken answers."""

import os
import socket
import threading

import pyarrow as pa
import pytest

import isocenter
from isocenter.client.archive import Archive
from isocenter.client.transport import Transport
from isocenter.errors import BadRequest, Forbidden, IsocenterError, Timeout, Unauthorized, Unavailable


def test_connections_are_kept(archive, server):
    before = server.connections
    for _ in range(5):
        archive.series.count()
        archive.series.to_arrow()
    assert server.connections == before


def test_an_answer_left_half_read_costs_its_connection_and_nothing_else(archive):
    rows = archive.series.rows()
    assert next(rows)["PatientID"] == "P0"
    rows.close()
    assert archive.series.count() == 25


def test_a_connection_that_the_server_dropped_meanwhile_is_replaced(archive, server):
    server.hang_up = True
    assert [archive.series.count() for _ in range(3)] == [25, 25, 25]


def test_threads_share_an_archive(archive):
    counts = []
    threads = [threading.Thread(target=lambda: counts.append(archive.series.count())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [25] * 8


@pytest.mark.parametrize("form", ["unix:{}", "http+unix://{}"])
def test_unix_sockets(unix_server, form):
    path = unix_server.server_address
    address = form.format(path if form.startswith("unix") else path.replace("/", "%2F"))
    with isocenter.connect(address) as archive:
        assert archive.series.where(Modality="CT").count() == 12


def test_the_token_is_sent_and_its_refusal_explained(server):
    server.token = "secret"
    with pytest.raises(Unauthorized, match="give a token"):
        isocenter.connect(server.url)
    with pytest.raises(Unauthorized, match="token was refused"):
        isocenter.connect(server.url, token="wrong")
    with isocenter.connect(server.url, token="secret") as archive:
        assert archive.series.count() == 25
    assert "secret" not in repr(archive)
    assert "secret" not in repr(archive.transport)


@pytest.mark.parametrize(
    "url",
    ["localhost:8042", "http://localhost:99999", "http://[::1", "http://", "http://" + "a" * 64, "ftp://x"],
)
def test_an_address_that_is_none_is_told(url):
    with pytest.raises(Unavailable, match="is no address of a server"):
        Transport(url)


@pytest.mark.parametrize("token", ["iso_a\niso_b", "iso_ü", "iso a"])
def test_a_token_that_no_header_carries_is_refused_and_not_repeated(token):
    with pytest.raises(BadRequest) as told:
        Transport("http://127.0.0.1:1", token)
    assert "iso" not in str(told.value)
    assert Transport("http://127.0.0.1:1", " iso_a\n").token == "iso_a"


def test_an_upload_that_is_refused_at_once_tells_why(server):
    server.refuse_early = True
    transport = Transport(server.url)
    size = 1 << 26

    def blocks():
        yield from (bytes(1 << 20) for _ in range(size >> 20))

    with pytest.raises((Forbidden, Unavailable)):
        transport.request("POST", "/dicom-web/studies", blocks, headers={"Content-Length": str(size)})
    transport.close()


def test_nobody_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unavailable, match="isocenter serve"):
        isocenter.connect(f"http://127.0.0.1:{port}")


@pytest.fixture
def answering():
    """A socket that gives one fixed answer."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads = []

    def start(answer: bytes | None) -> str:
        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(65536)
                    if answer is None:
                        peer.recv(1)
                    else:
                        peer.sendall(answer)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "JSON"),
        (b"HTTP/1.1 302 Found\r\nLocation: /hub/login\r\nContent-Length: 0\r\n\r\n", "/hub/login"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", "500"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{", "stopped in the middle"),
        (b"garbage\r\n\r\n", "No answer"),
        (b"", "No answer"),
    ],
)
def test_answers_that_are_none(answering, answer, says):
    transport = Transport(answering(answer))
    with pytest.raises(IsocenterError, match=says):
        transport.get("/api/system")
    transport.close()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.mark.parametrize("fetch", ["to_arrow", "to_pandas", "to_polars", "to_csv", "uids"])
def test_an_answer_that_breaks_off_is_an_error_and_never_a_shorter_table(answering, fetch):
    sink = pa.BufferOutputStream()
    batch = pa.record_batch({"SeriesInstanceUID": ["1.2"] * 100})
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    arrow = sink.getvalue().to_pybytes()[:-8]  # without the mark of its end
    body = b'{"SeriesInstanceUID": "1.2"}\n' if fetch == "uids" else b"a,b\n" if fetch == "to_csv" else arrow
    archive = Archive(Transport(answering(head + chunk(body))))
    with pytest.raises(Unavailable, match="stopped in the middle"):
        getattr(archive.series, fetch)()


def test_a_silent_server_is_a_timeout(answering, monkeypatch):
    monkeypatch.setattr(isocenter.options, "timeout", 0.2)
    with pytest.raises(Timeout, match="timeout"):
        Transport(answering(None)).get("/api/system")


@pytest.mark.parametrize("url", ["ftp://x", "localhost:8042", "http://"])
def test_what_is_no_address(url):
    with pytest.raises(Unavailable, match="address"):
        isocenter.connect(url)


def test_a_path_before_ours_is_kept(server):
    server.routes["/user/ann/api/system"] = server.routes["/api/system"]
    with isocenter.connect(server.url + "/user/ann/") as archive:
        assert archive.system()["Name"] == "Isocenter"


def test_a_forked_process_opens_its_own_connections(archive, server):
    archive.series.count()
    before = server.connections
    archive.transport._owner = os.getpid() + 1  # as a child sees it
    assert archive.series.count() == 25
    assert server.connections == before + 1
