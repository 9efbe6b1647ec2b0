"""The wheel: what a person installs holds the app, its pages and assets, and works where no checkout is."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from explorer.sources.demo_training import RECIPES
from explorer.sources.letter_making import NOTES
from explorer.sources.reading.letter_pictures import PICTURES, RECORD

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with nothing but the unpacked wheel."""
    place = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(place / "dist"), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = (place / "dist").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(place / "site")
    return place / "site"


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )


def test_it_holds_the_app_and_names_its_command(installed):
    application = installed / "explorer" / "application"
    pages = {path.parent.name for path in (ROOT / "pages").glob("*/page.py")}
    assert {path.parent.name for path in (application / "pages").glob("*/page.py")} == pages
    for name in ("app.py", "assets/demo.json", "assets/board/board.js", ".streamlit/config.toml"):
        assert (application / name).read_bytes() == (ROOT / name).read_bytes(), name
    (entry_points,) = installed.glob("*.dist-info/entry_points.txt")
    assert "pruning-explorer = explorer.__main__:start" in entry_points.read_text()
    assert not list(installed.rglob("__pycache__"))


def test_it_holds_all_networks_and_data_that_are_bundled(installed):
    names = {PICTURES, RECORD, NOTES, *(f"{ref.partition(':')[2]}.safetensors" for ref in RECIPES)}
    assert len(names) == 3 + 12
    for name in names:
        assert (installed / "explorer/application/assets" / name).read_bytes() == (ROOT / "assets" / name).read_bytes()


@pytest.mark.slow
def test_it_prunes_outside_of_the_checkout(installed, tmp_path):
    where = run(installed, tmp_path, "-c", "import explorer; print(explorer.__file__)").stdout
    assert Path(where.strip()).is_relative_to(installed)
    prune = ("prune", "--model", "demo:resnet20-digits", "--data", "digits", "--criterion", "l1", "--keep", "macs=0.7")
    done = run(
        installed, tmp_path, "-m", "explorer", *prune, "--recover", "bn", "--out", "small", "--no-track", "--json"
    )
    answer = json.loads(done.stdout)
    assert answer["pruned"]["macs"] < 0.71 * answer["base"]["macs"]
    assert (tmp_path / "small" / "model.onnx").is_file()
