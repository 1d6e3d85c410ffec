"""An environment in which only the service's packages can be imported, as in its image.

Everything is installed where tests run, so what the service's lock file lacks is made to be missing.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "deploy" / "runtime.lock"

REFUSE = """\
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def missing_modules() -> Iterator[str]:
    """Yield the top modules of what is installed here and not in the service's lock file."""
    names = re.findall(r"^([A-Za-z0-9._-]+)==", LOCK.read_text("utf-8"), re.MULTILINE)
    locked = {canonical(name) for name in (*names, "rehabcast")}
    for module, owners in importlib.metadata.packages_distributions().items():
        if not {canonical(owner) for owner in owners} & locked:
            yield module


def as_in_its_image(folder: Path) -> str:
    """Write what makes other packages missing to a folder, and return it for `PYTHONPATH`."""
    names = sorted(missing_modules())
    assert {"torch", "sklearn", "shap", "lightning", "ray"} <= set(names)
    (folder / "sitecustomize.py").write_text(REFUSE.format(names=names), "utf-8")
    return str(folder)
