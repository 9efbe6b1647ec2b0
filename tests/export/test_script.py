"""The generated load.py: readable, self-contained, right for every family."""

import ast
import subprocess
import sys
from functools import cache
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file

from explorer.export import loader_script
from explorer.export.script import _copied, _import_block, _literal
from explorer.pruning import CutModel, Plan, cut
from explorer.sources import build
from explorer.structure import analyse

STEM = {"channels": 1, "small": True}
CASES = {
    "resnet20": ({"family": "demo", "name": "resnet20", "arguments": {"classes": 10, "channels": 1}}, (1, 32, 32)),
    "vgg": ({"family": "demo", "name": "vgg", "arguments": {"classes": 4, "channels": 3}}, (3, 32, 32)),
    "vit": ({"family": "demo", "name": "vit", "arguments": {"classes": 10, "channels": 3}}, (3, 32, 32)),
    "mobilenet": (
        {"family": "torchvision", "name": "mobilenet_v3_small", "arguments": {"num_classes": 6}},
        (3, 64, 64),
    ),
    "vit_b_32": (
        {"family": "torchvision", "name": "vit_b_32", "arguments": {"num_classes": 6, "image_size": 64}},
        (3, 64, 64),
    ),
    "swin": ({"family": "torchvision", "name": "swin_t", "arguments": {"num_classes": 6}}, (3, 96, 96)),
    "shufflenet": (
        {"family": "torchvision", "name": "shufflenet_v2_x0_5", "arguments": {"num_classes": 6}},
        (3, 64, 64),
    ),
    "small resnet": (
        {
            "family": "torchvision",
            "name": "resnet18",
            "arguments": {"num_classes": 6, "stem": {"channels": 1, "small": True}},
        },
        (1, 32, 32),
    ),
    "timm": (
        {"family": "timm", "name": "test_vit", "arguments": {"num_classes": 6, "in_chans": 1, "img_size": [64, 64]}},
        (1, 64, 64),
    ),
    "lraspp": (
        {"family": "torchvision", "name": "lraspp_mobilenet_v3_large", "arguments": {"num_classes": 6}},
        (3, 64, 64),
    ),
    "ssdlite": (
        {"family": "torchvision", "name": "ssdlite320_mobilenet_v3_large", "arguments": {"num_classes": 6}},
        (3, 160, 160),
    ),
}


@cache
def smaller(name: str) -> CutModel:
    """The network without a quarter of every group, and without its last residual block."""
    architecture, shape = CASES[name]
    module, example = build(architecture), torch.zeros(1, *shape)
    structure = analyse(module, example)
    remove = {name: tuple(range(group.units // 4)) for name, group in structure.groups.items()}
    return cut(module, structure, Plan("test", remove, tuple(structure.blocks)[-1:]))


def script_of(name: str, title: str = "A network") -> tuple[str, torch.nn.Module]:
    architecture, shape = CASES[name]
    made = smaller(name)
    text = loader_script(
        made.module,
        architecture=architecture,
        attributes=made.attributes,
        input_shape=shape,
        classes=6,
        title=title,
    )
    return text, made.module


@pytest.mark.parametrize("name", CASES)
def test_it_rebuilds_the_cut_network(name, tmp_path):
    text, module = script_of(name)
    save_file(module.state_dict(), tmp_path / "weights.safetensors")
    script = ModuleType("load")
    script.__file__ = str(tmp_path / "load.py")
    exec(compile(text, script.__file__, "exec"), script.__dict__)
    images = torch.randn(3, *CASES[name][1])
    with torch.inference_mode():
        assert torch.equal(script.load(tmp_path)(images), module(images))


@pytest.mark.parametrize("name", CASES)
def test_it_imports_little_and_defines_nothing_twice_or_in_vain(name):
    text, _ = script_of(name)
    tree = ast.parse(text)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    roots = {alias.name.split(".")[0] for node in imports if isinstance(node, ast.Import) for alias in node.names}
    roots |= {node.module.split(".")[0] for node in imports if isinstance(node, ast.ImportFrom)}
    family = CASES[name][0]["family"]
    assert roots - sys.stdlib_module_names <= {"torch", "safetensors", *([family] if family != "demo" else [])}
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    assert len(defined) == len(set(defined))
    assert all(text.count(word) > 1 for word in defined)
    assert ("VGG" in defined) == (name == "vgg")
    assert ("SelfAttention" in defined) == (name == "vit_b_32")


def test_it_passes_the_linter(tmp_path):
    for name in CASES:
        (tmp_path / f"{name}.py").write_text(script_of(name)[0])
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length=120", "--select=E,F,I,B,UP,SIM"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("title", ['"""\nimport os', "back\\slash \\N{", 'ends with quote"', "Ünïcode ✓"])
def test_a_title_can_not_become_code(title):
    tree = ast.parse(script_of("vit", title)[0])
    assert isinstance(tree.body[0], ast.Expr)
    assert "os" not in {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}


@pytest.mark.parametrize(
    "value", [{}, {"a": {"b": 1, "c": None}}, [1, 2.5, True], "a\"b'c\\d\nü", {"": {"hidden_dim": 538}}, -1e-7]
)
def test_literals_read_back(value):
    assert ast.literal_eval(_literal(value)) == value


def test_imports_are_merged_and_sorted():
    entries = {
        ("torch", "nn", ""),
        ("torch", "Tensor", ""),
        ("torch", "", ""),
        ("torch.nn.functional", "", "F"),
        ("pathlib", "Path", ""),
    }
    assert _import_block(entries) == (
        "from pathlib import Path\n\nimport torch\nimport torch.nn.functional as F\nfrom torch import Tensor, nn\n"
    )


def test_code_that_needs_this_program_is_not_copied():
    from explorer.evaluation import latency

    with pytest.raises(ValueError, match="imports this program"):
        _copied([(sys.modules[latency.__module__], ["latency"])])
