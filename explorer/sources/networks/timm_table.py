"""What timm has, without importing it: the names that its source registers, and the tags of their weights."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_NETWORK = re.compile(r"^@register_model\s*\ndef (\w+)\(", re.MULTILINE)
_WEIGHTS = re.compile(r"^\s+['\"]([A-Za-z]\w*)\.(\w+)['\"]\s*:", re.MULTILINE)


@cache
def timm_table() -> dict[str, tuple[str, ...]]:
    """Every network of the installed timm with the tags of its weights, its own first; empty where it is not installed.

    Read from the source, as importing timm takes seconds. Of a few networks, whose weights are listed by code, the
    tags are missing.
    """
    spec = find_spec("timm")
    folders = [Path(folder) / "models" for folder in (spec.submodule_search_locations or ())] if spec else []
    sources = [path.read_text(encoding="utf-8") for folder in folders for path in sorted(folder.glob("*.py"))]
    tags: dict[str, list[str]] = {name: [] for source in sources for name in _NETWORK.findall(source)}
    for source in sources:
        for name, tag in _WEIGHTS.findall(source):
            if name in tags:
                tags[name].append(tag)
    return {name: tuple(dict.fromkeys(found)) for name, found in tags.items()}
