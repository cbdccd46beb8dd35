"""Certificates are read in every form in which Key Vault gives them out, and what can't sign is told in words."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from shared.auth.credentials.certificate_forms import Unusable, read_certificate
from tests.certificates import make_certificate

OWN, OTHER = make_certificate(), make_certificate()
NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    "text",
    [
        OWN.pem,
        OWN.public_pem + OWN.private_pem,
        f"\n{OWN.pem}\n",
        OWN.pem.replace("\n", "\r\n"),
        OWN.private_pem + OTHER.public_pem + OWN.public_pem,
        OWN.pfx(),
        "\n".join(base64.encodebytes(base64.b64decode(OWN.pfx())).decode().splitlines()),
    ],
    ids=["pem", "turned round", "blank lines", "windows lines", "chain before", "pkcs12", "pkcs12 in lines"],
)
def test_each_form_brings_the_key_and_its_own_certificate_first(text: str) -> None:
    read = read_certificate(text)
    assert load_pem_private_key(read.private_key.encode(), None).private_numbers() == OWN.key.private_numbers()  # type: ignore[union-attr]
    assert read.chain.startswith(OWN.public_pem)
    assert read.thumbprint == OWN.thumbprint
    assert timedelta(days=29) < read.ends_at - NOW <= timedelta(days=30)


def locked_pem() -> str:
    locked = BestAvailableEncryption(secrets.token_bytes(8))
    return OWN.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked).decode() + OWN.public_pem


def elliptic_pem() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode() + OWN.public_pem


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (locked_pem(), "protected by a password"),
        (OWN.pfx(secrets.token_hex(8).encode()), "without a password"),
        (elliptic_pem(), "not RSA"),
        (OWN.private_pem, "no private key and certificate in PEM"),
        (OWN.public_pem, "no private key and certificate in PEM"),
        (OWN.private_pem + OTHER.public_pem, "no certificate of its private key"),
        ("a client secret", "neither PEM nor PKCS#12"),
        (base64.b64encode(b"no certificate").decode(), "neither PEM nor PKCS#12"),
        ("ä", "neither PEM nor PKCS#12"),
        ("-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----", "no private key and certificate in PEM"),
    ],
)
def test_what_can_not_sign_is_told_in_words(text: str, reason: str) -> None:
    with pytest.raises(Unusable, match=reason) as refused:
        read_certificate(text)
    assert OWN.private_pem.splitlines()[1] not in str(refused.value)


def test_a_certificate_is_valid_from_its_first_to_its_last_moment() -> None:
    read = read_certificate(OWN.pem)
    second = timedelta(seconds=1)
    assert read.valid(read.begins_at)
    assert not read.valid(read.begins_at - second)
    assert read.valid(read.ends_at - second)
    assert not read.valid(read.ends_at)


def test_the_key_is_not_printed() -> None:
    assert OWN.private_pem.splitlines()[1] not in repr(read_certificate(OWN.pem))
