"""Settings that the methods share which cut in steps and look at accuracy after each."""

from explorer.registry import Choice, Number

LIMITED = {
    "max_drop": Number(0.02, 0, 1e6, "by how much the validation metric may fall below the base model's"),
    "teacher": Choice("base", ("base", "previous"), "whom a distillation imitates: the base model, or the step before"),
}
PACED = {
    "growth": Number(1.5, 0, 100, "α: step t of T removes ρ₀·(1 + t/T)^α of the units that remain; 0: all alike"),
    "rho": Number(None, 0, 1, "ρ₀, the share of the units that the first step removes; by itself: what meets a target"),
    "past_limit": Choice(
        "shallower",
        ("shallower", "stop"),
        "what follows a step that falls too far and is taken back: the same half as deep, then a quarter; or the end",
    ),
}
