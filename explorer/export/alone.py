"""Runs a bundle's load.py where Pruning Explorer can't be imported.

    python -I alone.py INPUTS OUTPUTS THREADS     (in the bundle's folder)

Reads tensors from the safetensors file INPUTS and writes the network's logits for each to OUTPUTS. Executed as a
process of its own by `explorer.export.verify`; nothing imports it.
"""

import importlib.util
import sys

import torch
from safetensors.torch import load_file, save_file


def main(inputs: str, outputs: str, threads: str) -> None:
    sys.modules["explorer"] = None  # an import of it fails, even where it is installed
    torch.set_num_threads(int(threads))
    spec = importlib.util.spec_from_file_location("load", "load.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    model = script.load()
    with torch.inference_mode():
        logits = {name: model(batch).contiguous() for name, batch in load_file(inputs).items()}
    save_file(logits, outputs)


if __name__ == "__main__":
    main(*sys.argv[1:])
