"""The one table of pages: navigation, links and tests are made from it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """A page.

    Args:
        name: its folder under `pages`.
        title: of the page, and of its place in the navigation after the number of its step.
        address: the path of its link; that of the opening page is empty.
        step: its place in the work, 1 to 4; 0 for pages beside it.
        section: the menu that it is in; empty for the navigation itself.
        earlier: addresses that it had in earlier versions.
    """

    name: str
    title: str
    address: str
    step: int = 0
    section: str = ""
    earlier: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The page's script, relative to the entry script, as links inside the app name it."""
        return f"pages/{self.name}/page.py"

    @property
    def label(self) -> str:
        """What the navigation calls it: ``2 Cut``."""
        return f"{self.step} {self.title}" if self.step else self.title


LAB = "Lab"
PAGES: dict[str, Page] = {
    page.name: page
    for page in (
        Page("look", "Look", "", step=1, earlier=("look", "network", "channel-flow")),
        Page("cut", "Cut", "cut", step=2, earlier=("channel-budget",)),
        Page("recover", "Recover", "recover", step=3, earlier=("prune-run",)),
        Page("take", "Take", "take", step=4, earlier=("export-bundle",)),
        Page("runs", "Runs", "runs", earlier=("compare-runs",)),
        Page("learn", "Learn", "learn"),
        Page("classroom", "Class", "class"),
        Page("missions", "Missions", "missions"),
        Page("criteria", "Criteria", "compare-criteria", section=LAB),
        Page("sensitivity", "Sensitivity", "group-curves", section=LAB),
        Page("weights", "Weights", "single-weights", section=LAB),
        Page("scoreboard", "Scoreboard", "method-scores", section=LAB),
        Page("library", "Library", "library", section=LAB),
        Page("glossary", "Glossary", "glossary", section=LAB),
    )
}
"""By name, in the order of the navigation, which is that of the work; the first one is the opening page."""


def path_to(name: str) -> str:
    """The script of the page called `name`."""
    return PAGES[name].path


def after(name: str) -> Page | None:
    """The step that comes after the one called `name`; None after the last one, and for pages beside the work."""
    steps = {page.step: page for page in PAGES.values() if page.step}
    return steps.get(PAGES[name].step + 1) if PAGES[name].step else None
