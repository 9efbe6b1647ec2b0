"""Runs a bundle's load.py where Pruning Explorer can't be imported.

    python -I alone.py INPUTS OUTPUTS THREADS     (in the bundle's folder)

Reads tensors from the safetensors file INPUTS and writes the network's logits for each to OUTPUTS. The inputs of a
network that takes several are called ``NAME/0``, ``NAME/1``, or ``NAME/=ARGUMENT``, and so are outputs: by their
places. Executed as a process of its own by `explorer.export.verify`; nothing imports it.
"""

import importlib.util
import sys

import torch
from safetensors.torch import load_file, save_file
from torch.utils._pytree import tree_flatten


def main(inputs: str, outputs: str, threads: str) -> None:
    sys.modules["explorer"] = None  # an import of it fails, even where it is installed
    torch.set_num_threads(int(threads))
    spec = importlib.util.spec_from_file_location("load", "load.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    model = script.load()
    calls = {}
    for name, tensor in load_file(inputs).items():
        call, _, place = name.partition("/")
        calls.setdefault(call, {})[place] = tensor
    answers = {}
    with torch.inference_mode():
        for call, given in calls.items():
            named = {place[1:]: tensor for place, tensor in given.items() if place.startswith("=")}
            places = [] if named else sorted(given, key=int)
            out = model(*(given[place] for place in places), **named)
            leaves = [leaf for leaf in tree_flatten(out)[0] if isinstance(leaf, torch.Tensor)]
            answers |= {f"{call}/{place}": leaf.contiguous() for place, leaf in enumerate(leaves)}
    save_file(answers, outputs)


if __name__ == "__main__":
    main(*sys.argv[1:])
