"""Encrypted Attributes Sequence (PS3.15 E.1.1, PS3.3 C.12.1.1.4): the originals, sealed, within the result.

CMS EnvelopedData (RFC 5652) for certificates of RSA keys, AES-256-CBC: `openssl cms -decrypt` and
`gdcmanon -d` open it, and what `gdcmanon -e` made is opened here. Whoever gets the object gets the originals
too, if ever the private key leaks: a vault that stays at home (`vault`) is the safer choice. Not here: when
it is used.
"""

from __future__ import annotations

import io
from collections.abc import Sequence as Several
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs7 import (
    PKCS7EnvelopeBuilder,
    PKCS7Options,
    pkcs7_decrypt_der,
)
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from isocenter.deid.outcome import Outcome
from isocenter.errors import BadRequest, NotFound

_PIXELS = 0x7FE0
_MAKE = "of a key pair: openssl req -x509 -key private.pem -out certificate.pem -days 3650 -subj /CN=holder"


def encrypt_originals(source: Dataset, outcome: Outcome, certificates: Several[bytes]) -> None:
    """Put what was changed, as it was, into the outcome's data set, sealed for the holders of certificates.

    Args:
        source: the original.
        outcome: what the engine made of it; its data set gets the sequence.
        certificates: PEM, of RSA keys of at least 2048 bits.

    Raises:
        BadRequest: a certificate cannot be used.
    """
    if outcome.dataset is None:
        return
    originals = Dataset()
    for tag in sorted({change.path[0] for change in outcome.changes}):
        if tag in source and tag >> 16 != _PIXELS and tag & 0xFFFF:
            originals[tag] = source[tag]
    holder = Dataset()
    holder.ModifiedAttributesSequence = Sequence([originals])
    item = Dataset()
    item.EncryptedContentTransferSyntaxUID = ExplicitVRLittleEndian
    sealed = _enveloped(_encoded(holder, source), certificates)
    item.EncryptedContent = sealed + b"\0" * (len(sealed) % 2)
    outcome.dataset.EncryptedAttributesSequence = Sequence([item])


def read_certificate(path: Path) -> bytes:
    """A certificate (PEM) that originals can be sealed for.

    Raises:
        NotFound: there is no such file.
        BadRequest: it holds none, or none of an RSA key of at least 2048 bits.
    """
    try:
        pem = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}") from None
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}") from None
    _certificate(pem)
    return pem


def is_sealed_for(sealed: bytes, certificates: Several[bytes]) -> bool:
    """Whether encrypted content names each of these certificates, by issuer and number."""
    made = [_certificate(pem) for pem in certificates]
    return all(one.issuer.public_bytes() + _number(one.serial_number) in sealed for one in made)


def _number(serial: int) -> bytes:
    """A serial number as DER writes it."""
    data = serial.to_bytes(serial.bit_length() // 8 + 1, "big", signed=True)
    return bytes((2, len(data))) + data


def decrypt_originals(
    dataset: Dataset, private_key: bytes, certificate: bytes, password: bytes | None = None
) -> Dataset:
    """The originals within a data set that somebody sealed for this certificate (PEM, key and certificate).

    Raises:
        BadRequest: there are none, or none that this key opens.
    """
    key, holder = load_pem_private_key(private_key, password), _certificate(certificate)
    if not isinstance(key, RSAPrivateKey):
        raise BadRequest("Encrypted attributes are opened by an RSA key")
    items = dataset.get("EncryptedAttributesSequence") or ()
    if not items:
        raise BadRequest("The object has no encrypted attributes")
    for item in items:
        try:
            plain = pkcs7_decrypt_der(_der(bytes(item.EncryptedContent)), holder, key, [])
        except ValueError:
            continue  # sealed for somebody else
        read = dcmread(io.BytesIO(_file(plain, str(item.EncryptedContentTransferSyntaxUID))), force=True)
        modified = read.get("ModifiedAttributesSequence")
        return modified[0] if modified else read
    raise BadRequest("None of the encrypted attributes is sealed for this certificate")


def restore(dataset: Dataset, originals: Dataset) -> Dataset:
    """The data set with its originals back in their places (PS3.15 E.1.2)."""
    made = Dataset(dataset)
    for keyword in (
        "EncryptedAttributesSequence",
        "PatientIdentityRemoved",
        "DeidentificationMethod",
        "DeidentificationMethodCodeSequence",
        "LongitudinalTemporalInformationModified",
    ):
        if keyword in made:
            delattr(made, keyword)
    made.update(originals)
    return made


def _encoded(dataset: Dataset, source: Dataset) -> bytes:
    if "SpecificCharacterSet" in source:
        dataset.SpecificCharacterSet = source.SpecificCharacterSet
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_dataset(stream, dataset)
    return stream.getvalue()


def _enveloped(data: bytes, certificates: Several[bytes]) -> bytes:
    builder = PKCS7EnvelopeBuilder().set_data(data).set_content_encryption_algorithm(AES256)
    for pem in certificates:
        builder = builder.add_recipient(_certificate(pem))
    try:
        return builder.encrypt(Encoding.DER, [PKCS7Options.Binary])
    except ValueError as error:
        raise BadRequest("Nobody is there to encrypt for", hint=str(error)) from None


def _certificate(pem: bytes) -> x509.Certificate:
    try:
        made = x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise BadRequest("This is no certificate (PEM)", hint=_MAKE) from error
    public = made.public_key()
    if not isinstance(public, RSAPublicKey) or public.key_size < 2048:
        raise BadRequest("Encrypted attributes need a certificate of an RSA key of at least 2048 bits")
    return made


def _der(data: bytes) -> bytes:
    """Without the padding that an OB may have."""
    if len(data) > 2 and data[1] & 0x80:
        size = data[1] & 0x7F
        return data[: 2 + size + int.from_bytes(data[2 : 2 + size], "big")]
    return data


def _file(plain: bytes, syntax: str) -> bytes:
    """As a file, so that a reader knows its transfer syntax."""
    meta = b"\x02\x00\x10\x00UI" + (len(syntax) + len(syntax) % 2).to_bytes(2, "little") + syntax.encode()
    meta += b"\0" * (len(syntax) % 2)
    length = b"\x02\x00\x00\x00UL\x04\x00" + len(meta).to_bytes(4, "little")
    return b"\0" * 128 + b"DICM" + length + meta + plain
