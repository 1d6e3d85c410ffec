from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


def test_the_compose_file_is_sound_and_shows_one_port_only() -> None:
    told = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
    services = told["services"]
    assert set(services) == {"database", "objects", "mlflow", "service", "proxy"}
    assert [name for name, each in services.items() if "ports" in each] == ["proxy"]
    for each in services.values():
        assert set(each["networks"]) <= set(told["networks"])
        assert set(each.get("secrets", [])) <= set(told["secrets"])
        assert set(each.get("depends_on", {})) <= set(services)
    assert told["networks"]["inside"]["internal"] is True


@pytest.mark.soak
def test_a_bento_is_built_from_a_clean_clone(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "bentoml", "build"],
        cwd=clone, capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "BENTOML_HOME": str(tmp_path / "b"), "HOME": str(tmp_path),
             "BENTOML_DO_NOT_TRACK": "True", "PYTHONPATH": str(clone)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    bento = next((tmp_path / "b" / "bentos" / "rehabcast").iterdir())
    assert (bento / "src" / "serving" / "door.py").exists() if bento.is_dir() else True
