"""The groups of channels of a network as a table, and what can't be cut."""

import pandas as pd
import streamlit as st

from explorer.plain import plain
from explorer.structure import GROUP_KINDS, Structure
from explorer.ui.parts import say
from explorer.ui.text import terms

ALL_ROWS = 24  # up to which a table is as high as it is long


def show(structure: Structure, table: pd.DataFrame) -> None:
    """All groups; `table` as in `explorer.ui.text.tables.groups`."""
    with st.expander(f"{len(table)} groups of channels that can be cut", icon=":material/table_rows:"):
        say.caption(f"{terms.defined('group')} Found in {structure.seconds:.2f} s.")
        _table(table)
    if structure.blocked:
        _blocked(structure)


def _table(table: pd.DataFrame) -> None:
    saves = "Share that removing all of it would save"
    kinds = "; ".join(f"{kind}: {about}" for kind, about in GROUP_KINDS.items())
    st.dataframe(
        table.drop(columns=["kept", "units"]),
        hide_index=True,
        height="content" if len(table) <= ALL_ROWS else 640,
        column_config={
            "name": st.column_config.TextColumn(
                "Group",
                help=plain(terms.told("group", "Named after the layer that first makes its channels.")),
                pinned=True,
            ),
            "kind": st.column_config.TextColumn("Kind", help=plain(kinds)),
            "channels": st.column_config.NumberColumn("Channels", format="%d"),
            "unit": st.column_config.NumberColumn("Per unit", help=plain(terms.told("channels per unit"))),
            "exact": st.column_config.CheckboxColumn("Exact", help=plain(terms.told("exact"))),
            "params": _share("Parameters", saves),
            "macs": _share("MACs", saves),
            "why": st.column_config.TextColumn("Why tied", width="large"),
        },
        alt="The groups with their kind, channels, share of parameters and MACs, and what ties them",
    )


def _share(label: str, about: str) -> dict:
    return st.column_config.ProgressColumn(plain(label), format="percent", min_value=0, max_value=1, help=plain(about))


def _blocked(structure: Structure) -> None:
    parts = structure.blocked
    said = "1 part" if len(parts) == 1 else f"{len(parts)} parts"
    with st.expander(f"{said} of the network can't be cut, and why", icon=":material/lock:"):
        st.dataframe(
            [{"Layer": part.name, "Channels": part.size, "Why": part.reason} for part in parts],
            hide_index=True,
            column_config={"Why": st.column_config.TextColumn(width="large")},
            alt="Layers whose channels can't be cut, with the reason",
        )
