"""A page with nothing but a board, for tests: ``?model=REF&cut=FRACTION`` or ``?many=GROUPS``; with ``measured=1`` as
if times and sensitivity had been measured, with ``sliders=1`` Streamlit's own sliders in its place, to compare with.

What Python has got is written below the board, so that a test can read it.
"""

import json
from typing import Any

import numpy as np
import streamlit as st
import torch
from torch import nn

from explorer.board.commit import Commit
from explorer.board.document import board_document
from explorer.budget import Target
from explorer.criteria import Scores, score
from explorer.pruning import Plan
from explorer.sources import load_model
from explorer.structure import Structure, analyse
from explorer.ui.parts.board import board
from tests import measurements

UNITS = 300


@st.cache_resource
def subject(model: str, many: int) -> tuple[Structure, Scores, dict[str, float]]:
    structure, scores = chain(many) if many else read(model)
    whole = structure.cost().macs
    return structure, scores, {name: structure.saving(name).macs / whole for name in structure.groups}


def read(model: str) -> tuple[Structure, Scores]:
    loaded = load_model(model)
    structure = analyse(loaded.module, loaded.example(), trial=False)
    return structure, score("l1", loaded.module, structure, None)


def chain(groups: int) -> tuple[Structure, Scores]:
    """That many groups of 300 channels in a row, scored at random."""
    layers = [nn.Conv2d(3 if i == 0 else UNITS, UNITS, 1) for i in range(groups)]
    module = nn.Sequential(*layers, nn.Flatten(), nn.Linear(UNITS, 10)).eval()
    structure = analyse(module, torch.randn(1, 3, 1, 1), trial=False)
    random = np.random.default_rng(0)
    return structure, Scores("random", 0.0, {name: random.random(UNITS) for name in structure.groups}, {})


def with_board() -> dict[str, int]:
    """How many units of each group leave."""
    cut = float(query.get("cut", "0"))
    if "budget" not in state:
        state.update(budget=dict.fromkeys(scores.groups, cut), locked=(), blocks=(), revision=0, commits=0, commit=None)
    left, right = st.columns(2)
    left.button("Half", on_click=preset, args=(0.5,))
    right.button("Nothing", on_click=preset, args=(0.0,))
    there = st.toggle("Show the board", True)
    target = Target("macs", 0.5)
    document = board_document(
        structure,
        scores,
        state.budget,
        state.locked,
        state.revision,
        blocks=state.blocks,
        target=target,
        shares=shares,
        **extra,
    )
    if there:
        board(document, key="board", on_change=change, on_ask=ask)
    return {group["name"]: group["removed"] for group in document["groups"]}


@st.cache_data
def measured(model: str, many: int) -> dict[str, Any]:
    structure, *_ = subject(model, many)
    return {"curves": measurements.curves(structure), "latency": measurements.latency(structure)}


def change(commit: Commit) -> None:
    if commit.revision != state.revision:  # a button came with it, which its board had not seen
        return
    state.update(budget=commit.budget(structure), locked=commit.locked, blocks=commit.blocks, commit=commit)
    state.commits += 1


def ask(what: str) -> None:
    state.asked = what


def preset(ratio: float) -> None:
    state.budget = dict.fromkeys(scores.groups, ratio)
    state.revision += 1


def with_sliders() -> dict[str, int]:
    return {name: st.slider(name, 0, units - 1, key=f"units {name}") for name, units in structure.full.items()}


state, query = st.session_state, st.query_params
st.set_page_config(layout="wide")
asked = query.get("model", "demo:resnet20-digits"), int(query.get("many", "0"))
structure, scores, shares = subject(*asked)
extra = measured(*asked) if "measured" in query else {}
removed = with_sliders() if "sliders" in query else with_board()
lost = {name: tuple(range(count)) for name, count in removed.items()}
cost = Plan("", lost, state.get("blocks", ())).cost(structure)
commit = state.get("commit")
told = {
    "commits": state.get("commits", 0),
    "revision": state.get("revision", 0),
    "removed": {name: count for name, count in removed.items() if count},
    "locked": list(state.get("locked", ())),
    "blocks": list(state.get("blocks", ())),
    "asked": state.get("asked"),
    "selected": commit.selected if commit else None,
    "inspect": commit.inspect if commit else None,
    "params": cost.params,
    "macs": cost.macs,
}
st.text(json.dumps(told))
