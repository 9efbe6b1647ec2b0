"""What is asked for on the Cut page: the targets, and how they are shared out."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from explorer.budget import ALLOCATORS, NORMALISERS, Target
from explorer.plain import plain
from explorer.ui.parts.stages import KEEP
from explorer.ui.state.form_keys import ALLOCATOR, NORMALISER
from explorer.ui.state.forms import kept
from explorer.ui.text import terms, words

QUANTITIES = {"macs": "MACs", "params": "parameters", "size": "weights file", "latency": "latency"}
LIMITS = {
    "macs": ("MACs (%)", 1.0, "of the whole model's"),
    "params": ("Parameters (%)", 1.0, "of the whole model's"),
    "size": ("Weights file (MB)", 0.01, "as stored in the model's own precision"),
    "latency": ("Latency (ms)", 0.01, "of one batch on this device, by a table that is measured first"),
}
ROUNDS = (1, 8, 16, 32)


def ask() -> None:
    """The first target: how much of which quantity may remain."""
    st.markdown("**Keep**", width="content")
    st.number_input(
        "Keep (%)",
        1,
        100,
        KEEP,
        5,
        key=kept("keep"),
        width=92,
        label_visibility="collapsed",
        persist_state="session",
        help=plain(terms.told("target")),
    )
    st.markdown("% of the", width="content")
    st.selectbox(
        "of the",
        list(QUANTITIES),
        format_func=QUANTITIES.get,
        key=kept("quantity"),
        width=126,
        label_visibility="collapsed",
        persist_state="session",
    )


def ask_further() -> None:
    """How targets are shared out, what else may limit the cost, and to what widths are rounded."""
    _registry_choice("The target is shared out by", ALLOCATORS, ALLOCATOR, "global")
    _registry_choice("Scores of different groups are compared by", NORMALISERS, NORMALISER, "mean")
    st.selectbox(
        "Widths",
        ROUNDS,
        format_func=lambda n: "any" if n == 1 else f"multiples of {n} channels",
        key=kept("round to"),
        persist_state="session",
        help="Some hardware is fast at these widths only. Groups that lose nothing stay as they are.",
    )
    st.checkbox(
        "Move rows that I set by hand too",
        key=kept("move by hand"),
        persist_state="session",
        help="Else a row that was moved by hand since the last sharing out stays as it is, as locked ones do",
    )
    st.caption("Further limits, all met at once")
    left, right = st.columns(2)
    others = [kind for kind in LIMITS if kind != st.session_state["quantity"]]
    for column, kind in zip((left, right, left), others, strict=True):
        label, least, about = LIMITS[kind]
        column.number_input(
            plain(label),
            least,
            100.0 if kind in ("macs", "params") else None,
            None,
            placeholder="no limit",
            key=kept(f"limit {kind}"),
            persist_state="session",
            help=f"At most so much, {plain(about)}",
        )


def _registry_choice(label: str, registry: Mapping[str, Any], key: str, default: str) -> None:
    names = list(registry)
    st.selectbox(
        plain(label),
        names,
        index=names.index(default),
        format_func=lambda name: registry[name].title,
        help="  \n".join(f"**{plain(entry.title)}**: {plain(entry.explanation)}" for entry in registry.values()),
        key=kept(key),
        persist_state="session",
    )


def asked() -> tuple[Target, ...]:
    """What the controls ask for: the fraction first, then the further limits."""
    state = st.session_state
    found = [Target(state["quantity"], state["keep"] / 100)]
    for kind in LIMITS:
        value = state.get(f"limit {kind}")
        if value is None or kind == state["quantity"]:
            continue
        share = kind in ("macs", "params")
        found.append(
            Target(kind, value / 100) if share else Target(kind, amount=value * (1e6 if kind == "size" else 1))
        )
    return tuple(found)


def on_board() -> Target | None:
    """The target that the board's counters can mark."""
    kind = st.session_state["quantity"]
    return Target(kind, st.session_state["keep"] / 100) if kind != "size" else None


def amount(kind: str, value: float) -> str:
    """An amount with its unit: ``20.3 M MACs``, ``613 kB``."""
    if kind == "latency":
        return f"{value:.3g} ms"
    return words.size(value) if kind == "size" else f"{words.count(value)} {QUANTITIES[kind]}"
