"""Keys, and what is signed with them."""

import base64
import re
import stat
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tradingd.journal.errors import SigningError
from tradingd.journal.folder import Identity
from tradingd.journal.head import Head
from tradingd.journal.signing import (
    SignedHead,
    Signer,
    canonical,
    decode_line,
    encode_line,
    load_signer,
    make_key,
    public_path,
    read_public_key,
    signature_fits,
)

# RFC 8032, section 7.1, test 1
SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
IDENTITY = Identity(1, "COPYCOPY", "GENESIS2", 1)
HEAD = Head("COPYCOPY", epoch=3, segment=2, commit_no=40, last_seq=4000, digest=bytes(range(32)), generation=99)
ENCODINGS = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer(ed25519.Ed25519PrivateKey.from_private_bytes(SECRET))


@pytest.fixture(scope="module")
def signed(signer: Signer) -> SignedHead:
    return signer.sign(IDENTITY, HEAD)


# --- signed heads -----------------------------------------------------------------------------------------------------


def test_the_public_key_is_that_of_the_standard(signer: Signer) -> None:
    assert signer.public_key == PUBLIC


def test_what_is_signed_is_a_text_that_anyone_can_make(signed: SignedHead) -> None:
    assert canonical(signed).decode() == (
        "tradingd signed head 1\nGENESIS2\nCOPYCOPY\n3\n2\n40\n4000\n"
        f"{bytes(range(32)).hex()}\n{signed.signed_ns}\n{PUBLIC}\n"
    )


def test_a_signed_head_is_one_line_that_reads_back_and_fits(signed: SignedHead) -> None:
    line = encode_line(signed)
    assert (line.count(b"\n"), line[-1:]) == (1, b"\n")
    assert decode_line(line) == signed
    assert signature_fits(decode_line(line))


@pytest.mark.parametrize("name", ["genesis", "journal", "epoch", "segment", "commit_no", "last_seq", "signed_ns"])
def test_no_field_can_be_changed(signed: SignedHead, name: str) -> None:
    value = getattr(signed, name)
    other = replace(signed, **{name: value + 1 if isinstance(value, int) else "OTHER234"})
    assert not signature_fits(other)


@given(st.integers(0, 127), st.integers(1, 15))
def test_no_digit_of_digest_key_or_signature_can_be_changed(at: int, by: int) -> None:
    signed = Signer(ed25519.Ed25519PrivateKey.from_private_bytes(SECRET)).sign(IDENTITY, HEAD)
    for name in ("digest", "public_key", "signature"):
        text = getattr(signed, name)
        place = at % len(text)
        changed = text[:place] + f"{int(text[place], 16) ^ by:x}" + text[place + 1 :]
        assert not signature_fits(replace(signed, **{name: changed}))


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"commit_no": 0},
        {"genesis": "A\nB"},
        {"journal": "ABCDEFGH\n"},
        {"digest": "00"},
        {"signature": "g" * 128},
        {"more": 1},
    ],
)
def test_what_is_no_signed_head(signed: SignedHead, change: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_line(msgspec.json.encode(msgspec.to_builtins(signed) | change))


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_key_is_made_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.pem"
    public_key = make_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert public_path(path).read_text() == f"{public_key}\n"
    assert load_signer(path).public_key == public_key
    assert read_public_key(public_key.upper()) == read_public_key(str(public_path(path))) == public_key


def test_two_keys_are_different(tmp_path: Path) -> None:
    assert make_key(tmp_path / "a") != make_key(tmp_path / "b")


@pytest.mark.parametrize("taken", ["key", "key.pub"])
def test_no_key_is_overwritten(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("mine")
    with pytest.raises(SigningError, match=f"{taken} is there already"):
        make_key(tmp_path / "key")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [(taken, "mine")]


def test_a_signer_does_not_show_its_key(signer: Signer) -> None:
    shown = repr(signer) + repr(vars(signer))
    assert SECRET.hex() not in shown
    assert base64.b64encode(SECRET).decode() not in shown


@pytest.mark.parametrize(("mode", "who"), [(0o640, "group"), (0o604, "others"), (0o620, "group")])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int, who: str) -> None:
    make_key(tmp_path / "key")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(SigningError, match="can be read by others than its owner; chmod 600"):
        load_signer(tmp_path / "key")


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="No such file or directory; `trade journal keygen` makes a key"):
        load_signer(tmp_path / "key")


def wrong_keys() -> dict[str, bytes]:
    ed, curve = ed25519.Ed25519PrivateKey.from_private_bytes(SECRET), ec.generate_private_key(ec.SECP256R1())
    return {
        "nothing": b"",
        "a public key": PUBLIC.encode(),
        "a key with a password": ed.private_bytes(*ENCODINGS, serialization.BestAvailableEncryption(b"x")),
        "another kind of key": curve.private_bytes(*ENCODINGS, serialization.NoEncryption()),
    }


@pytest.mark.parametrize("kind", ["nothing", "a public key", "a key with a password", "another kind of key"])
def test_what_is_no_key_is_one_line_that_shows_nothing_of_it(tmp_path: Path, kind: str) -> None:
    content = wrong_keys()[kind]
    (tmp_path / "key").write_bytes(content)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(SigningError, match=f"^{re.escape(str(tmp_path / 'key'))} is no .*key") as refused:
        load_signer(tmp_path / "key")
    assert "\n" not in str(refused.value)
    assert not any(line in str(refused.value) for line in content.decode().splitlines() if line)


@pytest.mark.parametrize("content", [None, b"", b"abc", b"\xff" * 64, PUBLIC.encode()[:-1]])
def test_what_is_no_public_key(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "key.pub").write_bytes(content)
    with pytest.raises(SigningError, match="64 hex digits"):
        read_public_key(str(tmp_path / "key.pub"))
