"""``python -m tests.fuzz --lines 1000 --seed 0``: bad command lines over all verbs, and how they ended."""

import argparse
import collections
import json
import sys
import tempfile
from pathlib import Path

from . import damage
from .lines import bad_lines
from .running import BOUND, Running
from .warm import warm_up


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--lines", type=int, default=1000, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--from", dest="start", type=int, default=0, metavar="N", help="leave out the first N")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="where each fault is written, a JSON object a line")
    options = parser.parse_args()
    warm_up()
    codes: collections.Counter[str] = collections.Counter()
    kinds: collections.Counter[str] = collections.Counter()
    peak, bad = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        running = Running(Path(folder), damage.make)
        for number, line in enumerate(bad_lines(running.root, options.lines, options.seed)):
            if number < options.start:
                continue
            ended = running.run(line)
            codes["still at work" if ended.late else f"exit {ended.code}"] += 1
            peak = max(peak, ended.peak)
            if ended.late:
                print(f"{number}: still at work after {ended.seconds:.0f} s\n  {line!r}", flush=True)
            if ended.faults:
                bad += 1
                kinds.update(fault.partition(":")[0] for fault in ended.faults)
                print(f"{number}: {'; '.join(ended.faults)}\n  {line!r}\n  {ended.errors[-600:]}", flush=True)
                if options.faults:
                    with options.faults.open("a") as file:
                        file.write(json.dumps(ended.to_json()) + "\n")
    print(f"{sum(codes.values())} lines: {dict(codes)}; {bad} with a fault {dict(kinds)}")
    print(f"most memory {peak / 2**20:.0f} MB, of {BOUND / 2**20:.0f} MB")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
