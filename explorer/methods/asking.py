"""The spec that somebody asks for: what she says, else what a preset says, else the method's own defaults."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from explorer.methods.registry import METHODS
from explorer.methods.spec import Spec


def asked_for(given: Mapping[str, Any], settings: Mapping[str, object], preset: str | None = None) -> Spec:
    """The spec of what is `given`, its fields by name, and of the method's `settings`, by name in texts or values.

    A preset's options are for its criterion: where another is given, that begins at its defaults.

    Raises:
        ExplorerError: an unknown method with a preset, or a preset that the method has not.
    """
    name = given.get("method", Spec.method)
    defaults = METHODS[name].defaults if preset is not None or name in METHODS else {}
    if preset is None:
        return Spec(**{**defaults, **given}).with_settings(**settings)
    usual = METHODS[name].following(preset, Spec(given["model"], given["data"], **{**defaults, "method": name}))
    said = dict(given)
    if said.get("criterion", usual.criterion) == usual.criterion:
        said["options"] = usual.options | said.get("options", {})
    said["settings"] = usual.settings | said.get("settings", {})
    return replace(usual, **{"options": {}, **said}).with_settings(**settings)
