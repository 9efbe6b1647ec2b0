"""Where the application's files lie: beside the package in a checkout, inside of it where it was installed."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "application"

ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent
"""The folder of `app.py`, `pages`, `assets` and `docs`."""
ASSETS = ROOT / "assets"
