"""What a run is asked to do: a frozen record that reads and writes strict JSON."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from explorer.errors import ExplorerError, unknown
from explorer.strict_json import Check, is_integer, is_list, is_number, is_table, is_text

if TYPE_CHECKING:
    from explorer.budget import Target


CRITERION = "group-norm"
"""What scores units where nobody says; see `CRITERION_WHY`."""
CRITERION_WHY = "it needs no data, and counts all weights that leave with a channel, those that read it too"
FIRST_CRITERION = "l2"
"""What the default was at first, which digests leave out."""


@dataclass(frozen=True)
class Keyed:
    """A setting with a key of its own in a spec's JSON, where it is a value instead of a text among the settings.

    Args:
        key: its name in the JSON, on the command line and in messages.
        default: what a spec without the setting has there.
        number: whether it is a number, not a word.
    """

    key: str
    default: float | str | None
    number: bool = True

    def value(self, text: str) -> float | str:
        """What stands in the JSON for a setting's text; a text that is no number stays as it is."""
        for kind in (int, float) if self.number else ():
            try:
                return kind(text)
            except ValueError:
                continue
        return text


KEYED: Mapping[str, Keyed] = MappingProxyType(
    {
        "growth": Keyed("alpha", 1.5),
        "rho": Keyed("rho", None),
        "max_drop": Keyed("max_drop", 0.02),
        "teacher": Keyed("teacher", "base", number=False),
        "blocks": Keyed("blocks", None),
        "block_order": Keyed("block_order", "divergence", number=False),
    }
)
"""By the setting's name. The default of every method that declares one is that of the JSON."""


@dataclass(frozen=True)
class Spec:
    """One run, complete: the same spec with the same versions gives the same cut weights.

    What is removed is said in one of five ways: `keep`, `ratios`, `plan`, `skip`, or `sparsity`; only `skip` also goes
    along with `ratios` or a `plan`. A method that cuts in steps needs none of them, and goes as far as accuracy allows.

    Args:
        model: ref of the model.
        data: ref of the data.
        method: by which name it is registered.
        criterion: what scores the units.
        options: of the criterion.
        allocate: how a target is shared out over the groups.
        normalise: what makes the scores of different groups comparable.
        keep: targets such as ``{"macs": 0.5, "size": "2MB"}``.
        ratios: the fraction of units to remove, per group.
        plan: unit indices to remove, per group.
        recover: how accuracy comes back.
        epochs: passes of training of one recovery; None: its own default.
        samples: of the calibration data, that are scored on.
        seed: of everything random.
        device: that computes; "auto": the best there is.
        input_shape: (C, H, W); None: the model's own.
        minimum: of every group that stays under a target: below 1 a fraction, else a number of units.
        locked: groups that stay whole; of methods that set single weights to zero, layers.
        steps: in how many cuts, rounds or exchanges a method that has several gets there, at most.
        skip: residual blocks that are taken out with a plan, with ratios, or alone.
        round_to: multiples that widths under a target are of.
        runtime: in which a latency is timed.
        batch: of how many inputs a latency is.
        sparsity: the share of the weights that become zero.
        settings: what else the method can be told, as it declares, in texts.
    """

    model: str
    data: str
    method: str = "one-shot"
    criterion: str = CRITERION
    options: dict[str, str] = field(default_factory=dict)
    allocate: str = "global"
    normalise: str = "mean"
    keep: dict[str, float | str] | None = None
    ratios: dict[str, float] = field(default_factory=dict)
    plan: dict[str, tuple[int, ...]] | None = None
    recover: str = "none"
    epochs: int | None = None
    samples: int = 512
    seed: int = 0
    device: str = "auto"
    input_shape: tuple[int, ...] | None = None
    minimum: float = 0.1
    locked: tuple[str, ...] = ()
    steps: int = 10
    skip: tuple[str, ...] = ()
    round_to: int = 1
    runtime: str = "torch"
    batch: int = 1
    sparsity: float | None = None
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Writes settings with a key in one way, those at their default not at all: equal requests are equal specs."""
        said = dict(self.settings)
        for name in [name for name in KEYED if name in said]:
            value = KEYED[name].value(said.pop(name))
            if value != KEYED[name].default:
                said[name] = str(value)
        object.__setattr__(self, "settings", said)

    def with_settings(self, **settings: object) -> "Spec":
        """The same spec with these settings besides, in values instead of texts; None takes a setting back."""
        others = {name: text for name, text in self.settings.items() if name not in settings}
        given = {name: str(value) for name, value in settings.items() if value is not None}
        return replace(self, settings=others | given)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, every field present."""
        document = json.loads(json.dumps(asdict(self)))
        settings = document["settings"]
        for name, keyed in KEYED.items():
            document[keyed.key] = keyed.value(settings.pop(name)) if name in settings else keyed.default
        return {key: document[key] for key in _keys()}

    @classmethod
    def from_json(cls, document: object) -> "Spec":
        """The spec in a JSON object.

        Raises:
            ExplorerError: an unknown or missing key, or a value of the wrong type.
        """
        if not isinstance(document, Mapping):
            raise ExplorerError("a run's spec must be a JSON object")
        known = list(_keys())
        for key in document:
            if key not in known:
                raise unknown("key in the run's spec", str(key), known)
        for key in ("model", "data"):
            if key not in document:
                raise ExplorerError(f"the run's spec has no {key!r}: name the {key} by its ref")
        typed = {key: _typed(key, value) for key, value in document.items()}
        beside = {name: typed.pop(keyed.key, None) for name, keyed in KEYED.items()}
        settings = {name: str(value) for name, value in beside.items() if value is not None}
        return cls(**typed | {"settings": settings | typed.get("settings", {})})

    def digest(self) -> str:
        """Sixteen hexadecimal digits that change when any field changes; a field at its default is left out of them.

        So a field that a later version adds changes no digest. One that gets another default keeps its first one here.
        """
        usual = Spec("", "", criterion=FIRST_CRITERION).to_json()
        asked = {key: value for key, value in self.to_json().items() if value != usual[key]}
        text = json.dumps(asked, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def differs(self, document: object) -> list[str]:
        """The fields that are others in a spec's JSON, which an earlier version may have written with fewer."""
        mine = self.to_json()
        try:
            other = Spec.from_json(document).to_json()
        except ExplorerError:
            return list(mine)
        return [key for key in mine if mine[key] != other[key]]

    @property
    def explicit(self) -> bool:
        """Whether it says itself which units and blocks go, so that a method that cuts once need not score any."""
        return not self.keep and not self.ratios

    def targets(self) -> "tuple[Target, ...]":
        """The targets that `keep` asks for; none where it asks for nothing.

        Raises:
            ExplorerError: `keep` names something unknown, or an impossible fraction or amount.
        """
        from explorer.budget import Target  # loads torch

        return tuple(Target.parse(f"{kind}={value}") for kind, value in (self.keep or {}).items())

    def target(self) -> "Target | None":
        """The one target, a fraction of params or MACs, of a method that cuts in steps; None where there is none.

        Raises:
            ExplorerError: there are several, or one that such a method can't follow.
        """
        targets = self.targets()
        followed = [target for target in targets if target.amount is None and target.kind in ("params", "macs")]
        if len(targets) > 1 or followed != list(targets):
            raise ExplorerError(
                f"method {self.method!r} cuts in steps towards one fraction of macs or params: give one, such as "
                "--keep macs=0.5, or use --method one-shot"
            )
        return targets[0] if targets else None


def _keys() -> Iterator[str]:
    """The keys of a spec's JSON, in their order."""
    for entry in fields(Spec):
        yield entry.name
        if entry.name == "steps":
            yield from (keyed.key for keyed in KEYED.values())


_RULES: dict[str, tuple[Check, str]] = {
    "options": (is_table(is_text), "an object of option names and values"),
    "settings": (is_table(is_text), "an object of setting names and values"),
    "keep": (
        is_table(lambda value: is_number(value) or is_text(value)),
        'an object such as {"macs": 0.5} or {"size": "2MB"}',
    ),
    "ratios": (is_table(is_number), "an object of group names and fractions"),
    "plan": (is_table(is_list(is_integer)), "an object of group names and lists of unit indices"),
    "input_shape": (is_list(is_integer), "a list of whole numbers such as [3, 224, 224]"),
    **dict.fromkeys(("minimum", "alpha", "rho", "max_drop", "sparsity"), (is_number, "a number")),
    "locked": (is_list(is_text), "a list of group names"),
    "skip": (is_list(is_text), "a list of residual blocks"),
    **dict.fromkeys(("epochs", "samples", "seed", "steps", "blocks"), (is_integer, "a whole number")),
    **dict.fromkeys(("round_to", "batch"), (is_integer, "a whole number")),
}


def _typed(key: str, value: object) -> Any:
    if value is None and key in ("keep", "plan", "input_shape", "epochs", "rho", "blocks", "sparsity"):
        return None
    accepts, description = _RULES.get(key, (is_text, "a text"))
    if not accepts(value):
        raise ExplorerError(f"{key!r} in the run's spec must be {description}")
    if key == "plan":
        return {group: tuple(indices) for group, indices in value.items()}
    if isinstance(value, Mapping):
        return dict(value)
    return tuple(value) if isinstance(value, list | tuple) else value
