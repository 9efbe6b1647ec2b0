"""Names for runs that nobody has named: two short words, easy to say and to tell apart, the same for the same id."""

import hashlib
from collections.abc import Collection

_QUALITIES = (
    *("agile", "amber", "ample", "azure", "bold", "brave", "brief", "bright", "brisk", "calm", "candid", "clear"),
    *("clever", "cosy", "crisp", "curious", "daring", "deft", "eager", "early", "earnest", "easy", "even", "fair"),
    *("famous", "fine", "firm", "fleet", "fond", "frank", "fresh", "gentle", "glad", "golden", "grand", "handy"),
    *("happy", "hardy", "honest", "humble", "jolly", "keen", "kind", "lean", "light", "lively", "lucid", "lucky"),
    *("mellow", "merry", "mild", "misty", "modest", "neat", "nimble", "noble", "novel", "patient", "placid", "plain"),
    *("polite", "proud", "prudent", "quick", "quiet", "rapid", "ready", "regal", "rosy", "rural", "sage", "serene"),
    *("sharp", "shiny", "silent", "simple", "sleek", "slim", "smart", "smooth", "snug", "sober", "solid", "sound"),
    *("spry", "stable", "steady", "stout", "sunny", "sure", "swift", "tidy", "trim", "true", "vivid", "warm"),
)
_THINGS = (
    *("acorn", "alder", "arrow", "aspen", "badger", "bamboo", "basil", "beacon", "beaver", "birch", "bison", "breeze"),
    *("brook", "canyon", "cedar", "cherry", "clover", "comet", "condor", "coral", "crane", "creek", "cypress", "daisy"),
    *("delta", "dove", "dune", "eagle", "ember", "falcon", "fern", "finch", "fjord", "forest", "fox", "garnet"),
    *("gecko", "glacier", "grove", "gull", "harbour", "hare", "hawk", "hazel", "heron", "ibex", "iris", "island"),
    *("ivy", "jasmine", "juniper", "kestrel", "lagoon", "lake", "larch", "lark", "laurel", "lemon", "lily", "linden"),
    *("lotus", "lynx", "maple", "marten", "meadow", "mesa", "moss", "oak", "olive", "orchid", "otter", "owl"),
    *("pebble", "pine", "plover", "poplar", "poppy", "prairie", "quail", "raven", "reef", "ridge", "river", "robin"),
    *("salmon", "sparrow", "spruce", "summit", "swan", "thistle", "tulip", "valley", "walnut", "willow", "wren", "yew"),
)
_TRIES = 64


def given_name(id: str, taken: Collection[str] = ()) -> str:
    """The name of the run `id`, such as ``calm-heron``; another one where it is taken."""
    for attempt in range(_TRIES):
        digest = hashlib.sha256(f"{id} {attempt}".encode()).digest()
        first, second = (int.from_bytes(digest[place : place + 4], "big") for place in (0, 4))
        name = f"{_QUALITIES[first % len(_QUALITIES)]}-{_THINGS[second % len(_THINGS)]}"
        if name not in taken:
            return name
    return f"{name}-{id[:6]}"
