"""How a gradual method goes: what its settings say."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

TEACHERS = ("base", "previous")


@dataclass(frozen=True)
class Pace:
    """The settings that gradual methods share.

    Args:
        growth: α of the shares ``ρ₀·(1 + t/T)^α`` that the steps t of T remove.
        rho: ρ₀; None: what leads to the target, else the default of `explorer.methods.tools.schedule`.
        max_drop: by how much the validation metric may fall below the base model's.
        teacher: whom a distillation imitates: the "base" model, or that of the "previous" step.
        past_limit: what follows a step that falls too far: the same "shallower", or a "stop".
    """

    growth: float = 1.5
    rho: float | None = None
    max_drop: float = 0.02
    teacher: str = "base"
    past_limit: str = "shallower"

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Pace":
        """From a method's settings, of which it may have more."""
        return cls(**{entry.name: told[entry.name] for entry in fields(cls)})
