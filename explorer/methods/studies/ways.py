"""The ways in which plans are proposed to a search for the best one, and what it tries by itself."""

TARGETS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)
"""What is kept of the cost, along the path."""
WAYS = {
    "uniform": "the same share of every group",
    "global": "the criterion's scores in one list",
    "closed-form": "knapsack over the error that least squares leave in every group's readers",
    "measured": "knapsack over the measured loss of every group after its readers' repair",
    "searched": "the same, the curves weighted so that whole plans lose less: each weighting is repaired and judged",
}
"""The ways in which plans are proposed, with what they are."""
SEARCHED = ("uniform", "global", "measured", "searched")
"""Those that a search tries by itself."""
TRIES = 4
"""Weightings that are tried for every target."""
PLAIN = ("uniform", "global")
"""Those that need nothing but a criterion's scores: every criterion that competes proposes by these."""
COMPETING = ("group-norm", "taylor-activation", "fvrcp")
"""Criteria whose plans compete with those of the asked one: magnitude, gradients, and what outputs vary with.

On letters and hard shapes no single one was best for every network, target and stage. Among these three always lay the
best of all that were tried, or one within a point of it (`bench rivals --small --tuned-seeds 0 --split validation`,
with more criteria by `--ours`).
"""
AFTER = {
    "repair": "the repair without training that the plan allows, which is least squares where it can be",
    "bn": "recalibration of the batch-norm statistics",
    "none": "nothing: as cut",
}
"""What a plan is judged after, with what that is."""
AFTERWARDS = {"repair": "repaired", "bn": "recalibrated", "none": "as cut"}
"""The network then, in a word."""
