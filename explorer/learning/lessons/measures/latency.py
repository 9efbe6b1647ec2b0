"""How long the cut network takes."""

from explorer.learning.lessons.measuring import About, Measured, measure


@measure(
    "latency",
    title="Latency against the whole network",
    explanation="The cut network's time as a share of the whole one's, both timed in turns on this machine.",
    rank=70,
)
def latency(about: About) -> Measured:
    found = about.bench.time(about.model, about.plan, about.measure.batch)
    said = (
        f"{found.ms:.3g} ms against {found.whole_ms:.3g} ms, batch {found.batch}, timed in turns {found.rounds} times"
    )
    return about.measured(100 * found.ratio, "%", low=100 * found.low, high=100 * found.high, about=said)
