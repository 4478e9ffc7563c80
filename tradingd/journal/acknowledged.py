"""Who says what a journal that may be damaged had acknowledged: HEAD, and heads that were signed."""

from collections.abc import Iterator

import msgspec

from tradingd.journal import head, heads
from tradingd.journal.chain import ChainPoint, Fault
from tradingd.journal.diagnosis import Claim, Finding, Kind
from tradingd.journal.folder import Identity, Paths
from tradingd.journal.head import Head
from tradingd.journal.signing import SignedHead, decode_line, signature_fits


def read_head(paths: Paths) -> tuple[Head | None, list[Finding]]:
    """Its newest slot whose checksum fits."""
    if not paths.head.exists():
        fault = Fault("HEAD", None, "", "file", f"{head.FILE_SIZE} bytes", "none")
        return None, [Finding(Kind.HEAD_MISSING, fault)]
    slots = head.read_slots(paths.head)
    newest = max(filter(None, slots), key=lambda slot: slot.generation, default=None)
    if newest is None:
        size = f"none in {paths.head.stat().st_size} bytes"
        fault = Fault("HEAD", None, "", "slots", "one whose checksum fits", size)
        return None, [Finding(Kind.HEAD_UNREADABLE, fault)]
    broken = [offset for offset, slot in zip(head.SLOT_OFFSETS, slots, strict=True) if slot is None]
    faults = [
        Fault("HEAD", None, f"slot at byte {offset}", "checksum", "one that fits", "another") for offset in broken
    ]
    return newest, [Finding(Kind.HEAD_SLOT, fault, heals=True) for fault in faults]


def claim_of(found: Head) -> Claim:
    return Claim("HEAD", ChainPoint(found.commit_no, found.last_seq, found.digest), found.epoch)


def signed_heads(paths: Paths, identity: Identity) -> Iterator[Claim | Finding]:
    """Every line of heads.jsonl, as a claim or as why it is none."""
    path = paths.folder / heads.NAME
    lines, rest = heads.split_lines(path.read_bytes()) if path.exists() else ([], b"")
    if rest:
        fault = Fault(heads.NAME, None, "its end", "last line", "a whole one", f"{len(rest)} bytes without an end")
        yield Finding(Kind.SIGNED_HEADS_TORN, fault, heals=True)
    for number, line in enumerate(lines, 1):
        signed = _signed_head(line, identity)
        if isinstance(signed, str):
            fault = Fault(heads.NAME, None, f"line {number}", "signed head", "one that was signed so", signed)
            yield Finding(Kind.SIGNED_HEAD, fault)
        else:
            point = ChainPoint(signed.commit_no, signed.last_seq, bytes.fromhex(signed.digest))
            yield Claim(f"{heads.NAME} line {number}", point, signed.epoch, line)


def _signed_head(line: bytes, identity: Identity) -> SignedHead | str:
    """Or why it is none of this journal."""
    try:
        signed = decode_line(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return str(error)
    if signed.genesis != identity.genesis:
        return f"one of genesis {signed.genesis}"
    return signed if signature_fits(signed) else "a signature that does not fit"


def contradiction(claim: Claim, point: ChainPoint) -> Finding:
    """The chain holds, and is not the one that was acknowledged."""
    expected, found = (f"seq {at.last_seq} with digest {at.digest.hex()}" for at in (claim.point, point))
    fault = Fault(claim.source, claim.point.commit_no, f"seq {claim.point.last_seq}", "commit", expected, found)
    return Finding(Kind.CONTRADICTION, fault)
