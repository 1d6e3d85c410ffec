"""Refusals word for word: what a person is told is kept beside the test that provokes it.

`KEEP_TEXTS=1 pytest FILE` writes the texts of a file's tests anew; read the difference before it is
committed.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_seen: Counter[str] = Counter()


@contextmanager
def refuses(kind: type[Exception], match: str | None = None) -> Iterator[pytest.ExceptionInfo[Any]]:
    """Expect an error, as `pytest.raises`, in exactly the words that are kept."""
    with pytest.raises(kind, match=match) as caught:
        yield caught
    same_as_kept(str(caught.value))


def same_as_kept(text: object) -> None:
    """Compare what people read with what is kept: by test, and by its number within the test."""
    node = os.environ["PYTEST_CURRENT_TEST"].rpartition(" (")[0]
    if not _seen[node]:
        _seen.clear()
    _seen[node] += 1
    path, _, name = node.partition("::")
    test = Path(path)
    file = test.parent / "texts" / f"{test.stem}.json"
    key = name if _seen[node] == 1 else f"{name}, {_seen[node]}"
    kept: dict[str, object] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    if "KEEP_TEXTS" in os.environ:
        file.parent.mkdir(exist_ok=True)
        changed = dict(sorted({**kept, key: text}.items()))
        file.write_text(json.dumps(changed, indent=1, ensure_ascii=False) + "\n", "utf-8")
    else:
        assert text == kept.get(key), f"{file}: {key}"
