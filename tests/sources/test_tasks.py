"""Tasks of texts, scores and masks: made ones, and folders and tables that people bring."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.errors import ExplorerError
from explorer.sources import describe_task, list_tasks, load_model, load_task, ref_for
from explorer.sources.reading import reviews
from explorer.sources.reading.texts import Tokenizer
from tests.hugging import BERT, text_folder


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return load_model(f"hf:{text_folder(tmp_path_factory.mktemp('bert'), num_labels=3, **BERT)}").tokenizer


def complain(ref: str, **arguments: object) -> str:
    with pytest.raises(ExplorerError) as caught:
        load_task(ref, **arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_reviews_follow_from_their_seed_and_say_what_their_words_say():
    texts, scores = reviews.generate(900, seed=3)
    assert (texts, scores.tolist()) == (reviews.generate(900, seed=3)[0], reviews.generate(900, seed=3)[1].tolist())
    assert texts != reviews.generate(900, seed=4)[0]
    assert np.bincount(reviews.classify(scores)).tolist() == [300, 300, 300]
    assert set(" ".join(texts).split()) <= set(reviews.vocabulary())
    assert np.abs(scores).max() <= 1
    by_text = dict(zip(texts, scores, strict=True))
    plain = {text: score for text, score in by_text.items() if text.startswith("the") and " and " not in text}
    said = [(t, s) for t, s in plain.items() if len(t.split()) == 4]
    assert {s for t, s in said if t.endswith(" good")} <= {0.25}
    negated = {t.split()[4]: s for t, s in plain.items() if len(t.split()) == 5 and t.split()[3] == "not"}
    assert all(s == (-0.125 if word in reviews._GOOD else 0.125) for word, s in negated.items())
    assert said
    assert negated


@pytest.mark.parametrize(("ref", "kind", "metric"), [
    ("sentences?n=300", "text-classification", "accuracy"),
    ("ratings?n=300", "text-regression", "pearson"),
])  # fmt: skip
def test_made_texts(tokenizer, ref, kind, metric):
    task = load_task(ref, tokenizer=tokenizer, kind=kind)
    assert (task.kind, task.metric, task.input_shape) == (kind, metric, (32,))
    ids, labels = task.test[:]
    assert ids.dtype == torch.int64
    assert labels.is_floating_point() == (metric == "pearson")
    assert torch.equal(tokenizer([task.texts["test"][5]])[0], ids[5])
    parts = [set(task.texts[part]) for part in ("train", "test")]
    assert sum(len(task.texts[part]) for part in task.texts) == 300
    assert parts[0]
    assert task.answer(0)
    assert "no tokenizer" in complain(ref)


def test_made_masks_lie_on_their_shapes():
    task = load_task("masks?n=200&difficulty=0")
    images, masks = task.test[:]
    assert (task.kind, task.metric, len(task.classes)) == ("segmentation", "miou", 5)
    assert masks.shape == (len(images), 32, 32)
    for image, mask in zip(images, masks, strict=True):
        (shape,) = mask[mask > 0].unique().tolist()
        assert 1 <= shape <= 4
        inside, outside = image[:, mask > 0].mean(), image[:, mask == 0].mean()
        assert (inside - outside).abs() > 0.1
    assert "ground" in task.answer(0)
    large = load_task("masks?n=200&difficulty=0", input_shape=(3, 64, 64))
    assert torch.equal(large.test[:][1][:, ::2, ::2], masks)


def table(path: Path, rows: list[tuple[str, object]], columns: tuple[str, str] = ("text", "label")) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([columns, *rows])


ROWS = [(f"the film was {word}", label) for word, label in (("good", "yes"), ("bad", "no"))] * 20


def test_tables_of_classes(tmp_path, tokenizer):
    table(tmp_path / "train.csv", ROWS)
    with (tmp_path / "test.jsonl").open("w") as file:
        file.writelines(json.dumps({"label": label, "text": text}) + "\n" for text, label in ROWS[:6])
    task = load_task(f"folder:{tmp_path}", tokenizer=tokenizer)
    assert (task.kind, task.classes, len(task.test)) == ("text-classification", ("no", "yes"), 6)
    assert [task.answer(i) for i in range(2)] == ["yes", "no"]
    assert sum(len(getattr(task, part)) for part in ("train", "calibration", "validation")) == 40
    assert describe_task(f"folder:{tmp_path}").classes == ("no", "yes")


def test_a_single_table_of_scores(tmp_path, tokenizer):
    table(tmp_path / "data.csv", [(text, 0.5 if label == "yes" else -0.25) for text, label in ROWS], ("a", "score"))
    task = load_task(f"folder:{tmp_path / 'data.csv'}", tokenizer=tokenizer)
    assert (task.kind, task.metric, task.classes) == ("text-regression", "pearson", ("score",))
    assert set(task.test[:][1].tolist()) == {0.5, -0.25}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,label\n", "no rows"),
        ("a,b,c\n1,2,3\n", "columns a, b, c"),
        ("text,label\nhello\n", "rows without"),
        ("text,label\nhello,1\nthere,1\n", "1 classes"),
        ("text,label\nhello,0.5\nthere,nan\n", "no finite numbers"),
        ("text,label\nhello,0\nthere,1\n", "only 2 training examples"),
        ("\udcff", "damaged"),
    ],
)
def test_bad_tables(tmp_path, tokenizer, content, words):
    (tmp_path / "x.csv").write_text(content, errors="surrogateescape")
    assert words in complain(f"folder:{tmp_path / 'x.csv'}", tokenizer=tokenizer)


@pytest.fixture
def masked(tmp_path: Path) -> Path:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for number in range(20):
        Image.new("RGB", (40, 20), (10 * number, 0, 0)).save(tmp_path / "images" / f"{number}.jpg")
        mask = np.zeros((20, 40), np.uint8)
        mask[5:15, 10:30], mask[0] = 2, 255
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
    return tmp_path


def test_folders_of_masks(masked):
    task = load_task(f"folder:{masked}", input_shape=(3, 20, 20))
    assert (task.kind, task.classes) == ("segmentation", ("class 0", "class 1", "class 2"))
    image, mask = task.test[0]
    assert (image.shape, mask.dtype) == ((3, 20, 20), torch.int64)
    assert mask[0].eq(255).all()  # cropped in the middle like its picture, not mixed
    assert mask[5:15].eq(2).all()
    (masked / "classes.txt").write_text("ground\ncar\nroad\n")
    assert load_task(f"folder:{masked}", input_shape=(3, 20, 20)).answer(0) == "ground, road"


def test_bad_folders_of_masks(masked):
    Image.new("RGB", (4, 4)).save(masked / "masks" / "3.png")
    assert "it has colours" in complain(f"folder:{masked}")
    (masked / "masks" / "3.png").unlink()
    assert "every picture needs one" in complain(f"folder:{masked}")


def test_data_sets_in_the_formats_of_the_hub(tmp_path, tokenizer):
    pytest.importorskip("datasets")
    (tmp_path / "texts").mkdir()
    table(tmp_path / "texts" / "train.csv", [(text, int(label == "yes")) for text, label in ROWS], ("text", "label"))
    task = load_task(f"hf:{tmp_path / 'texts'}", tokenizer=tokenizer)
    assert (task.kind, len(task.classes)) == ("text-classification", 2)
    assert "columns" in complain(f"hf:{tmp_path / 'texts'}?label=nothing", tokenizer=tokenizer)
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / "train" / name).mkdir(parents=True)
        for number in range(12):
            Image.new("RGB", (9, 9), (20 * number, 0, 0)).save(tmp_path / "pictures" / "train" / name / f"{number}.png")
    task = load_task(f"hf:{tmp_path / 'pictures'}", input_shape=(3, 8, 8))
    assert task.classes == ("cat", "dog")
    assert task.train[0][0].shape == (3, 8, 8)
    assert "can't be read" in complain(f"hf:{tmp_path / 'nowhere'}")


def test_the_list_names_what_can_be_read():
    assert {"digits", "shapes", "masks", "sentences", "ratings", "random"} <= {ref for ref, _ in list_tasks()}


def test_made_boxes_lie_around_their_shapes():
    task = load_task("boxes?n=200&difficulty=0")
    assert (task.kind, task.metric, task.input_shape) == ("detection", "map", (3, 64, 64))
    image, truth = task.test[0]
    assert image.shape == (3, 64, 64)
    assert len(truth["boxes"]) == len(truth["labels"]) == 4
    ground = image[:, :2, :2].mean()
    for (x0, y0, x1, y1), label in zip(truth["boxes"].int().tolist(), truth["labels"].tolist(), strict=True):
        assert 0 <= x0 < x1 <= 64
        assert 0 <= y0 < y1 <= 64
        assert (x0 // 32, y0 // 32) == ((x1 - 1) // 32, (y1 - 1) // 32)
        assert 1 <= label <= 4
        middle = image[:, (y0 + y1) // 2, (x0 + x1) // 2].mean()
        assert (middle - ground).abs() > 0.05
    half = load_task("boxes?n=200&difficulty=0", input_shape=(3, 32, 128)).test[0][1]["boxes"]
    assert torch.equal(half, truth["boxes"] * torch.tensor([2.0, 0.5, 2.0, 0.5]))
    assert set(task.answer(0).split(", ")) <= {"disc", "square", "triangle", "cross"}


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for number in range(20):
        Image.new("RGB", (40, 20), (10 * number, 0, 0)).save(tmp_path / "images" / f"{number}.jpg")
    document = {
        "images": [{"id": 100 + number, "file_name": f"{number}.jpg"} for number in range(20)],
        "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
        "annotations": [
            {"image_id": 100 + number, "category_id": 7 if number % 2 else 3, "bbox": [4, 5, 20, 10]}
            for number in range(20)
        ],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(document))
    return tmp_path


def test_folders_of_boxes(coco):
    task = load_task(f"folder:{coco}", input_shape=(3, 40, 40))
    assert (task.kind, task.classes) == ("detection", ("background", "cat", "dog"))
    image, truth = task.test[0]
    assert image.shape == (3, 40, 40)
    assert truth["boxes"].tolist() == [[4, 10, 24, 30]]


def test_bad_folders_of_boxes(coco):
    document = json.loads((coco / "annotations.json").read_text())
    for images, words in (
        ([{"id": 1, "file_name": "../annotations.json"}], "not under images/"),
        ([{"id": 1, "file_name": "none.jpg"}], "not under images/"),
        ([{"id": 1}], "no COCO file"),
        ("x", "no COCO file"),
    ):
        (coco / "annotations.json").write_text(json.dumps(document | {"images": images, "annotations": []}))
        assert words in complain(f"folder:{coco}")
    (coco / "annotations.json").write_text("{")
    assert "no COCO file" in complain(f"folder:{coco}")


@pytest.mark.parametrize(
    ("model", "data", "wanted"),
    [
        ("torchvision:squeezenet1_1", "digits", "torchvision:squeezenet1_1?num_classes=10"),
        ("torchvision:squeezenet1_1", "masks", "torchvision:squeezenet1_1"),  # another kind: refused with its reason
        ("torchvision:squeezenet1_1", "random", "torchvision:squeezenet1_1"),
        # Its weights are random: nothing is lost with the outputs that it was opened with.
        ("torchvision:squeezenet1_1?num_classes=7&in=1", "digits", "torchvision:squeezenet1_1?in=1&num_classes=10"),
        ("demo:resnet20-digits", "shapes", "demo:resnet20-digits"),
    ],
)
def test_a_new_network_follows_the_data(model, data, wanted):
    assert ref_for(load_model(model), data) == wanted
