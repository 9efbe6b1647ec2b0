"""Folders of pictures: each layout is read as it is meant, or refused by its name; each kind of pixels as it looks."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.errors import ExplorerError
from explorer.sources import load_task
from explorer.tasks import PARTS, Task
from tests.sources import folders
from tests.sources.folders import GREY, Made, in_parts, json_of, table

AS_IT_IS = ((0.0,) * 3, (1.0,) * 3)  # a normalisation that changes nothing
CATS = ("cat", "dog")
ALL = 24  # pictures of two classes, which come as one


def opened(root: Path, options: str = "") -> Task:
    return load_task(f"folder:{root}{options}", input_shape=(3, 4, 4), normalisation=AS_IT_IS)


def sizes(task: Task) -> tuple[int, int, int]:
    """Of what is learnt from, validation, and test."""
    count = {part: len(getattr(task, part)) for part in PARTS}
    return count["train"] + count["calibration"], count["validation"], count["test"]


def greys(task: Task) -> dict[str, set[int]]:
    """The greys of the pictures of each class, over all parts."""
    found: dict[str, set[int]] = {}
    for part in PARTS:
        samples = getattr(task, part)
        for index in range(len(samples)):
            image, label = samples[index]
            found.setdefault(task.classes[label], set()).add(round(float(image.mean()) * 255))
    return found


def complaint(root: Path, options: str = "") -> str:
    with pytest.raises(ExplorerError) as caught:
        opened(root, options)
    message = str(caught.value)
    assert "\n" not in message
    return message


ONE, TRAIN_TEST, TRAIN_VAL, THREE = (17, 3, 4), (22, 2, 6), (22, 2, 6), (24, 6, 6)
FOLDERS: dict[str, tuple[Callable[[Made], None], tuple[int, int, int]]] = {
    "plain": (folders.plain, ONE),
    "hidden files": (folders.hidden, ONE),
    "subfolders of classes": (folders.subfolders, ONE),
    "other formats": (folders.other_formats, (20, 4, 4)),
    "a wrapper": (in_parts("set/data"), ONE),
    "a wrapper of parts": (in_parts("set/train", "set/test"), TRAIN_TEST),
    "a wrapper in each part": (in_parts("train/train", "test/test"), TRAIN_TEST),
    "images in each part": (in_parts("train/images", "test/images"), TRAIN_TEST),
    "train val": (in_parts("train", "val"), TRAIN_VAL),
    "train valid test": (in_parts("train", "valid", "test"), THREE),
    "Train Validation Test": (in_parts("Train", "Validation", "Test"), THREE),
    "TRAIN DEV TEST": (in_parts("TRAIN", "DEV", "TEST"), THREE),
    "training testing": (in_parts("training", "testing"), TRAIN_TEST),
    "train dev": (in_parts("train", "dev"), TRAIN_VAL),
    "train eval": (in_parts("train", "eval"), TRAIN_TEST),
    "training_set test_set": (in_parts("training_set/training_set", "test_set/test_set"), TRAIN_TEST),
    "trainingSet testSet": (in_parts("trainingSet", "testSet"), TRAIN_TEST),
    "Final_Training Final_Test": (in_parts("Final_Training/Images", "Final_Test/Images"), TRAIN_TEST),
    "train2017 val2017": (in_parts("train2017", "val2017"), TRAIN_VAL),
    "ILSVRC": (in_parts("ILSVRC/Data/CLS-LOC/train", "ILSVRC/Data/CLS-LOC/val"), TRAIN_VAL),
    "vehicles_train vehicles_test": (in_parts("vehicles_train", "vehicles_test"), TRAIN_TEST),
    "only train": (in_parts("train"), ONE),
    "the folder twice": (folders.repeated_wrapper, TRAIN_TEST),
    "a part without labels": (folders.unlabelled_parts, TRAIN_TEST),
    "parts in each class": (folders.class_first, TRAIN_TEST),
    "classes in other case": (folders.other_case_of_classes, TRAIN_TEST),
    "beside annotations": (folders.beside_annotations, ONE),
    "YOLO for classes": (folders.yolo_for_classes, THREE),
    "labels.csv": (table("labels.csv"), ONE),
    "labels.csv beside the pictures": (folders.table_beside_pictures, ONE),
    "ids": (table("labels.csv", "id,breed", bare=True), ONE),
    "numbers with zeros": (table("labels.csv", "image_id,species", form="{:05}.jpg", bare=True), ONE),
    "semicolons": (table("labels.csv", "Filename;ClassName", ";"), ONE),
    "tabs": (table("labels.tsv", "image\ttarget", "\t"), ONE),
    "no heads": (table("labels.csv", None), ONE),
    "any heads": (table("data.csv", "was,ist"), ONE),
    "a list": (table("labels.txt", None, " "), ONE),
    "a list with tabs": (table("labels.txt", None, "\t"), ONE),
    "pictures in the train folder": (table("train.csv", "id_code,diagnosis", folder="train_images", bare=True), ONE),
    "a competition": (folders.competition, ONE),
    "parts by table of classes": (folders.tables_by_part_of_classes, (16, 4, 4)),
    "lists of parts": (folders.lists_of_parts, (14, 2, 8)),
    "Tiny ImageNet": (folders.tiny, TRAIN_VAL),
    "numbered folders": (folders.numbered_folders, ONE),
    "a column of parts": (folders.split_column, (16, 2, 6)),
    "a flag of validation": (folders.flag_column, (16, 2, 6)),
    "one column a class": (folders.one_hot, ONE),
    "paths of another machine": (folders.own_paths, ONE),
    "JSON by file": (json_of(dict), ONE),
    "JSON of records": (json_of(lambda rows: [{"file": f"images/{f}", "class": label} for f, label in rows]), ONE),
    "JSON of pairs": (json_of(lambda rows: {"labels": [list(row) for row in rows]}, "dataset.json"), ONE),
    "JSON by class": (json_of(folders.json_by_class), ONE),
    "JSON by part": (json_of(folders.json_by_part, "split.json"), (12, 6, 6)),
    "JSON lines": (folders.json_lines, ONE),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_layout_is_read_as_it_is_meant(name, tmp_path):
    make, expected = FOLDERS[name]
    make(Made(tmp_path))
    task = opened(tmp_path)
    assert (task.kind, task.classes) == ("image-classification", CATS)
    found = greys(task)
    assert {label: {min(GREY.values(), key=lambda g: abs(g - v)) for v in found[label]} for label in found} == {
        label: {GREY[label]} for label in CATS
    }
    total = sum(sizes(task))
    assert total == sum(expected)
    assert all(abs(one - other) <= 1 for one, other in zip(sizes(task), expected, strict=True)), sizes(task)


NAMED: dict[str, tuple[Callable[[Made], None], tuple[str, ...], tuple[int, int, int]]] = {
    "a class called train": (folders.a_class_called_train, ("bus", "car", "train"), (25, 5, 6)),
    "a class missing in test": (folders.class_missing_in_test, ("bird", "cat", "dog"), (32, 4, 6)),
    "traffic signs": (folders.tables_by_part, ("0", "1", "2"), (32, 4, 9)),
    "lists of numbers": (folders.lists_with_labels, ("0", "1", "2"), (32, 4, 9)),
    "names of several words": (folders.list_of_names_with_spaces, ("A dog 737", "Big cat"), ONE),
    "numbers in their order": (folders.many_numbers, tuple(map(str, range(12))), (84, 18, 18)),
    "categories without boxes": (json_of(folders.categories, "train.json"), ("cat or dog",), ONE),
}


@pytest.mark.parametrize("name", [name for name in NAMED if name != "categories without boxes"])
def test_classes_have_their_names_and_order(name, tmp_path):
    make, classes, expected = NAMED[name]
    make(Made(tmp_path))
    task = opened(tmp_path)
    assert (task.classes, sizes(task)) == (classes, expected)
