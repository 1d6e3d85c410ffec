"""Loading without the garbage collector: switched back as it was, whatever happens, and nothing walked twice."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from stores.collection import uncollected, without_collection


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    was = gc.isenabled()
    yield
    gc.unfreeze()
    (gc.enable if was else gc.disable)()


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_off_meanwhile_and_then_as_it_was(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()
    with without_collection():
        assert not gc.isenabled()
        with without_collection():
            pass
        assert not gc.isenabled()
    assert gc.isenabled() is enabled


def test_what_was_loaded_is_never_walked_again_but_the_rest_is() -> None:
    gc.unfreeze()
    with without_collection():
        loaded = [[n] for n in range(1_000)]
    assert gc.get_freeze_count() >= 1_000
    later: list[object] = []
    later.append(later)
    assert not any(found is loaded for found in gc.get_objects())
    assert any(found is later for found in gc.get_objects())


def test_without_loading_nothing_is_kept_from_being_walked_and_an_error_leaves_it_as_it_was() -> (
    None
):
    gc.enable()
    frozen, during = gc.get_freeze_count(), []

    def fails() -> None:
        during.append(gc.isenabled())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), uncollected():
        fails()
    assert during == [False]
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_an_error_leaves_the_collector_as_it_was() -> None:
    gc.enable()
    with pytest.raises(ZeroDivisionError), without_collection():
        raise ZeroDivisionError
    assert gc.isenabled()
