"""The one table of pages: navigation, links and tests are made from it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """A page: its folder under `pages`, the title and icon of the navigation, and its address."""

    name: str
    title: str
    icon: str
    address: str

    @property
    def path(self) -> str:
        """The page's script, relative to the entry script, as links inside the app name it."""
        return f"pages/{self.name}/page.py"


PAGES: dict[str, Page] = {
    page.name: page
    for page in (
        Page("model", "Model", ":material/schema:", "network"),
        Page("flow", "Flow", ":material/gradient:", "channel-flow"),
        Page("criteria", "Criteria", ":material/balance:", "compare-criteria"),
        Page("budget", "Budget", ":material/tune:", "channel-budget"),
        Page("sensitivity", "Sensitivity", ":material/monitoring:", "group-curves"),
        Page("prune", "Prune", ":material/content_cut:", "prune-run"),
        Page("weights", "Weights", ":material/grid_on:", "single-weights"),
        Page("compare", "Compare", ":material/compare_arrows:", "compare-runs"),
        Page("scoreboard", "Scoreboard", ":material/leaderboard:", "method-scores"),
        Page("export", "Export", ":material/download:", "export-bundle"),
    )
}
"""By name, in the order of the navigation; the first one is the opening page."""


def path_to(name: str) -> str:
    """The script of the page called `name`."""
    return PAGES[name].path
