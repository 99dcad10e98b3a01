"""TLS of DICOM listeners and requests (PS3.15 Annex B, BCP 195)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority

from isocenter.errors import BadRequest
from isocenter.network.tls import Certificates, ClientCertificates, client_context, common_name


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def listening(context: Callable[[], ssl.SSLContext]) -> AsyncIterator[tuple[int, list[Any]]]:
    """A server that says hello and remembers the certificates it saw."""
    seen: list[Any] = []

    async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("peercert"))
        writer.write(b"hello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(hello, "127.0.0.1", 0, ssl=context())
    async with server:
        yield server.sockets[0].getsockname()[1], seen


async def said(port: int, context: ssl.SSLContext) -> tuple[bytes, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        text = await reader.read()
        return text, writer.get_extra_info("ssl_object").version()
    finally:
        writer.close()


def pinned(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    context.maximum_version = context.minimum_version = version
    return context


async def test_tls_1_2_and_1_3_are_spoken(authority: Authority) -> None:
    certificates = Certificates(*authority.issue("server"))
    async with listening(lambda: certificates.context) as (port, _):
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            text, spoken = await said(port, pinned(client_context(ca=authority.file), version))
            assert (text, spoken) == (b"hello", name)


def test_nothing_older_than_1_2_and_no_cipher_without_forward_secrecy(authority: Authority) -> None:
    for context in (Certificates(*authority.issue("server")).context, client_context(ca=authority.file)):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        old = [each["name"] for each in context.get_ciphers() if each["protocol"] != "TLSv1.3"]
        assert old
        assert all(name.startswith(("ECDHE", "DHE")) for name in old)
        assert not any("CBC" in name or name.endswith("-SHA") for name in old)


async def test_a_peer_of_another_authority_is_not_trusted(authority: Authority, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    certificates = Certificates(*authority.issue("server"))
    async with listening(lambda: certificates.context) as (port, _):
        with pytest.raises(ssl.SSLCertVerificationError):
            await said(port, client_context(ca=Authority(other).file))


async def test_a_required_client_certificate_is_required(authority: Authority) -> None:
    certificates = Certificates(*authority.issue("server"), authority.file, "required")
    own, key = authority.issue("ct1")
    async with listening(lambda: certificates.context) as (port, seen):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await said(port, pinned(client_context(ca=authority.file), ssl.TLSVersion.TLSv1_2))
        text, _ = await said(port, client_context(ca=authority.file, certificate=own, key=key))
    assert text == b"hello"
    assert [common_name(each) for each in seen] == ["ct1"]


async def test_an_optional_client_certificate_may_be_left_out(authority: Authority) -> None:
    certificates = Certificates(*authority.issue("server"), authority.file, "optional")
    async with listening(lambda: certificates.context) as (port, seen):
        assert (await said(port, client_context(ca=authority.file)))[0] == b"hello"
    assert [common_name(each) for each in seen] == [""]


def test_a_certificate_is_bound_to_its_ae_title(authority: Authority) -> None:
    certificates = Certificates(*authority.issue("server"), ae_of_certificate={"ct1": "CT1"})

    def shown(name: str) -> dict[str, Any]:
        return {"subject": ((("countryName", "XX"),), (("commonName", name),))}

    assert certificates.may_call_as(shown("ct1"), "CT1")
    assert not certificates.may_call_as(shown("ct1"), "MR1")
    assert not certificates.may_call_as(shown("mr1"), "CT1")
    assert not certificates.may_call_as(None, "CT1")
    assert certificates.may_call_as(shown("mr1"), "MR1")
    assert certificates.may_call_as(None, "MR1")


async def test_new_files_are_taken_without_a_restart(authority: Authority) -> None:
    certificate, key = authority.issue("server")
    certificates = Certificates(certificate, key)
    first = certificates.context
    assert not certificates.reload()
    assert certificates.context is first
    authority.issue("server")
    assert certificates.reload()
    assert certificates.context is not first
    async with listening(lambda: certificates.context) as (port, _):
        assert (await said(port, client_context(ca=authority.file)))[0] == b"hello"


def test_files_that_cannot_be_used_leave_the_old_ones_in_force(authority: Authority) -> None:
    certificate, key = authority.issue("server")
    certificates = Certificates(certificate, key)
    before = certificates.context
    key.write_text("this is no key")
    with pytest.raises(BadRequest, match="cannot be used"):
        certificates.reload()
    assert certificates.context is before


def test_wrong_settings_are_told(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("server")
    _, other = authority.issue("other")
    with pytest.raises(BadRequest, match="cannot be"):
        Certificates(tmp_path / "nowhere.pem", key)
    with pytest.raises(BadRequest, match="cannot be used"):
        Certificates(certificate, other)
    with pytest.raises(BadRequest, match="authorities"):
        Certificates(certificate, key, client_certificate="required")
    with pytest.raises(BadRequest, match="cannot be used"):
        client_context(ca=key)


def test_what_requests_use_is_read_again_when_it_was_renewed_and_stays_when_that_cannot_be_used(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificate, key = authority.issue("ours")
    ours = ClientCertificates(authority.file, certificate, key, check_hostname=False)
    first = ours.context
    assert ours.context is first
    renewed = authority.issue("renewed")
    renewed[0].replace(certificate)
    assert ours.context is first  # the key is not yet there
    assert "old ones stay" in caplog.text
    renewed[1].replace(key)
    assert ours.context is not first
    key.unlink()
    with pytest.raises(BadRequest):
        _ = ClientCertificates(authority.file, certificate, key, check_hostname=False).context
