"""The originals travel sealed within the result; OpenSSL and GDCM open them, and theirs are opened here."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pydicom
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from tests.unit.deid.test_structured import IDENTIFIERS
from tests.unit.deid.test_verify import original, packed

from isocenter.deid import Deidentifier, Key
from isocenter.deid.encrypted import decrypt_originals, encrypt_originals, restore
from isocenter.deid.engine import Engine
from isocenter.deid.profile import Profile
from isocenter.errors import BadRequest

OPENSSL = shutil.which("openssl")
GDCMANON = shutil.which("gdcmanon") or shutil.which("gdcmanon", path=str(Path(sys.executable).parent))


def holder() -> tuple[bytes, bytes]:
    """Private key and certificate, PEM."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Trial office")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(1))
        .not_valid_after(now + timedelta(30))
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return private, certificate.public_bytes(Encoding.PEM)


@pytest.fixture(scope="module")
def keys() -> tuple[bytes, bytes]:
    return holder()


def sealed(certificate: bytes) -> Dataset:
    source = original()
    outcome = Engine(Profile(), IDENTIFIERS).apply(source)
    encrypt_originals(source, outcome, [certificate])
    assert outcome.dataset is not None
    return pydicom.dcmread(io.BytesIO(packed(outcome.dataset)))


def test_the_holder_of_the_key_gets_the_original_back(keys: tuple[bytes, bytes]) -> None:
    private, certificate = keys
    result = sealed(certificate)
    assert b"Winterbottom" not in packed(result)
    back = restore(result, decrypt_originals(result, private, certificate))
    source = original()
    for keyword in (
        "PatientName",
        "PatientID",
        "StudyDate",
        "StudyInstanceUID",
        "SOPInstanceUID",
        "StationName",
    ):
        assert back[keyword].value == source[keyword].value
    assert "EncryptedAttributesSequence" not in back


def test_another_key_opens_nothing(keys: tuple[bytes, bytes]) -> None:
    with pytest.raises(BadRequest, match="sealed for this certificate"):
        decrypt_originals(sealed(keys[1]), *holder())


@pytest.mark.skipif(OPENSSL is None, reason="needs openssl")
def test_openssl_opens_it(keys: tuple[bytes, bytes], tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(keys[0])
    content = bytes(sealed(keys[1]).EncryptedAttributesSequence[0].EncryptedContent)
    (tmp_path / "content.der").write_bytes(content)
    command = [
        str(OPENSSL),
        "cms",
        "-decrypt",
        "-binary",
        "-inform",
        "DER",
        "-in",
        "content.der",
        "-inkey",
        "key.pem",
    ]
    opened = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
    assert b"Winterbottom^Ada" in opened


@pytest.mark.skipif(GDCMANON is None, reason="needs gdcmanon (libgdcm-tools)")
def test_gdcmanon_opens_ours(keys: tuple[bytes, bytes], tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(keys[0])
    (tmp_path / "ours.dcm").write_bytes(packed(sealed(keys[1])))
    command = [str(GDCMANON), "-d", "-k", "key.pem", "ours.dcm", "back.dcm"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert str(pydicom.dcmread(tmp_path / "back.dcm").PatientName) == "Winterbottom^Ada"


@pytest.mark.skipif(GDCMANON is None, reason="needs gdcmanon (libgdcm-tools)")
def test_what_gdcmanon_sealed_is_opened(keys: tuple[bytes, bytes], tmp_path: Path) -> None:
    (tmp_path / "certificate.pem").write_bytes(keys[1])
    source = str(get_testdata_file("CT_small.dcm"))
    command = [str(GDCMANON), "-e", "-c", "certificate.pem", source, "theirs.dcm"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    theirs = pydicom.dcmread(tmp_path / "theirs.dcm")
    assert str(theirs.get("PatientName", "")) != "CompressedSamples^CT1"
    assert str(decrypt_originals(theirs, *keys).PatientName) == "CompressedSamples^CT1"


def folder_of(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    shutil.copy(str(get_testdata_file("CT_small.dcm")), tmp_path / "in" / "a.dcm")
    return tmp_path / "in"


def written(path: Path, certificate: bytes) -> Path:
    path.write_bytes(certificate)
    return path


def test_results_hold_what_was_changed_for_its_holder(tmp_path: Path, keys: tuple[bytes, bytes]) -> None:
    certificate = written(tmp_path / "holder.pem", keys[1])
    source, target = folder_of(tmp_path) / "a.dcm", tmp_path / "out.dcm"
    Deidentifier(Key(bytes(32)), encrypt_for=[certificate]).file(source, target)
    result, before = pydicom.dcmread(target), pydicom.dcmread(source)
    assert result.PatientName != before.PatientName
    assert restore(result, decrypt_originals(result, *keys)).PatientName == before.PatientName


def test_a_run_that_seals_can_be_repeated_and_not_for_somebody_else(
    tmp_path: Path, keys: tuple[bytes, bytes]
) -> None:
    certificate = written(tmp_path / "holder.pem", keys[1])
    deid = Deidentifier(Key(bytes(32)), encrypt_for=[certificate])
    folder = folder_of(tmp_path)
    assert [deid.folder(folder, tmp_path / "out").out for _ in range(2)] == [1, 1]
    other = Deidentifier(Key(bytes(32)), encrypt_for=[written(tmp_path / "other.pem", holder()[1])])
    assert other.folder(folder, tmp_path / "out").quarantined == 1


def test_a_bare_public_key_is_refused_and_told_how_to_make_a_certificate(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no certificate") as told:
        Deidentifier(Key(bytes(32)), encrypt_for=[written(tmp_path / "k.pem", b"-----BEGIN PUBLIC KEY-----")])
    assert "openssl req -x509" in str(told.value.hint)
