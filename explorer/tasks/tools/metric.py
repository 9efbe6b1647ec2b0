"""A main metric: its name, its meaning, and how its values read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A main metric.

    Args:
        name: its key in every JSON object.
        label: its title in a table or a card.
        short: its name in a sentence.
        share: whether it reads as a percentage of something.
        definition: what it means, in a sentence.
        higher_is_better: whether more of it is better; less is, of an error or a distance.
    """

    name: str
    label: str
    short: str
    share: bool
    definition: str
    higher_is_better: bool = True

    def better(self, value: float, than: float) -> bool:
        """Whether a value is better than another one."""
        return value > than if self.higher_is_better else value < than

    def gain(self, value: float, base: float) -> float:
        """By how much a value is better than the base's; below 0 it is worse."""
        return value - base if self.higher_is_better else base - value

    def text(self, value: float) -> str:
        """One value: ``97.2%``, or ``0.812`` where a percentage would mislead."""
        return f"{value:.1%}" if self.share else f"{value:.3f}".replace("-", "−")

    def difference(self, value: float) -> str:
        """A signed difference of two values: ``−1.3 points`` of a percentage, or ``−0.013``."""
        return (f"{100 * value:+.1f} points" if self.share else f"{value:+.3f}").replace("-", "−")

    def interval(self, low: float, high: float) -> str:
        """``95.0–98.5%``"""
        return f"{100 * low:.1f}–{high:.1%}" if self.share else f"{self.text(low)}–{self.text(high)}"
