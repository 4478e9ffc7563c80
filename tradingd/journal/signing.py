"""Signed heads: which commit a journal had come to, with an Ed25519 signature (RFC 8032) over a canonical text.

One is a line of JSON; `journal/README.md` specifies it.
"""

import os
import re
import time
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Meta, Struct
from msgspec.structs import replace

from tradingd.journal.errors import SigningError
from tradingd.journal.folder import Identity, fsync_folder
from tradingd.journal.head import Head

DOMAIN = "tradingd signed head"  # nothing else that this key may ever sign begins so
Id = Annotated[str, Meta(pattern=r"\A[A-Z2-7]{1,16}\Z")]
Count = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Hex32 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Hex64 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{128}\Z")]


class SignedHead(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The head of a journal after a commit, and who says so. Digest, key and signature are hex."""

    format: Literal[1] = 1
    genesis: Id
    journal: Id
    epoch: Count
    segment: Count
    commit_no: Count
    last_seq: Count
    digest: Hex32
    signed_ns: Count
    public_key: Hex32
    signature: Hex64


def canonical(head: SignedHead) -> bytes:
    """What is signed: the domain with the format, then every other field but the signature, a line each."""
    fields = [str(getattr(head, name)) for name in head.__struct_fields__ if name not in ("format", "signature")]
    return "\n".join([f"{DOMAIN} {head.format}", *fields, ""]).encode()


def encode_line(head: SignedHead) -> bytes:
    return msgspec.json.encode(head) + b"\n"


def decode_line(line: bytes) -> SignedHead:
    """Raises msgspec.MsgspecError or UnicodeDecodeError for what is none; its signature is not looked at."""
    return msgspec.json.decode(line, type=SignedHead)


def signature_fits(head: SignedHead) -> bool:
    """Whether the holder of `head.public_key` signed it."""
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(head.public_key))
    try:
        key.verify(bytes.fromhex(head.signature), canonical(head))
    except InvalidSignature:
        return False
    return True


class Signer:
    """A private key. Nothing but the file that it was read from ever shows it."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes_raw().hex()

    def sign(self, identity: Identity, head: Head) -> SignedHead:
        """`head` has at least one commit."""
        unsigned = SignedHead(
            genesis=identity.genesis,
            journal=identity.id,
            epoch=head.epoch,
            segment=head.segment,
            commit_no=head.commit_no,
            last_seq=head.last_seq,
            digest=head.digest.hex(),
            signed_ns=time.time_ns(),
            public_key=self.public_key,
            signature="",
        )
        return replace(unsigned, signature=self._key.sign(canonical(unsigned)).hex())


# --- keys -------------------------------------------------------------------------------------------------------------


def public_path(path: Path) -> Path:
    """Beside a private key, its public one in hex."""
    return path.with_name(path.name + ".pub")


def make_key(path: Path) -> str:
    """Writes a new private key (PEM, for its owner only) and FILE.pub; the public key in hex. Overwrites nothing.

    Raises SigningError, OSError.
    """
    for file in (path, public_path(path)):
        if file.exists() or file.is_symlink():
            raise SigningError(f"{file} is there already and is not overwritten; name another file")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    public_key = Signer(key).public_key
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write_new(path, pem, 0o600)
    _write_new(public_path(path), f"{public_key}\n".encode(), 0o644)
    fsync_folder(path.parent)
    return public_key


def _write_new(path: Path, content: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def load_signer(path: Path) -> Signer:
    """Raises SigningError where the file is no Ed25519 key, can not be read, or can be read by others."""
    try:
        mode = path.stat().st_mode
        pem = path.read_bytes()
    except OSError as error:
        raise SigningError(f"{path}: {error.strerror}; `trade journal keygen` makes a key") from error
    if mode & 0o077:
        raise SigningError(f"{path} can be read by others than its owner; chmod 600 it, or make a new key")
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it has a password
        raise SigningError(f"{path} is no private key in PEM without a password; see `trade journal keygen`") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningError(f"{path} is no Ed25519 key; `trade journal keygen` makes one")
    return Signer(key)


def read_public_key(text: str) -> str:
    """A public key in hex, given as such or as the name of a file that holds it. Raises SigningError."""
    if is_hex32(text):
        return text.lower()
    try:
        content = Path(text).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SigningError(f"{text} is neither 64 hex digits nor a file that holds them") from error
    if not is_hex32(content):
        raise SigningError(f"{text} holds no public key (64 hex digits); `trade journal keygen` writes FILE.pub")
    return content.lower()


def is_hex32(text: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]{64}", text) is not None
