from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest

from audits.ledger.signing import make_key, sign, verify
from contracts.bundle import REGISTRY_NOTE
from contracts.errors import EvidenceMissing, IntegrityError
from tests.refusals import refuses

FAST, FULL = 40, 1000
"""Single-byte flips of a bundle and of a report, together."""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name in ("old", "new", "other"):
        make_key(folder / f"{name}.pem", folder / "trusted" / f"{name}.pem")
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    (folder / "inner").mkdir(parents=True)
    for name, size in (("encoder.onnx", 3000), ("manifest.json", 200), ("inner/x.json", 50)):
        (folder / name).write_bytes(random.Random(name).randbytes(size))
    return folder


def signed(path: Path, keys: Path, key: str = "new") -> Path:
    signature = path.with_name(path.name + ".sig")
    sign(path, signature, keys / f"{key}.pem")
    return signature


def test_what_was_signed_verifies_and_the_key_is_told(bundle: Path, keys: Path) -> None:
    signature = signed(bundle, keys)
    trusted = keys / "trusted" / "new.pem"
    assert verify(bundle, signature, [trusted]) == trusted


def test_while_a_key_is_replaced_both_hold_and_then_only_the_new_one(
    bundle: Path, keys: Path
) -> None:
    both = [keys / "trusted" / f"{name}.pem" for name in ("old", "new")]
    for name in ("old", "new"):
        assert verify(bundle, signed(bundle, keys, name), both).name == f"{name}.pem"
    with refuses(IntegrityError, match="not what was signed by a trusted key"):
        verify(bundle, signed(bundle, keys, "old"), both[1:])


def test_a_private_key_is_its_owners_alone_and_is_never_overwritten(keys: Path) -> None:
    assert (keys / "new.pem").stat().st_mode & 0o077 == 0
    with pytest.raises(IntegrityError, match="under another name"):
        make_key(keys / "new.pem", keys / "trusted" / "new.pem")


def test_a_signature_is_needed_and_so_is_a_key_to_trust(bundle: Path, keys: Path) -> None:
    with pytest.raises(IntegrityError, match="is not signed"):
        verify(bundle, bundle.with_name("bundle.sig"), [keys / "trusted" / "new.pem"])
    with pytest.raises(IntegrityError, match="REHABCAST_TRUSTED_KEYS"):
        verify(bundle, signed(bundle, keys), [])
    with pytest.raises(EvidenceMissing, match="not a key that can sign"):
        sign(bundle, bundle.with_name("bundle.sig"), keys / "absent.pem")


def test_a_refusal_names_the_keys_tried_and_no_digest(bundle: Path, keys: Path) -> None:
    both = [keys / "trusted" / f"{name}.pem" for name in ("old", "new")]
    with refuses(IntegrityError, match=r"none of new\.pem, old\.pem, or the sig") as refused:
        verify(bundle, signed(bundle, keys, "other"), both)
    assert not re.search(r"[0-9a-f]{32}", str(refused.value))


def test_a_refusal_names_every_file_that_differs_and_no_digest(bundle: Path, keys: Path) -> None:
    both = [keys / "trusted" / f"{name}.pem" for name in ("old", "new")]
    signature = signed(bundle, keys)
    (bundle / "encoder.onnx").write_text("changed", "utf-8")
    (bundle / "inner" / "x.json").unlink()
    (bundle / "it's, more.json").write_text("{}", "utf-8")
    with refuses(IntegrityError, match=r"\(new\.pem\)") as refused:
        verify(bundle, signature, both)
    said = str(refused.value)
    for part in ("changed: encoder.onnx", "missing: inner/x.json", "added: it's, more.json"):
        assert part in said
    assert not re.search(r"[0-9a-f]{32}", said)


def test_the_note_of_mlflows_client_counts_neither_when_signing_nor_after(
    bundle: Path, keys: Path
) -> None:
    trusted = [keys / "trusted" / "new.pem"]
    without = signed(bundle, keys)
    (bundle / REGISTRY_NOTE).write_text("model_name: arm\n", "utf-8")
    verify(bundle, without, trusted)
    with_note = signed(bundle, keys)
    verify(bundle, with_note, trusted)
    (bundle / REGISTRY_NOTE).unlink()
    verify(bundle, with_note, trusted)


def test_a_changed_report_is_named(bundle: Path, keys: Path) -> None:
    report = bundle.parent / "report.json"
    report.write_text("{}", "utf-8")
    signature = signed(report, keys)
    report.write_text("{ }", "utf-8")
    with refuses(IntegrityError, match=r"^report\.json: .*changed") as refused:
        verify(report, signature, [keys / "trusted" / "new.pem"])
    assert "changed: ." not in str(refused.value)


def test_another_bundles_signature_does_not_hold(bundle: Path, keys: Path) -> None:
    signature = signed(bundle, keys)
    (bundle / "encoder.onnx").write_bytes(b"another model")
    with refuses(IntegrityError):
        verify(bundle, signature, [keys / "trusted" / "new.pem"])


@pytest.mark.parametrize("change", ["added", "removed", "renamed", "linked"])
def test_a_file_more_or_less_is_found(bundle: Path, keys: Path, change: str) -> None:
    signature = signed(bundle, keys)
    victim = bundle / "encoder.onnx"
    if change == "added":
        (bundle / "more.json").write_text("{}")
    elif change == "removed":
        victim.unlink()
    elif change == "renamed":
        victim.rename(bundle / "decoder.onnx")
    else:
        shutil.copy(victim, bundle.parent / "outside")
        victim.unlink()
        victim.symlink_to(bundle.parent / "outside")
    with refuses(IntegrityError):
        verify(bundle, signature, [keys / "trusted" / "new.pem"])


def flip(path: Path, rng: random.Random) -> bytes:
    """Flip one bit of a random byte; return the bytes as they were."""
    before = path.read_bytes()
    changed = bytearray(before)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    path.write_bytes(changed)
    return before


@pytest.mark.parametrize(
    "flips", [FAST, pytest.param(FULL, marks=pytest.mark.soak)], ids=["slice", "full"]
)
def test_every_flipped_byte_of_a_bundle_or_report_is_refused(
    bundle: Path, keys: Path, flips: int
) -> None:
    report = bundle.parent / "report.json"
    report.write_text('{"verdict": "pass", "findings": []}' * 40, "utf-8")
    signatures = {path: signed(path, keys) for path in (bundle, report)}
    trusted = [keys / "trusted" / f"{name}.pem" for name in ("old", "new")]
    rng, refused = random.Random(7), 0
    files = [*(path for path in sorted(bundle.rglob("*")) if path.is_file()), report]
    for number in range(flips):
        victim = files[number % len(files)]
        whole = report if victim == report else bundle
        before = flip(victim, rng)
        try:
            verify(whole, signatures[whole], trusted)
        except IntegrityError:
            refused += 1
        victim.write_bytes(before)
    assert refused == flips
    for path, signature in signatures.items():
        verify(path, signature, trusted)
