"""The board's state by native sliders, where the component can't be shown or a person prefers them."""

from functools import partial

import pandas as pd
import streamlit as st

from explorer.board.document import block_stages
from explorer.criteria import Scores
from explorer.plain import named, plain
from explorer.pruning import Plan
from explorer.structure import Structure
from explorer.ui.state import session
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import terms, words

OPEN_STAGES = 80


def sliders(workspace: Workspace, structure: Structure, scores: Scores, plan: Plan, table: pd.DataFrame) -> None:
    """One control per group, gathered by the stages of the network; `table` as in `tables.groups`."""
    shares = dict(zip(table.name, table.macs, strict=True))
    is_open = len(structure.groups) <= OPEN_STAGES
    blocks = _blocks_by_stage(structure)
    for stage, names in words.stages(list(structure.groups)):
        removed = sum(len(plan.remove.get(name, ())) * structure.groups[name].unit for name in names)
        whole = sum(structure.groups[name].size for name in names)
        groups = "1 group" if len(names) == 1 else f"{len(names)} groups"
        label = f"**{plain(stage)}** · {groups} · {removed:d} of {whole:d} channels go"
        with (
            st.expander(label, expanded=is_open, key=f"stage {workspace.model} {stage}"),
            st.grid(4, min_column_width=210),
        ):
            for block in blocks.get(stage, ()):
                _switch(workspace, structure, block)
            for name in names:
                short = words.middle(name.removeprefix(f"{stage}."), 34)
                _slider(workspace, structure, scores, plan, name, short, _share(structure, name, shares))


def _blocks_by_stage(structure: Structure) -> dict[str, list[str]]:
    """Residual blocks under the stages in which the board shows them."""
    found: dict[str, list[str]] = {}
    for block, stage in block_stages(structure).items():
        found.setdefault(stage, []).append(block)
    return found


def _switch(workspace: Workspace, structure: Structure, block: str) -> None:
    """Whether a whole residual block stays."""
    key = f"stays {session.revision(workspace)} {workspace.model} {block}"
    st.session_state[key] = block not in workspace.blocks
    share = structure.blocks[block].cost_model(structure.full).macs / max(structure.cost().macs, 1)
    st.checkbox(
        f"{named(block)} stays  \nwhole block · {share:.0%} of MACs",
        key=key,
        on_change=partial(_take_out, workspace, block, key),
        help=plain(terms.told("residual block")),
    )


def _take_out(workspace: Workspace, block: str, key: str) -> None:
    session.own_change(workspace, lambda _version: workspace.take_out(block, out=not st.session_state[key]))


def _share(structure: Structure, name: str, shares: dict[str, float]) -> str:
    group = structure.groups[name]
    return f"{group.units} {words.noun(group, group.units)} · {shares[name]:.0%} of MACs"


def _slider(
    workspace: Workspace, structure: Structure, scores: Scores, plan: Plan, name: str, short: str, share: str
) -> None:
    """How many units of one group go; its state is always what the workspace holds."""
    title = f"{named(short)}  \n{plain(share)}"
    group = structure.groups[name]
    if name in scores.skipped or group.units <= group.least:
        needed = "it has a single unit" if group.units == 1 else f"every token is sent to all its {group.units} experts"
        st.caption(f"{title}. Stays whole: {plain(scores.skipped.get(name, needed))}.")
        return
    # A new control after every undo, preset or target: a slow browser still sends the old one's position, which
    # would otherwise read as the person's own change and wipe out what there was to redo.
    key = f"removed {session.revision(workspace)} {workspace.model} {name}"
    st.session_state[key] = len(plan.remove.get(name, ()))
    st.slider(
        title,
        0,
        group.units - group.least,
        key=key,
        format=f"%d of {group.units} go",
        on_change=partial(_set, workspace, name, key, group.units),
        help=plain(group.why + ("" if group.exact else f" A mask is not exact here: {group.reason}.")),
    )


def _set(workspace: Workspace, name: str, key: str, units: int) -> None:
    session.own_change(workspace, lambda _version: workspace.adjust(name, st.session_state[key] / units))
