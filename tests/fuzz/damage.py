"""A folder full of files as they should not be, and the references and paths that name them."""

import io
import json
import os
import struct
import warnings
import zipfile
import zlib
from pathlib import Path

import safetensors.torch
import torch

DEEP = 100_000  # lists within one another


def make(root: Path) -> None:
    """Fills `root`, an empty folder; everything in it is deterministic and below a few megabytes."""
    torch.manual_seed(0)
    with warnings.catch_warnings(action="ignore"):  # kinds of tensors that torch has only on trial
        for maker in (_texts, _weights, _pictures, _tables, _runs, _hub, _special):
            maker(root)


def paths(root: Path) -> list[str]:
    """Everything that was made, and some that was not, as a person would type it."""
    found = sorted(str(path) for path in root.rglob("*"))
    return [
        *found,
        str(root),
        f"{root}/absent",
        f"{root}/deep.json/inside",
        f"{root}/../..",
        "/",
        "/dev/null",
        "/proc/1",
    ]


def model_refs(root: Path) -> list[str]:
    files = [f"file:{root}/weights/{name}#torchvision:resnet18?num_classes=10" for name in os.listdir(root / "weights")]
    runs = [f"run:{root}/runs/{name}" for name in os.listdir(root / "runs")]
    folders = [f"hf:{root}/hub/{name}" for name in os.listdir(root / "hub")]
    return sorted([*files, *runs, *folders])


def data_refs(root: Path) -> list[str]:
    folders = [f"folder:{root}/{kind}/{name}" for kind in ("data", "tables") for name in os.listdir(root / kind)]
    return sorted([*folders, *(ref.replace("folder:", "hf:", 1) for ref in folders)])


def _texts(root: Path) -> None:
    contents = {
        "deep.json": "[" * DEEP,
        "deep_object.json": '{"a":' * DEEP + "1" + "}" * DEEP,
        "list.json": "[1, 2]",
        "number.json": "1e999",
        "huge_number.json": '{"remove": {"conv1": [' + "9" * 5000 + "]}}",
        "empty.json": "",
        "nan.json": '{"base": NaN, "remove": {"conv1": [NaN]}}',
        "types.json": json.dumps({"base": 5, "remove": ["x"], "blocks": {"a": 1}}),
        "negative.json": json.dumps({"base": "demo:resnet20-digits", "remove": {"conv1": [-1, 10**9]}}),
        "other.json": json.dumps({"base": "demo:resnet20-digits", "remove": {"conv1": 5}}),
    }
    for name, text in contents.items():
        (root / name).write_text(text)
    (root / "latin.json").write_bytes(b'{"base": "\xff\xfe"}')
    (root / "zeros.json").write_bytes(bytes(1000))


def _weights(root: Path) -> None:
    folder = root / "weights"
    folder.mkdir()
    ones = torch.ones(64, 3, 7, 7)
    contents = {
        "none": {"conv1.weight": None},
        "whole": {"conv1.weight": 5},
        "listed": [ones],
        "nested": {"a": {"b": {"c": ones}}},
        "deep": _nested(200),
        "integer_keys": {1: ones, None: ones},
        "tuple_keys": {("a", "b"): ones},
        "empty": {},
        "scalar": ones,
        "meta": {"conv1.weight": torch.empty(64, 3, 7, 7, device="meta")},
        "sparse": {"conv1.weight": ones.to_sparse()},
        "csr": {"conv1.weight": torch.eye(64).to_sparse_csr()},
        "quantised": {"conv1.weight": torch.quantize_per_tensor(ones, 0.1, 0, torch.qint8)},
        "complex": {"conv1.weight": ones.to(torch.complex64)},
        "double": {"conv1.weight": ones.double()},
        "half_integers": {"conv1.weight": ones.to(torch.int8)},
        "nan": {"conv1.weight": ones * float("nan")},
        "nothing": {"conv1.weight": torch.empty(0)},
        "no_dimension": {"conv1.weight": torch.tensor(1.0)},
        "expanded": {"conv1.weight": torch.ones(1).expand(2**40)},
        "wrapped": {"state_dict": {"model": {"state_dict": {"conv1.weight": ones}}}},
        "text": {"state_dict": "conv1.weight"},
        "nested_tensor": {"conv1.weight": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])},
    }
    for name, content in contents.items():
        torch.save(content, folder / f"{name}.pth")
    torch.save({"conv1.weight": ones}, folder / "old.pth", _use_new_zipfile_serialization=False)
    whole = (folder / "double.pth").read_bytes()
    (folder / "half.pth").write_bytes(whole[: len(whole) // 2])
    (folder / "text.safetensors").write_text("no weights")
    (folder / "zeros.pth").write_bytes(bytes(64))
    (folder / "nothing.pt").write_bytes(b"")
    (folder / "suffix.bin").write_bytes(whole)
    (folder / "folder.pth").mkdir()
    (folder / "pickle.pth").write_bytes(b"\x80\x02c" + b"os\nsystem\nX\x04\x00\x00\x00true\x85R.")
    _deflated(folder / "bomb.pth", 2**30)
    safetensors.torch.save_file({"conv1.weight": ones}, folder / "good.safetensors")
    good = (folder / "good.safetensors").read_bytes()
    (folder / "torn.safetensors").write_bytes(good[:200])
    (folder / "long_header.safetensors").write_bytes(struct.pack("<Q", 2**62) + good[8:])
    header = json.dumps({"conv1.weight": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    (folder / "lying.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)


def _nested(depth: int) -> dict:
    found: dict = {"conv1.weight": torch.ones(1)}
    for _ in range(depth):
        found = {"state_dict": found}
    return found


def _deflated(path: Path, size: int) -> None:
    """A state dict whose one tensor is zeros, deflated: a megabyte that unfolds to `size` bytes."""
    memory = io.BytesIO()
    torch.save({"conv1.weight": torch.zeros(256)}, memory)
    with zipfile.ZipFile(memory) as small, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as large:
        for entry in small.namelist():
            if entry.endswith("/data/0"):
                with large.open(entry, "w", force_zip64=True) as file:
                    for _ in range(size // 2**20):
                        file.write(bytes(2**20))
            else:
                large.writestr(entry, small.read(entry))


def _png(width: int, height: int) -> bytes:
    """A grey picture that says how large it is and holds nothing."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    chunks = [header, b"IDAT" + body, b"IEND"]
    framed = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def _pictures(root: Path) -> None:
    data = root / "data"
    bad = {
        "huge": _png(30_000, 30_000),
        "wide": _png(2**31 - 1, 1),
        "torn": _png(8, 8)[:40],
        "text": b"no picture",
        "empty": b"",
        "none": _png(0, 0),
    }
    for name, content in bad.items():
        for split in ("train", "test"):
            for label in ("cats", "dogs"):
                folder = data / name / split / label
                folder.mkdir(parents=True)
                for number in range(8):
                    (folder / f"{number}.png").write_bytes(content)
    for name in ("nothing", "one_class/only", "deep/a/b/c/d"):
        (data / name).mkdir(parents=True)
    (data / "one_class" / "only" / "1.png").write_bytes(_png(4, 4))
    (data / "masks" / "images").mkdir(parents=True)
    (data / "masks" / "masks").mkdir()
    (data / "masks" / "classes.txt").write_bytes(b"\xff\xfe\x00")
    for number in range(12):
        (data / "masks" / "images" / f"{number}.png").write_bytes(_png(8, 8))
        (data / "masks" / "masks" / f"{number}.png").write_bytes(_png(30_000, 30_000))
    annotations = {
        "boxes_deep": "[" * DEEP,
        "boxes_types": json.dumps({"images": 5, "annotations": [None], "categories": {}}),
        "boxes_empty": json.dumps({"images": [], "annotations": [], "categories": []}),
        "boxes_outside": json.dumps(
            {
                "images": [{"id": n, "file_name": "../../deep.json", "width": 8, "height": 8} for n in range(12)],
                "annotations": [{"id": n, "image_id": n, "category_id": 1, "bbox": [0, 0, 4, 4]} for n in range(12)],
                "categories": [{"id": 1, "name": "cat"}],
            }
        ),
        "boxes_numbers": json.dumps(
            {
                "images": [{"id": n, "file_name": f"{n}.png", "width": 0, "height": -1} for n in range(12)],
                "annotations": [{"id": n, "image_id": n, "category_id": 1, "bbox": ["a", None]} for n in range(12)],
                "categories": [{"id": "x", "name": None}],
            }
        ),
    }
    for name, text in annotations.items():
        (data / name).mkdir()
        (data / name / "annotations.json").write_text(text)


def _tables(root: Path) -> None:
    folder = root / "tables"
    row = '{"text": "good film", "label": %s}\n'
    labels = {
        "null": "null",
        "nan": "NaN",
        "infinite": "Infinity",
        "huge": "1e999",
        "digits": "9" * 5000,
        "list": "[1]",
        "object": '{"a": 1}',
        "bool": "true",
        "empty": '""',
        "negative": "-1",
        "mixed": '"1"',
    }
    contents = {name: (row % '"a"') * 8 + (row % label) * 8 for name, label in labels.items()}
    contents |= {
        "no_columns": '{"x": 1}\n' * 20,
        "lists": "[1, 2]\n" * 20,
        "deep": "[" * DEEP + "\n",
        "torn": (row % '"a"') * 8 + '{"text": "b',
        "nothing": "",
        "text_is_number": '{"text": 5, "label": "a"}\n{"text": null, "label": "b"}\n' * 8,
    }
    for name, text in contents.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "train.jsonl").write_text(text)
    tables = {
        "ragged": b"text,label\na,b,c,d\nx\n" * 20,
        "latin": b"text,label\n" + b"\xff\xfe,a\n" * 20,
        "zeros": bytes(500),
        "header": b"text,label\n",
        "same_names": b"text,text,label,label\n" + b"a,b,c,d\n" * 20,
        "long_field": b"text,label\n" + b"x" * 200_000 + b",a\n" + b"y,b\n" * 20,
        "quotes": b'text,label\n"never closed,a\n' * 20,
    }
    for name, content in tables.items():
        (folder / name).mkdir()
        (folder / name / "train.csv").write_bytes(content)


def _runs(root: Path) -> None:
    folder = root / "runs"
    reports = {
        "deep": "[" * DEEP,
        "list": "[]",
        "nothing": "{}",
        "types": json.dumps(dict.fromkeys(("base", "as_cut", "pruned", "spec", "steps", "groups"), 5)),
        "nulls": json.dumps(dict.fromkeys(("base", "as_cut", "pruned", "spec", "steps", "groups", "out"))),
        "zeros": json.dumps(
            {
                **{key: {"params": 0, "macs": 0, "top1": 0, "metric": "top1"} for key in ("base", "as_cut", "pruned")},
                "spec": {"model": "demo:resnet20-digits", "data": "digits", "method": "one-shot"},
                "groups": [{"name": "conv1", "size": 0, "kept": 0}],
            }
        ),
        "numbers": json.dumps({"base": {"params": 10**18, "macs": -5, "metric": "nonsense"}, "pruned": {}}),
    }
    for name, text in reports.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "report.json").write_text(text)
        (folder / name / "plan.json").write_text(text)
        (folder / name / "job.json").write_text(text)
    (folder / "latin").mkdir()
    (folder / "latin" / "report.json").write_bytes(b"\xff" * 100)
    (folder / "pipe").mkdir()
    os.mkfifo(folder / "pipe" / "report.json")
    (folder / "folder" / "report.json").mkdir(parents=True)


def _hub(root: Path) -> None:
    configs = {
        "deep": "[" * DEEP,
        "nothing": "{}",
        "unknown": json.dumps({"model_type": "no such family"}),
        "types": json.dumps({"model_type": "bert", "hidden_size": "many", "num_hidden_layers": None}),
        "negative": json.dumps({"model_type": "bert", "hidden_size": -8, "num_attention_heads": 0}),
        "huge": json.dumps({"model_type": "bert", "hidden_size": 10**7, "num_hidden_layers": 10**6}),
        "code": json.dumps({"model_type": "bert", "auto_map": {"AutoModel": "run_me.Model"}}),
        "uneven": json.dumps({"model_type": "vit", "hidden_size": 7, "num_attention_heads": 3, "image_size": 0}),
    }
    for name, text in configs.items():
        folder = root / "hub" / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(text)
        (folder / "run_me.py").write_text("raise SystemExit('executed')")


def _special(root: Path) -> None:
    os.mkfifo(root / "pipe.json")
    (root / "loop").symlink_to(root / "loop")
    (root / "dangling").symlink_to(root / "gone")
    (root / "out.partial").mkdir()
    (root / "out.partial" / "thesis.txt").write_text("mine")
    (root / "linked.partial").symlink_to(root / "out.partial")
    (root / "full").mkdir()
    (root / "full" / "thesis.txt").write_text("mine")
    (root / "linked").symlink_to(root / "full")
