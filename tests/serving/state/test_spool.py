"""The file in which a worker keeps forecasts until they are in the store."""

from __future__ import annotations

import resource
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.state import forecast_log
from serving.state.forecast_log import ForecastEntry, ForecastLog, append, waiting_about
from serving.state.spool import Spool, lines_set_aside
from serving.state.store import Store
from serving.state.verification import verify_chain
from stores.private_files import ReadableByOthers
from tests.refusals import refuses


def entry(number: int) -> ForecastEntry:
    return ForecastEntry(
        id=f"{number:032x}", time="2026-11-24T00:00:00+00:00", route="forecast", actor="dr",
        tenant="ward", subject="P", model_version="arm/1", bundle_digest="b" * 64,
        input_digest="i" * 64, output="{}",
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    lines=st.lists(st.binary(max_size=50).map(lambda b: b.replace(b"\n", b"")), max_size=12),
    takes=st.lists(st.integers(0, 5), max_size=12),
)
def test_lines_are_handed_on_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], takes: list[int]
) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool"))
    got: list[bytes] = []
    left = list(lines)
    for take in takes:
        if left:
            spool.write(left.pop(0))
        waiting = spool.waiting()[:take]
        spool.handed_on(waiting)
        got += waiting
    for line in left:
        spool.write(line)
    rest = spool.waiting()
    spool.handed_on(rest)
    assert [*got, *rest] == [line + b"\n" for line in lines]
    assert spool.is_empty
    spool.close()
    assert list(spool.folder.iterdir()) == []


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_whatever_is_left_of_a_file_only_whole_lines_are_adopted(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    content = b"".join(b"line %d\n" % n for n in range(6))
    cut = content[: data.draw(st.integers(0, len(content)))]
    (folder / "1-dead.spool").write_bytes(cut)
    spool = Spool(folder)
    ((_, lines),) = spool.orphans()
    assert lines == content.splitlines(keepends=True)[: cut.count(b"\n")]
    spool.close()


def test_a_living_workers_file_is_nobody_elses_and_all_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    one, other = Spool(folder), Spool(folder)
    one.write(b"line")
    assert list(other.orphans()) == []
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, *sorted(folder.iterdir()))]
    assert modes == [0o700, 0o600, 0o600]
    one.close()
    ((file, lines),) = other.orphans()
    assert lines == [b"line\n"]
    file.unlink()
    other.close()


def test_a_dead_workers_forecasts_are_put_on_record_once_and_bad_lines_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecast_log, "ADOPT_SECONDS", 0.05)
    folder = tmp_path / "spool"
    dead = Spool(folder)
    for number in (1, 2, 2):
        dead.write(msgspec.json.encode(entry(number)))
    dead.close()
    (folder / "9-broken.spool").write_bytes(b"no json\n" + msgspec.json.encode(entry(3)) + b"\n")
    with closing(Store(f"sqlite:///{tmp_path / 's.db'}")) as store:
        log = ForecastLog(store, folder)
        log.add(entry(4))
        deadline = time.monotonic() + 20
        while list(folder.glob("9-*.spool")) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert log.settle(10)
        assert "1 lines of the spool cannot be put on record" in str(log.problem)
        log.close()
        assert verify_chain(store) == 4
    (kept,) = folder.iterdir()
    assert (kept.suffix, kept.read_bytes()) == (".unreadable", b"no json\n")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


BAD_LINES = {
    "no JSON": b"CANARY",
    "another shape": b'{"id": 1, "subject": "CANARY"}',
    "nothing": b"",
    "bytes that are no text": b'{"id": "\xff\xfe CANARY"}',
    "half a line": msgspec.json.encode(entry(9))[:-20],
}


@pytest.mark.parametrize("bad", BAD_LINES)
def test_a_line_that_cannot_be_put_on_record_is_set_aside_and_what_follows_is_recorded(
    tmp_path: Path, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In the worker's own file, between good ones."""
    with closing(Store(f"sqlite:///{tmp_path / 's.db'}")) as store:
        log = ForecastLog(store, tmp_path / "spool")
        log.add(entry(1))
        log._spool.write(BAD_LINES[bad])
        for number in (2, 3):
            log.add(entry(number))
        assert log.settle(20)
        assert "1 lines of the spool" in str(log.problem)
        assert "CANARY" not in str(log.problem) + caplog.text
        log.close()
        assert verify_chain(store) == 3
    (kept,) = (tmp_path / "spool").iterdir()
    assert kept.read_bytes() == BAD_LINES[bad] + b"\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_an_entry_that_the_database_cannot_hold_is_set_aside_alone(
    store: Store, tmp_path: Path
) -> None:
    """PostgreSQL's texts hold no NUL, and its columns no more than their length."""
    bad = [
        msgspec.structs.replace(entry(2), subject="P\0"),
        msgspec.structs.replace(entry(3), actor="x" * 5_000),
    ]
    log = ForecastLog(store, tmp_path / "spool")
    for one in (entry(1), *bad, entry(4)):
        log.add(one)
    assert log.settle(20)
    assert "2 lines of the spool" in str(log.problem)
    log.close()
    assert verify_chain(store) == 2


def test_a_line_that_cannot_be_set_aside_is_kept_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("the disk is full")

    with closing(Store(f"sqlite:///{tmp_path / 's.db'}")) as store:
        log = ForecastLog(store, tmp_path / "spool")
        with monkeypatch.context() as patch:
            patch.setattr(Spool, "set_aside", full)
            log._spool.write(b"CANARY")
            log.add(entry(1))
            deadline = time.monotonic() + 20
            while log.problem is None and time.monotonic() < deadline:
                time.sleep(0.02)
            assert not log.settle(0)
        assert log.settle(20)
        log.close()
        assert verify_chain(store) == 1
    (kept,) = (tmp_path / "spool").iterdir()
    assert kept.read_bytes() == b"CANARY\n"


@contextmanager
def no_file_may_grow() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_on_a_full_disk_forecasts_wait_in_memory_and_none_is_torn(tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{tmp_path / 's.db'}")) as store:
        log = ForecastLog(store, tmp_path / "spool")
        with no_file_may_grow():
            for number in range(5):
                log.add(entry(number))
            assert "cannot be kept on disk" in str(log.problem)
        log.add(entry(5))
        assert log.settle(20)
        assert log.problem is None
        log.close()
        assert (verify_chain(store), log.lost) == (6, 0)


def test_an_unexpected_error_does_not_end_the_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> int:
        raise KeyError("CANARY")

    with closing(Store(f"sqlite:///{tmp_path / 's.db'}")) as store:
        log = ForecastLog(store, tmp_path / "spool")
        with monkeypatch.context() as patch:
            patch.setattr(forecast_log, "append", broken)
            log.add(entry(1))
            deadline = time.monotonic() + 20
            while log.problem is None and time.monotonic() < deadline:
                time.sleep(0.02)
            assert "cannot be written" in str(log.problem)
            assert "CANARY" not in str(log.problem)
        assert log.settle(20)
        log.close()
        assert verify_chain(store) == 1


def test_forecasts_that_wait_are_counted_by_person_until_they_are_on_record(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "spool"
    spool = Spool(folder)
    for number in (1, 2):
        spool.write(msgspec.json.encode(entry(number)))
    (folder / "9-broken.unreadable").write_bytes(b'{"subject":"Q","tor')
    with closing(Store(f"sqlite:///{tmp_path / 's.db'}")) as store:

        def waiting(tenant: str, subject: str) -> int:
            return waiting_about(store, folder, tenant, subject)

        assert (waiting("ward", "P"), waiting("clinic", "P"), waiting("ward", "Q")) == (2, 0, 1)
        (folder / "8-broken.unreadable").write_bytes(b'{"subject":"R","id":"\xff"}\n')
        assert waiting("ward", "R") == 1
        append(store, [entry(1)])
        assert waiting("ward", "P") == 1
        append(store, [entry(2)])
        assert waiting("ward", "P") == 0
    spool.close()


def test_lines_set_aside_are_counted_while_somebody_moves_the_files_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, moved = tmp_path / "1.unreadable", tmp_path / "2.unreadable"
    kept.write_bytes(b"one\rline\nand another, tor")
    monkeypatch.setattr(Path, "glob", lambda *_: iter([kept, moved]))
    assert lines_set_aside(tmp_path) == 2


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o777])
def test_a_folder_that_others_can_read_or_change_takes_no_forecast(
    tmp_path: Path, mode: int
) -> None:
    """Who can put a file there puts forecasts on record that nobody gave."""
    folder = tmp_path / "spool"
    folder.mkdir()
    folder.chmod(mode)
    with refuses(ReadableByOthers, match=f"mode {mode:04o}"):
        Spool(folder)
