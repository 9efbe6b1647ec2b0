"""Files that somebody made on purpose or by mistake: each is answered in one line, and none takes memory first."""

import json
import os
import pickle
import random
import shutil
import struct
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from explorer.errors import ExplorerError
from explorer.sources import build, load_model, load_task
from explorer.sources.networks.state_dicts import read_tensors
from explorer.sources.reading.picture_files import read_picture
from tests.hugging import BERT, SEGFORMER, save, text_folder

VIT = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96, "image_size": 32}
WEIGHT = torch.arange(12.0).reshape(3, 4)


def complaint(work, *arguments, **named) -> str:
    with pytest.raises(ExplorerError) as caught:
        work(*arguments, **named)
    message = str(caught.value)
    assert "\n" not in message
    return message


def answered(work, *arguments, **named) -> None:
    """That the work ends well, or with one line: both are right."""
    try:
        work(*arguments, **named)
    except ExplorerError as error:
        message = str(error)
    else:
        return
    assert "\n" not in message


@pytest.fixture(params=["zip", "legacy"])
def saved(request, tmp_path):
    """content → the path of what torch saves of it."""

    def write(content: object) -> Path:
        path = tmp_path / "weights.pth"
        torch.save(content, path, _use_new_zipfile_serialization=request.param == "zip")
        return path

    return write


def odd_tensors() -> dict[str, tuple[object, str]]:
    return {
        "none": (None, "is no tensor but NoneType"),
        "integer": (3, "is no tensor but int"),
        "list": ([WEIGHT], "is no tensor but list"),
        "meta": (WEIGHT.to("meta"), "without values"),
        "sparse": (WEIGHT.to_sparse(), "is sparse"),
        "csr": (WEIGHT.to_sparse_csr(), "is sparse"),
        "quantised": (torch.quantize_per_tensor(WEIGHT, 0.1, 0, torch.quint8), "is quantised"),
        "channels": (torch.quantize_per_channel(WEIGHT, torch.ones(3), torch.zeros(3), 0, torch.qint8), "is quantised"),
        "nested": (torch.nested.nested_tensor([WEIGHT, WEIGHT[:2]]), "is nested"),
    }


@pytest.mark.parametrize("kind", odd_tensors())
def test_odd_tensors(saved, kind):
    content, words = odd_tensors()[kind]
    assert words in complaint(read_tensors, saved({"weight": content, "bias": WEIGHT[0]}))


@pytest.mark.parametrize("key", [1, None, ("a", "b"), b"weight", 2.5, True])
def test_odd_names_of_tensors(saved, key):
    assert "is no name" in complaint(read_tensors, saved({key: WEIGHT}))


def test_dense_tensors_of_every_form_are_read(saved):
    forms = {
        "view": WEIGHT[1:],
        "turned": WEIGHT.t(),
        "expanded": torch.ones(1).expand(3, 5),
        "nothing": torch.zeros(0, 3),
        "number": torch.tensor(1.0),
        "half": WEIGHT.half(),
        "brain": WEIGHT.bfloat16(),
        "complex": WEIGHT.to(torch.complex64),
        "mask": WEIGHT > 3,
        "same": WEIGHT,
        "parameter": torch.nn.Parameter(WEIGHT),
    }
    other = {"epoch": 3, "best": None, "optimizer": {"lr": 0.1, "seen": {1, 2}}, "counts": Counter("abca"), "raw": b"x"}
    for content in (forms, {"state_dict": forms, **other}):
        found = read_tensors(saved(content))
        assert {name: tensor.tolist() for name, tensor in found.items()} == {n: t.tolist() for n, t in forms.items()}


def test_numbers_of_another_kind_are_not_copied_into_weights(tmp_path):
    state = build({"family": "demo", "name": "resnet20", "arguments": {"classes": 10, "channels": 1}}).state_dict()
    for dtype in (torch.complex64, torch.int8, torch.bool):
        save_file(state | {"fc.weight": state["fc.weight"].to(dtype)}, tmp_path / "odd.safetensors")
        words = complaint(load_model, f"file:{tmp_path / 'odd.safetensors'}#demo:resnet20-digits")
        assert "1 that are no floating-point numbers (fc.weight)" in words


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_without_a_number_are_said_at_opening(tmp_path, value):
    state = build({"family": "demo", "name": "resnet20", "arguments": {"classes": 10, "channels": 1}}).state_dict()
    state["fc.weight"][3, 2] = value
    save_file(state, tmp_path / "nan.safetensors")
    words = complaint(load_model, f"file:{tmp_path / 'nan.safetensors'}#demo:resnet20-digits")
    assert "hold NaN or infinity in 1 tensors (fc.weight" in words


def test_claimed_sizes_take_no_memory(saved, monkeypatch):
    monkeypatch.setattr(torch, "load", None)  # nothing of it is opened
    assert "of memory" in complaint(read_tensors, saved({"weight": torch.ones(1).expand(10**6, 10**6)}))
    monkeypatch.setenv("EXPLORER_MEMORY", "1M")
    assert "EXPLORER_MEMORY" in complaint(read_tensors, saved({"weight": torch.zeros(300_000)}))


def test_packed_archives_count_as_what_they_unpack_to(tmp_path, monkeypatch):
    torch.save({"weight": torch.zeros(500_000)}, tmp_path / "plain.pth")
    with (
        zipfile.ZipFile(tmp_path / "plain.pth") as plain,
        zipfile.ZipFile(tmp_path / "packed.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    assert (tmp_path / "packed.pth").stat().st_size < 20_000
    assert len(read_tensors(tmp_path / "packed.pth")["weight"]) == 500_000
    monkeypatch.setenv("EXPLORER_MEMORY", "2M")
    assert "3.82 MB" in complaint(read_tensors, tmp_path / "packed.pth")


def test_data_that_is_told_to_be_longer_than_it_is(tmp_path):
    told, claimed = b"K\x4d", b"J" + struct.pack("<i", 2**31 - 1)  # 77
    path = tmp_path / "weights.pth"
    torch.save({"weight": torch.zeros(77)}, path, _use_new_zipfile_serialization=False)
    legacy = path.read_bytes()
    torch.save({"weight": torch.zeros(77)}, path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    for change in (lambda content: content.replace(told, claimed), lambda content: content.replace(told, claimed, 1)):
        path.write_bytes(change(legacy))
        assert "is damaged" in complaint(read_tensors, path)
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in entries.items():
                archive.writestr(name, change(content) if name.endswith("data.pkl") else content)
        assert "is damaged" in complaint(read_tensors, path)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02}K\x01" + b"\x85" * 300_000 + b"K\x01s.",  # hashing so deep a tuple ends the process
        b"\x80\x02}r\xff\xff\xff\x7f.",  # a place in the memo that takes gigabytes
        b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
        b"\x80\x02ccollections\nCounter\n)R.",
        b"\x80\x02c__builtin__\neval\nX\x01\x00\x00\x001\x85R.",
        pickle.dumps({"a": [1] * 100}),
        b"",
        b"PK\x03\x04",
        bytes(range(256)) * 9,
    ],
    ids=["deep", "memo", "bytes", "count", "eval", "plain", "empty", "zip", "noise"],
)
def test_pickles_against_the_reader(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    assert any(words in complaint(read_tensors, path) for words in ("is damaged", "was not opened"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/data.pkl", content)
        archive.writestr("weights/version", "3\n")
    assert any(words in complaint(read_tensors, path) for words in ("is damaged", "was not opened", "no state dict"))


def test_a_pickle_before_an_archive_is_a_pickle(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"weight": WEIGHT}, path)
    path.write_bytes(b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R." + path.read_bytes())
    assert zipfile.is_zipfile(path)
    assert "without having content" in complaint(read_tensors, path)


def test_bytes_changed_anywhere(saved):
    generator = random.Random(0)
    path = saved({"a.weight": WEIGHT, "a.bias": WEIGHT[0], "state": {"b": WEIGHT}})
    whole = path.read_bytes()
    for _ in range(150):
        changed = bytearray(whole)
        for _ in range(generator.randint(1, 4)):
            changed[generator.randrange(len(changed))] = generator.randrange(256)
        end = generator.choice((len(changed), generator.randrange(len(changed))))
        path.write_bytes(bytes(changed[:end]))
        answered(read_tensors, path)


# ---- tables


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return load_model(f"hf:{text_folder(tmp_path_factory.mktemp('bert'), num_labels=2, **BERT)}").tokenizer


def lines(*labels: str) -> str:
    return "".join(f'{{"text": "it was", "label": {label}}}\n' for label in labels * 30)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.jsonl", lines("1", "NaN"), "no finite numbers"),
        ("x.jsonl", lines("1", "Infinity"), "no finite numbers"),
        ("x.jsonl", lines("0.5", "1e300"), "no finite numbers"),
        ("x.jsonl", lines("1", "9" * 400), "whole number"),
        ("x.jsonl", lines("[1, 2]", "[1]"), "neither a text nor a number"),
        ("x.jsonl", lines('{"a": 1}', "1"), "neither a text nor a number"),
        ("x.jsonl", lines("null", "1"), "rows without"),
        ("x.jsonl", lines(f'"{"y" * 9000}"', '"n"'), "more than 200 characters"),
        ("x.jsonl", '{"text": 5, "label": 1}\n{"text": [], "label": 0}\n', "rows without"),
        ("x.jsonl", "[" * 100_000, "nested"),
        ("x.jsonl", '{"a":' * 5000 + "1" + "}" * 5000, "nested"),
        ("x.jsonl", '{"text": [' + "[]," * 400_000, "more than 1,048,576 characters"),
        ("x.csv", "," * 2_000_000, "more than 1,048,576 characters"),
        ("x.jsonl", "[1]\n", "JSON object"),
        ("x.jsonl", "3\n", "JSON object"),
        ("x.jsonl", "\n\n", "no rows"),
        ("x.jsonl", '{"text": "a"\n', "damaged"),
        ("x.csv", "", "no rows"),
        ("x.csv", "text\nhello\n", "columns text"),
        ("x.csv", "text,label\na,1,2,3\n", "more fields"),
        ("x.csv", "text,text,label\na,b,1\n", "two columns of one name"),
        ("x.csv", "text,label\n,\n", "rows without"),
        ("x.csv", "text,label\n" + "x" * 200_000 + ",1\n", "field larger"),
        ("x.csv", 'text,label\n"never closed', "rows without"),
        ("x.csv", "text,label\n" + "a,1\na,0\n" * 100_001, "more than 200,000 rows"),
        ("x.csv", "\udcff\udcfe,\n", "damaged"),
        ("x.csv", "a" * 100_000 + ",b,c\n1,2,3\n", "columns aaaa"),
    ],
)
def test_odd_tables(tmp_path, tokenizer, name, content, words):
    (tmp_path / name).write_bytes(content.encode(errors="surrogateescape"))
    message = complaint(load_task, f"folder:{tmp_path / name}", tokenizer=tokenizer)
    assert words in message
    assert len(message) < 600


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (("true", "false"), ("False", "True")),
        (('"nan"', '"a"'), ("a", "nan")),
        (("1", '"one"'), ("1", "one")),
        (("-5", "1" + "0" * 15), ("-5", "1" + "0" * 15)),
    ],
)
def test_labels_of_every_kind_are_classes(tmp_path, tokenizer, labels, classes):
    (tmp_path / "x.jsonl").write_text(lines(*labels))
    assert load_task(f"folder:{tmp_path / 'x.jsonl'}", tokenizer=tokenizer).classes == classes


def test_a_null_byte_in_a_table_is_a_character(tmp_path, tokenizer):
    (tmp_path / "x.csv").write_bytes(b"text,label\n" + b"a\0b,yes\nc,no\n" * 30)
    assert load_task(f"folder:{tmp_path / 'x.csv'}", tokenizer=tokenizer).classes == ("no", "yes")


# ---- pictures


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *extra: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


BOMBS = {
    "wide.png": (png(30_000, 30_000), "pixels"),
    "tall.png": (png(1, 2**31 - 1), "pixels"),
    "text.png": (png(4, 4, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**28)))), "can't read"),
    "big.gif": (b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"\x2c" + bytes(20), "pixels"),
    "big.bmp": (b"BM" + bytes(8) + struct.pack("<IIiiHH24x", 54, 40, 40_000, 40_000, 1, 24), "pixels"),
    "code.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch ran) (w) file\n", "cannot identify"),
    "empty.png": (b"", "cannot identify"),
    "torn.png": (png(40, 40), "can't read"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_pictures_are_measured_before_they_are_decoded(tmp_path, name):
    content, words = BOMBS[name]
    (tmp_path / name).write_bytes(content)
    assert words in complaint(read_picture, tmp_path / name, (3, 8, 8))


def test_pictures_of_a_data_set_are_measured_too(tmp_path):
    pytest.importorskip("datasets")
    for name in ("cat", "dog"):
        (tmp_path / "set" / "train" / name).mkdir(parents=True)
        for number in range(12):
            (tmp_path / "set" / "train" / name / f"{number}.png").write_bytes(BOMBS["wide.png"][0])
    task = load_task(f"hf:{tmp_path / 'set'}", input_shape=(3, 8, 8))
    assert "pixels" in complaint(lambda: task.train[0])


def test_parts_of_a_parquet_file_are_measured(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    import pyarrow.parquet

    rows = pyarrow.table({"text": ["it was"] * 200_000, "label": pyarrow.array([0, 1] * 100_000)})
    pyarrow.parquet.write_table(rows, tmp_path / "train.parquet")
    assert (tmp_path / "train.parquet").stat().st_size < 100_000
    monkeypatch.setenv("EXPLORER_MEMORY", "2M")
    assert "row groups" in complaint(load_task, f"hf:{tmp_path}")


def test_a_picture_may_take_as_much_as_memory_allows(tmp_path, monkeypatch):
    Image.new("L", (600, 600)).save(tmp_path / "x.png")
    assert read_picture(tmp_path / "x.png", (1, 6, 6)).shape == (1, 6, 6)
    monkeypatch.setenv("EXPLORER_MEMORY", "1M")
    assert "5.49 MB" in complaint(read_picture, tmp_path / "x.png", (1, 6, 6))


ODD = [None, -1, 10**12, 1e300, float("nan"), "x", "a\0b", "../x", [], {}, [[1]], {"id": {}}, True, "x" * 300]


def finite_boxes(folder: Path) -> None:
    task = load_task(f"folder:{folder}", input_shape=(3, 8, 8))
    assert all(torch.isfinite(task.train[i][1]["boxes"]).all() for i in range(len(task.train)))


def test_odd_annotations(tmp_path):
    (tmp_path / "images").mkdir()
    for number in range(20):
        Image.new("RGB", (8, 8)).save(tmp_path / "images" / f"{number}.png")
    generator = random.Random(0)
    for _ in range(150):
        document = {
            "images": [{"id": number, "file_name": f"{number}.png"} for number in range(20)],
            "categories": [{"id": 1, "name": "cat"}],
            "annotations": [{"image_id": n, "category_id": 1, "bbox": [0, 0, 4, 4]} for n in range(20)],
        }
        kind = generator.choice(list(document))
        entry = generator.choice([document, document[kind][0]])
        entry[kind if entry is document else generator.choice(list(entry))] = generator.choice(ODD)
        (tmp_path / "annotations.json").write_text(json.dumps(document))
        answered(finite_boxes, tmp_path)


# ---- configurations of Hugging Face


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> list[Path]:
    top = tmp_path_factory.mktemp("models")
    return [
        text_folder(top / "bert", num_labels=3, **BERT),
        save(top / "vit", "ViT", "ForImageClassification", patch_size=8, num_labels=10, **VIT),
        save(top / "segformer", "Segformer", "ForSemanticSegmentation", num_labels=5, **SEGFORMER),
    ]


KEYS = ("num_labels", "vocab_size", "architectures", "id2label", "image_size", "pad_token_id", "depths", "model_type")
VALUES = [None, -1, 0, 10**6, 10**9, 2**70, 1.5, float("nan"), "x", [], [1, 2], {}, True, "../../x", [10**9]]


def test_odd_configurations(folders):
    generator = random.Random(1)
    for _ in range(80):
        file = generator.choice(folders) / "config.json"
        before = file.read_text()
        config = json.loads(before)
        for key in generator.choices([*config, *KEYS], k=generator.randint(1, 2)):
            config[key] = generator.choice(VALUES)
        file.write_text(json.dumps(config))
        answered(lambda file=file: load_model(f"hf:{file.parent}").example())
        file.write_text(before)


def edited(folder: Path, copy: Path, name: str, **values: object) -> str:
    shutil.copytree(folder, copy)
    path = copy / name
    document = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(document | values))
    return f"hf:{copy}"


@pytest.mark.parametrize(
    ("model", "file", "values", "words"),
    [
        (0, "config.json", {"hidden_size": 10**6, "vocab_size": 10**6}, "of memory"),
        (0, "config.json", {"num_hidden_layers": 10**9}, "num_hidden_layers = 1000000000"),
        (0, "config.json", {"num_labels": 10**9}, "num_labels = 1000000000"),
        (1, "config.json", {"image_size": 10**6}, "of memory"),
        (1, "preprocessor_config.json", {"image_mean": [0, 0, 0], "image_std": [1, 0, 1]}, "above 0"),
        (2, "config.json", {"depths": [1, 1, 1, 10**7]}, "depths = 10000000"),
        (0, "model.safetensors.index.json", {"weight_map": {"a": "../secret.safetensors"}}, "files beside it"),
        (0, "model.safetensors.index.json", {"weight_map": ["a"]}, "files beside it"),
        (0, "adapter_config.json", {"base_model_name_or_path": "../secret"}, "adapter"),
        (0, "config.json", {"configuration_files": ["../config.4.0.json"]}, "names others"),
        (0, "tokenizer_config.json", {"fast_tokenizer_files": ["../tokenizer.4.0.json"]}, "not beside it"),
        (0, "tokenizer_config.json", {"vocab_file": __file__}, "not its own"),
    ],
)
def test_configurations_that_reach_too_far(folders, tmp_path, model, file, values, words):
    assert words in complaint(load_model, edited(folders[model], tmp_path / "copy", file, **values))


def test_a_network_is_refused_before_it_is_built():
    for name, arguments, words in (
        ("resnet18", {"num_classes": 10**10}, "memory"),
        ("vit_b_16", {"num_classes": 10, "image_size": 16 * 10**6}, "of memory"),
        ("resnet18", {"num_classes": "many"}, "can't be built"),
        ("resnet18", {"num_classes": -1}, "can't be built"),
        ("resnet18", {"layers": None, "num_classes": 3}, "can't be built"),
        ("resnet18", [1], "damaged"),
        (["resnet18"], {}, "damaged"),
    ):
        assert words in complaint(build, {"family": "torchvision", "name": name, "arguments": arguments})
    config = {"model_type": "bert", "hidden_size": 10**5, "intermediate_size": 10**6, "num_hidden_layers": 10**4}
    words = complaint(build, {"family": "huggingface", "name": "text-classification", "arguments": {"config": config}})
    assert "of memory" in words


def test_what_is_made_is_measured_before_it_is_made():
    assert "of memory" in complaint(load_task, "masks?n=100000", input_shape=(3, 224, 224))
    assert "of memory" in complaint(load_model("demo:resnet20-digits").example, 10**10)


def test_what_is_made_is_within_the_limit(monkeypatch):
    monkeypatch.setenv("EXPLORER_MEMORY", "3M")
    for ref in ("shapes?n=3000", "masks?n=1000", "boxes?n=1000"):
        assert "EXPLORER_MEMORY" in complaint(load_task, ref)
    assert "EXPLORER_MEMORY" in complaint(load_task, "random", input_shape=(3, 224, 224))


def test_class_folders_with_names_of_other_bytes(tmp_path):
    for name in (b"cat", b"d\xffg"):
        os.makedirs(os.fsencode(tmp_path) + b"/" + name)
    assert "'d\\udcffg', which is no UTF-8 text" in complaint(load_task, f"folder:{tmp_path}")


def test_a_folder_that_may_not_be_read(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (tmp_path / "closed").mkdir(mode=0)
    assert "can't" in complaint(load_task, f"folder:{tmp_path / 'closed' / 'x'}")
