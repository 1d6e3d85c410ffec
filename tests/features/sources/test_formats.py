from __future__ import annotations

import gzip
import random
import shutil
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from contracts.errors import CohortInvalid, SourceUnreadable
from features.importing import import_source
from features.recording import Reading, SourceFile
from features.sources import formats


def opened(path: Path) -> SourceFile:
    return SourceFile(path=path, name=path.name, subject_label="somebody")


def read(path: Path) -> list[Reading]:
    return list(formats.read(opened(path)))


GOOD = {
    "gt3x/TAS1H30182785_2019-09-17.gt3x": "actigraph-gt3x",
    "ggirread/ax3_testfile.cwa": "axivity-cwa",
    "ggirread/ax3_testfile_corrupt_blocks_0_13_14_142_143_144.cwa": "axivity-cwa",
    "ggirread/GENEActiv_testfile.bin": "geneactiv",
    "pyactigraphy/example_01.AWD": "actiwatch-awd",
    "pyactigraphy/example_02.AWD": "actiwatch-awd",
    "pyactigraphy/example_04.AWD": "actiwatch-awd",
    "pyactigraphy/example_05.AWD": "actiwatch-awd",
    "pyactigraphy/test_sample_aw4.AWD": "actiwatch-awd",
    "pyactigraphy/test_sample.agd": "actigraph-agd",
    "ggirread/ActiGraph13.csv": "actigraph-csv",
    "ggirread/ActiGraph13_timestamps_headers.csv": "actigraph-csv",
    "ggirread/ActiGraph61.csv": "actigraph-csv",
    "fit/MonitoringFile.fit": "garmin-fit",
    "fit/activity-small-fenix2-run.fit": "garmin-fit",
    "fit/compressed-speed-distance.fit": "garmin-fit",
    "fit/garmin-fenix-5-walk.fit": "garmin-fit",
    "apple_health/export6s3sample.xml": "apple-health",
}

BROKEN = {
    "fit/activity-filecrc.fit": ("message", "CRC"),
    "fit/activity-settings-nodata.fit": ("message", "784"),
    "fhir/observation_no_subject.json": ("*", "without a subject"),
    "fhir/observation_decimal_bundle.json": ("*", "not in the vocabulary"),
    "fhir/patients.ndjson": ("*", "line 1: not FHIR R4 (birthDate"),
    "ggirread/genea_testfile.bin": ("*", "GENEA binary"),
    "ggirread/mtx_100Hz_acc_HR_temp.BIN": ("*", "Parmay Matrix"),
    "ggirread/Actiwatch.csv": ("*", "Actiware"),
    "ggirread/Actical.csv": ("*", "Actical"),
    "gt3x/TAS1H30182785_2019-09-17.csv.gz": ("line 1", "import the .gt3x file"),
    "pyactigraphy/test_sample.mtn": ("*", "MotionWatch"),
    "pyactigraphy/test_sample_atr.txt.gz": ("*", "Condor ActTrust"),
    "pyactigraphy/test_sample_rpx_eng.csv.gz": ("*", "Actiware"),
    "pyactigraphy/test_sample_tal.txt.gz": ("line 1", "column map"),
    "apple_health/StepCount.csv": ("row 1", "column map"),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_file_is_recognised_by_its_content_whatever_its_name(
    samples: Path, tmp_path: Path, name: str
) -> None:
    anonymous = tmp_path / "recording"
    shutil.copy(samples / name, anonymous)
    assert formats.detect(opened(anonymous)).name == GOOD[name]
    assert any(not reading.is_empty for reading in read(anonymous))


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_or_foreign_file_gives_one_error_with_its_place(samples: Path, name: str) -> None:
    where, text = BROKEN[name]
    with pytest.raises(SourceUnreadable) as caught:
        read(samples / name)
    problem = caught.value.problem
    assert problem.file == Path(name).name
    assert problem.field.startswith(where)
    assert text in problem.message
    assert ":" in problem.message  # What to do follows what is wrong.


def test_a_table_that_is_no_known_export_says_which_map_to_write(tmp_path: Path) -> None:
    header = ";".join(["patient", "Größe", *(f"c{n}" for n in range(20))])
    for n, how in enumerate(("utf-8", "utf-8-sig", "utf-16")):
        (tmp_path / f"{n}.csv").write_bytes(f'"sep=;"\n{header}\n1;2\n'.encode(how))
    with pytest.raises(CohortInvalid) as caught:
        import_source(tmp_path, tmp_path.with_name("cohort"))
    assert len(caught.value.problems) == 3
    for problem in caught.value.problems:
        assert problem.found.startswith("a table with the columns patient, Größe, c0,")
        assert "[[signals]]" in problem.advice
        assert "cohort import tables map.toml" in problem.advice
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(f"{header}\n1;2\n".encode()))
    with pytest.raises(SourceUnreadable, match="a table with the columns patient"):
        read(packed)


def test_an_empty_a_missing_and_a_nonsense_file_each_say_so(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "nonsense").write_bytes(b"\x07" * 5000)
    (tmp_path / "utf16.awd").write_bytes("name\n01-Jan-2020\n12:00\n".encode("utf-16"))
    expected = {
        "empty": "is empty",
        "nonsense": "none of",
        "utf16.awd": "none of",
        "gone": "opened",
    }
    for name, words in expected.items():
        with pytest.raises(SourceUnreadable, match=words):
            read(tmp_path / name)


def test_a_packed_file_is_read_like_the_plain_one(samples: Path, tmp_path: Path) -> None:
    plain = samples / "pyactigraphy" / "example_01.AWD"
    packed = tmp_path / "example_01.AWD.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert len(read(packed)[0].signals[0]) == len(read(plain)[0].signals[0])
    packed.write_bytes(packed.read_bytes()[:-200])
    with pytest.raises(SourceUnreadable, match="cannot be unpacked"):
        read(packed)


def test_a_zip_of_a_recording_says_to_unpack_it(samples: Path, tmp_path: Path) -> None:
    packed = tmp_path / "recording.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(samples / "ggirread" / "ax3_testfile.cwa", "ax3.cwa")
    with pytest.raises(SourceUnreadable, match=r"zip archive.*unpack it"):
        read(packed)


def test_a_format_that_is_named_wrongly_is_corrected(samples: Path) -> None:
    file = opened(samples / "ggirread" / "ax3_testfile.cwa")
    with pytest.raises(SourceUnreadable, match="is axivity-cwa by its content, not geneactiv"):
        list(formats.read(file, "geneactiv"))


def damaged(data: bytes, way: int, dice: random.Random) -> bytes:
    broken, at = bytearray(data), dice.randrange(len(data))
    if way == 0:
        del broken[at:]
    elif way == 1:
        for _ in range(dice.choice([1, 5, 50])):
            broken[dice.randrange(len(broken))] ^= 1 << dice.randrange(8)
    elif way == 2:
        for _ in range(10):
            broken[dice.randrange(min(2000, len(broken)))] = dice.randrange(256)
    elif way == 3:
        del broken[at : at + dice.choice([1, 3, 512, 5000])]
    elif way == 4:
        broken[at:at] = dice.randbytes(dice.choice([1, 3, 512]))
    else:
        broken[at : at + 700] = bytes(len(broken[at : at + 700]))
    return bytes(broken)


@pytest.mark.parametrize(
    "name", [*GOOD, "fhir/observation_decimal_bundle.json", "fhir/patients.ndjson"]
)
def test_damage_of_any_kind_is_read_around_or_refused_in_our_words(
    samples: Path, tmp_path: Path, name: str
) -> None:
    dice = random.Random(name)
    data = (samples / name).read_bytes()
    for way in range(6):
        for _ in range(3):
            file = tmp_path / "damaged"
            file.write_bytes(damaged(data, way, dice))
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                # Anything else, and any warning, fails the test.
                with suppress(SourceUnreadable):
                    read(file)
