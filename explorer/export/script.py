"""Writes load.py: a script that rebuilds one cut model with torch and safetensors alone."""

import ast
import inspect
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from torch import nn

from explorer.export import own_factory
from explorer.plain import visible
from explorer.sources.networks import attention, shuffle, stems, windows, zoo
from explorer.sources.networks.detectors import Detector
from explorer.sources.networks.hub_models import EXPERTS, HEADS
from explorer.sources.networks.segmenters import MainOutput
from explorer.sources.networks.stems import with_stem
from explorer.sources.own import OneTensor
from explorer.sources.own_networks import FAMILY
from explorer.structure import adapt
from explorer.syntax import tree_of
from explorer.version import __version__

adapting = sys.modules[adapt.__module__]

HEAD = '''"""{title}

Rebuilds the network from weights.safetensors beside this file; needs {packages}.

    python load.py                          says what was loaded
    >>> from load import load
    >>> logits = load()({inputs} → {outputs}

Written by Pruning Explorer {version}. The code below `load` is its own, copied so that this file stands alone.
"""
'''

BODY = '''INPUT_SHAPE = {input_shape}

# What the weights' shapes don't tell: attributes of layers.
ATTRIBUTES = {attributes}


def load(directory: str | Path = Path(__file__).parent) -> nn.Module:
    """The network with its weights, in evaluation mode, on the CPU."""
    model = {build}
    adapt(model, load_file(Path(directory) / "weights.safetensors"), ATTRIBUTES)
    return model.eval()
'''

TAIL = """if __name__ == "__main__":
    network = load()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    with torch.inference_mode():
        outputs = network({example})
    print(f"{parameters:,} parameters; {INPUT_SHAPE} gives {tuple(outputs.shape[1:])}")
"""

OWN_TAIL = """if __name__ == "__main__":
    print(f"{sum(parameter.numel() for parameter in load().parameters()):,} parameters")
"""

OWN_IMPORTS = """
from pathlib import Path
import torch
from torch import nn
from safetensors.torch import load_file
"""


_REPLACEMENTS = [
    (attention, "replace_attention", attention.SelfAttention),
    (windows, "replace_windows", windows.CuttableWindows, windows.CuttablePartitions),
    (shuffle, "replace_shuffles", shuffle.CuttableShuffle),
]


def loader_script(
    module: nn.Module,
    *,
    architecture: dict[str, Any],
    attributes: dict[str, dict[str, Any]],
    input_shape: tuple[int, ...],
    classes: int,
    title: str,
    outputs: str = "",
    own: bool = False,
) -> str:
    """The text of load.py for a cut module.

    Args:
        module: the cut network; only asked which layers it has.
        architecture: ``{"family", "name", "arguments"}``, as `explorer.sources.build` takes it.
        attributes: ``{layer: {attribute: value}}``, plain values that no tensor's shape tells.
        classes: the number of outputs.
        outputs: their shape in words, if it is another than (batch, classes).
        own: whether inputs are neither pictures nor texts.
    """
    imports, build, wanted = _building(module, architecture)
    code, used = _copied([(adapting, ["adapt"]), *wanted])
    lines = used | _imports(tree_of(OWN_IMPORTS + imports).body)
    own, pictures = own or isinstance(module, OneTensor), len(input_shape) == 3
    shown = "your own inputs)" if own else f"{'images' if pictures else 'token_ids'})"
    head = HEAD.format(
        title=visible(title).strip().replace("\\", " ").replace('"""', "'''"),
        packages=_packages(imports),
        inputs=f"{shown:<24}({', '.join(['batch', *map(str, input_shape)])})",
        outputs=outputs or f"(batch, {classes})",
        version=__version__,
    )
    body = BODY.format(input_shape=repr(tuple(input_shape)), attributes=_literal(attributes), build=build)
    sample = "torch.zeros(1, *INPUT_SHAPE)" if pictures else "torch.ones(1, *INPUT_SHAPE, dtype=torch.int64)"
    tail = OWN_TAIL if own else TAIL.replace("{example}", sample)
    return "\n".join([head, _import_block(lines), body]) + "\n\n" + "\n\n\n".join([*code, tail])


def _packages(imports: str) -> str:
    """What the script needs, for a person."""
    names = ["torch", *(name for name in ("torchvision", "transformers", "timm") if name in imports), "safetensors"]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _building(module: nn.Module, architecture: dict[str, Any]) -> tuple[str, str, list[tuple[ModuleType, list[str]]]]:
    """Imports beyond the usual, the expression that builds the uncut network, and the definitions it needs."""
    name, arguments = architecture["name"], dict(architecture["arguments"])
    if architecture["family"] == FAMILY:
        maker, chosen = own_factory.made_by.__name__, (arguments["code"]["file"], name, arguments["options"])
        return "", f"{maker}({', '.join(map(_literal, chosen))})", [(own_factory, [maker])]
    stem = arguments.pop("stem", None)
    keywords = [f"{key}={_literal(value)}" for key, value in arguments.items()]
    if architecture["family"] == "demo":
        kind = zoo.ZOO[name].__name__
        return "", f"{kind}({', '.join(keywords)})", [(zoo, [kind])]
    if architecture["family"] == "huggingface":
        head, config = HEADS[name], dict(arguments["config"])
        made = f"AutoConfig.for_model({_literal(config.pop('model_type'))}, **{_literal(config, 4)})"
        options = "".join(f", {key}={_literal(value)}" for key, value in EXPERTS.items())
        build = f"{head.wrapper.__name__}({head.auto_class}.from_config({made}{options}))"
        wanted = [(sys.modules[head.wrapper.__module__], [head.wrapper.__name__])]
        return f"from transformers import AutoConfig, {head.auto_class}", build, wanted
    if architecture["family"] == "timm":
        return "import timm", f"timm.create_model({', '.join([_literal(name), *keywords])})", []
    wanted = []
    if isinstance(module, MainOutput | Detector):
        keywords.insert(0, "weights_backbone=None")
        wanted.append((sys.modules[type(module).__module__], [type(module).__name__]))
    call = f"models.get_model({', '.join([_literal(name), 'weights=None', *keywords])})"
    if wanted:
        call = f"{type(module).__name__}(\n        {call}\n    )"
    for source, replace, *kinds in _REPLACEMENTS:
        if any(isinstance(part, tuple(kinds)) for part in module.modules()):
            call = f"{replace}({call})"
            wanted.append((source, [replace]))
    if stem is not None:
        sizes = (f"{key}={_literal(value)}" for key, value in stem.items())
        call = f"{with_stem.__name__}({', '.join([call, *sizes])})"
        wanted.append((stems, [with_stem.__name__]))
    return "from torchvision import models", call, wanted


def _copied(wanted: Iterable[tuple[ModuleType, list[str]]]) -> tuple[list[str], set[tuple[str, str, str]]]:
    """Source of the named definitions with all that they use in their modules, and the imports that these need.

    Raises:
        ValueError: two modules define the same name, or one needs this program.
    """
    code, imports, owners = [], set(), {}
    for module, names in wanted:
        source = inspect.getsource(module)
        tree = tree_of(source)
        kept = _reachable(tree, names)
        for name in (name for node in kept for name in _defined(node)):
            if owners.setdefault(name, module) is not module:
                raise ValueError(f"both {owners[name].__name__} and {module.__name__} define {name}")
        used = set().union(*map(_names, kept))
        imports |= {entry for entry in _imports(tree.body) if (entry[2] or entry[1] or entry[0]).split(".")[0] in used}
        code += _segments(source, tree, kept)
    if any(entry[0].split(".")[0] == "explorer" for entry in imports):
        raise ValueError("load.py can't copy code that imports this program")
    return code, imports


def _reachable(tree: ast.Module, names: list[str]) -> list[ast.stmt]:
    """The top-level definitions that `names` need, in their order."""
    by_name = {name: node for node in tree.body for name in _defined(node)}
    queue, kept = list(names), []
    while queue:
        node = by_name[queue.pop()]
        if node not in kept:
            kept.append(node)
            queue += [name for name in _names(node) if name in by_name]
    return [node for node in tree.body if node in kept]


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _segments(source: str, tree: ast.Module, kept: list[ast.stmt]) -> list[str]:
    """The text of each kept statement, with its decorators and the comment above it."""
    lines, ends = source.splitlines(), [0, *(node.end_lineno for node in tree.body)]
    return [
        "\n".join(lines[start : node.end_lineno]).strip("\n")
        for node, start in zip(tree.body, ends, strict=False)
        if node in kept
    ]


def _imports(body: list[ast.stmt]) -> set[tuple[str, str, str]]:
    """``(module, name, alias)`` of every import statement; no name for ``import module``."""
    found = set()
    for node in body:
        if isinstance(node, ast.Import):
            found |= {(item.name, "", item.asname or "") for item in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module, item.name, item.asname or "") for item in node.names}
    return found


def _import_block(entries: set[tuple[str, str, str]]) -> str:
    """Import statements, each module once, standard library first."""
    statements: dict[bool, list[tuple[bool, str, str]]] = {}
    for module in {module for module, _, _ in entries}:
        foreign = module.split(".")[0] not in sys.stdlib_module_names
        section = statements.setdefault(foreign, [])
        own = [(name, alias) for origin, name, alias in entries if origin == module]
        section += [(False, module, f"import {_aliased(module, alias)}") for name, alias in own if not name]
        members = sorted((item for item in own if item[0]), key=lambda item: (item[0][0].islower(), item[0]))
        if members:
            section.append((True, module, f"from {module} import {', '.join(_aliased(*item) for item in members)}"))
    return "\n\n".join("\n".join(line for *_, line in sorted(statements[key])) for key in sorted(statements)) + "\n"


def _aliased(name: str, alias: str) -> str:
    return f"{name} as {alias}" if alias else name


def _literal(value: Any, indent: int = 0) -> str:
    """Python source of a plain value, dictionaries one entry a line."""
    if isinstance(value, dict) and value:
        inner = " " * (indent + 4)
        entries = [f"{inner}{_literal(key)}: {_literal(item, indent + 4)},\n" for key, item in value.items()]
        return "{\n" + "".join(entries) + " " * indent + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_literal(item, indent) for item in value) + "]"
    if isinstance(value, str):
        return '"' + value.encode("unicode_escape").decode().replace('"', '\\"') + '"'
    return repr(value)
