from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audits.ledger.people import read_people, read_person_key, same_person
from audits.ledger.signing import make_key
from contracts.errors import ContractError, EvidenceMissing
from stores.private_files import ReadableByOthers
from tests.refusals import refuses


def add(folder: Path, *names: str) -> None:
    for name in names:
        make_key(folder / "private" / f"{name}.pem", folder / "people" / f"{name}.pem")


def test_people_are_the_names_of_the_files_of_their_keys(tmp_path: Path) -> None:
    add(tmp_path, "Mia Moor", "gus")
    (tmp_path / "people" / "notes.txt").write_text("Not a key.")
    people = read_people(tmp_path / "people")
    assert sorted(person.name for person in people.persons) == ["Mia Moor", "gus"]
    assert people.find("MIA MOOR") == people.find("mia  moor") != people.find("gus")
    assert people.find("eve") is None
    assert read_person_key(tmp_path / "private" / "gus.pem", people).name == "gus"


def test_one_key_is_one_persons(tmp_path: Path) -> None:
    add(tmp_path, "mia")
    (tmp_path / "people" / "gus.pem").write_bytes((tmp_path / "people" / "mia.pem").read_bytes())
    with refuses(ContractError, match=r"mia\.pem: its key is that of gus as well"):
        read_people(tmp_path / "people")


def test_a_key_behind_another_one_is_counted_too(tmp_path: Path) -> None:
    add(tmp_path, "mia", "gus")
    mia, gus = tmp_path / "people" / "mia.pem", tmp_path / "people" / "gus.pem"
    gus.write_bytes(gus.read_bytes() + mia.read_bytes())
    with refuses(ContractError, match="as well"):
        read_people(tmp_path / "people")


@pytest.mark.parametrize("other", ["MIA", "m.i.a", "\u043c\u0456\u0430"], ids=ascii)
def test_two_names_that_cannot_be_told_apart_are_refused(tmp_path: Path, other: str) -> None:
    add(tmp_path, "mia", other)
    with refuses(ContractError, match="cannot be told apart"):
        read_people(tmp_path / "people")


def test_a_name_that_cannot_be_used_is_refused_with_its_file(tmp_path: Path) -> None:
    add(tmp_path, "mi\u200ba")
    with refuses(ContractError, match="ZERO WIDTH SPACE"):
        read_people(tmp_path / "people")


def test_a_decomposed_file_name_is_the_composed_name(tmp_path: Path) -> None:
    add(tmp_path, "jose\u0301")
    assert read_people(tmp_path / "people").persons[0].name == "jos\u00e9"


@pytest.mark.parametrize("folder", ["people", "nowhere"])
def test_no_people_is_no_way_around_them(tmp_path: Path, folder: str) -> None:
    (tmp_path / "people").mkdir()
    with refuses(EvidenceMissing, match="no public keys of people"):
        read_people(tmp_path / folder)


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    add(tmp_path, "mia")
    file = tmp_path / "people" / "mia.pem"
    whole = file.read_text()
    ed = ed25519.Ed25519PrivateKey.generate().public_key()
    other = ed.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    private = (tmp_path / "private" / "mia.pem").read_text()
    for text in ("", "mia", whole.replace("MF", "MG", 1), whole[:60], other, private):
        file.write_text(text)
        with refuses(ContractError, match=r"mia\.pem: not a public key"):
            read_people(tmp_path / "people")


def test_a_private_key_is_of_somebody_among_the_people_and_in_use(tmp_path: Path) -> None:
    add(tmp_path, "mia")
    people = read_people(tmp_path / "people")
    make_key(tmp_path / "eve.pem", tmp_path / "eve.public.pem")
    for path, why in ((tmp_path / "eve.pem", "anyone"), (tmp_path / "absent.pem", "not a private")):
        with refuses(EvidenceMissing, match=why):
            read_person_key(path, people)
    file = tmp_path / "people" / "mia.pem"
    file.write_text(f"Last-Entry: 7\n{file.read_text()}")
    ended = read_people(tmp_path / "people")
    with refuses(EvidenceMissing, match="anyone"):
        read_person_key(tmp_path / "private" / "mia.pem", ended)
    (mia,) = ended.persons
    assert (len(mia.keys_at(7)), len(mia.keys_at(8))) == (1, 0)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("mia", "mia", True),
        ("Mia Moor", "mia-moor", True),
        ("mia", "mia2", False),
        ("Jos\u00e9", "jose", False),
        ("\u0930\u093e\u092e", "\u0930\u092e\u093e", False),
    ],
)
def test_when_two_names_are_one_persons(one: str, other: str, same: bool) -> None:
    assert same_person(one, other) is same_person(other, one) is same


@pytest.mark.parametrize("mode", [0o666, 0o622, 0o602])
def test_a_public_key_that_others_can_change_is_nobodys(tmp_path: Path, mode: int) -> None:
    add(tmp_path, "mia")
    key = tmp_path / "people" / "mia.pem"
    key.chmod(0o644)
    assert len(read_people(key.parent).persons) == 1
    key.chmod(mode)
    with refuses(ReadableByOthers, match=r"mia\.pem can be changed"):
        read_people(key.parent)


def test_a_folder_in_which_others_can_add_a_person_is_refused(tmp_path: Path) -> None:
    add(tmp_path, "mia")
    (tmp_path / "people").chmod(0o777)
    with refuses(ReadableByOthers, match="people can be changed"):
        read_people(tmp_path / "people")


def test_a_private_key_that_others_can_read_signs_nothing(tmp_path: Path) -> None:
    add(tmp_path, "mia")
    people, own = read_people(tmp_path / "people"), tmp_path / "private" / "mia.pem"
    assert read_person_key(own, people).name == "mia"
    own.chmod(0o640)
    with refuses(ReadableByOthers, match=r"mia\.pem can be read"):
        read_person_key(own, people)
