"""Folders of pictures: each layout is read as it is meant, or refused by its name; each kind of pixels as it looks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from explorer.errors import ExplorerError
from explorer.sources import load_task
from explorer.tasks import PARTS, Task
from tests.sources import folders
from tests.sources.folders import GREY, Made, in_parts, json_of, table

AS_IT_IS = ((0.0,) * 3, (1.0,) * 3)  # a normalisation that changes nothing
CATS = ("cat", "dog")


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


# Sizes by hand: of twelve pictures of a class 60, 10, 15 and 15 % are 7, 1, 2 and 2; and 80, 10, 10 % are 10, 1, 1.
ONE, TRAIN_TEST, TRAIN_VAL, THREE = (16, 4, 4), (22, 2, 6), (22, 2, 6), (24, 6, 6)
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
    "predictions beside classes": (folders.predictions_beside_classes, ONE),
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
    "ImageNet's solutions": (folders.solution, TRAIN_VAL),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_layout_is_read_as_it_is_meant(name, tmp_path):
    make, expected = FOLDERS[name]
    make(Made(tmp_path))
    task = opened(tmp_path)
    assert (task.kind, task.classes) == ("image-classification", CATS)
    assert greys(task) == {label: {GREY[label]} for label in CATS}
    assert sizes(task) == expected


NAMED: dict[str, tuple[Callable[[Made], None], tuple[str, ...], tuple[int, int, int]]] = {
    "a class called train": (folders.a_class_called_train, ("bus", "car", "train"), (24, 6, 6)),
    "a class missing in test": (folders.class_missing_in_test, ("bird", "cat", "dog"), (33, 3, 6)),
    "traffic signs": (folders.tables_by_part, ("0", "1", "2"), (33, 3, 9)),
    "signs with tables in folders": (folders.signs, ("0", "1", "2"), (33, 3, 9)),
    "a list beside masks": (folders.pets, ("1", "2"), (14, 2, 8)),
    "lists of numbers": (folders.lists_with_labels, ("0", "1", "2"), (33, 3, 9)),
    "names of several words": (folders.list_of_names_with_spaces, ("A dog 737", "Big cat"), ONE),
    "numbers in their order": (folders.many_numbers, tuple(map(str, range(12))), (84, 12, 24)),
    "categories without boxes": (json_of(folders.categories), ("A dog", "Big cat"), ONE),
}


@pytest.mark.parametrize("name", NAMED)
def test_classes_have_their_names_and_order(name, tmp_path):
    make, classes, expected = NAMED[name]
    make(Made(tmp_path))
    task = opened(tmp_path)
    assert (task.classes, sizes(task)) == (classes, expected)


# ---- boxes


BOXED: dict[str, tuple[Callable[[Made], None], tuple[int, int, int]]] = {
    "COCO as one": (lambda made: folders.coco(made, "images", "annotations.json", 20), (14, 3, 3)),
    "COCO as published": (folders.coco_as_published, (11, 1, 3)),
    "COCO of Roboflow": (folders.coco_of_roboflow, (12, 3, 3)),
    "COCO of Label Studio": (lambda made: folders.coco(made, "images", "result.json", 20), (14, 3, 3)),
    "COCO of CVAT": (
        lambda made: folders.coco(made, "images/default", "annotations/instances_default.json", 20),
        (14, 3, 3),
    ),
    "YOLO of Roboflow": (folders.yolo_of_roboflow, (12, 3, 3)),
    "YOLO of Ultralytics": (folders.yolo_of_ultralytics, (11, 1, 3)),
    "YOLO as one": (folders.yolo_as_one, (10, 3, 2)),
    "YOLO of darknet": (folders.yolo_beside, (8, 2, 2)),
}


@pytest.mark.parametrize("name", BOXED)
def test_boxes_are_told_apart_and_lie_where_they_should(name, tmp_path):
    make, expected = BOXED[name]
    make(Made(tmp_path))
    task = load_task(f"folder:{tmp_path}", input_shape=(3, 8, 16))
    assert (task.kind, task.classes, sizes(task)) == ("detection", ("background", *CATS), expected)
    for index in range(len(task.train)):
        for box, label in zip(*task.train[index][1].values(), strict=True):
            assert box.tolist() == [4, 0, 12, 4]
            assert int(label) in (1, 2)


def test_masks_in_parts(tmp_path):
    folders.masks_by_part(Made(tmp_path))
    task = opened(tmp_path)
    assert (task.kind, task.classes, sizes(task)) == ("segmentation", ("class 0", "class 1"), (12, 3, 3))
    assert task.test[0][1].unique().tolist() in ([0], [1])


# ---- what is refused, by its name


def listed(*labels: object, heads: str = "file,label") -> Callable[[Made], None]:
    def make(made: Made) -> None:
        names = made.pictures("images", "cat", 24)
        made.text("labels.csv", [heads, *(f'{name},"{labels[n % len(labels)]}"' for n, name in enumerate(names))])

    return make


def with_file(name: str, content: object = "x", *, heap: bool = False) -> Callable[[Made], None]:
    def make(made: Made) -> None:
        made.text(name, content)
        if heap:
            made.pictures("images", "cat", 12)

    return make


def several_rows(made: Made) -> None:
    made.pictures("images", "cat", 12)
    made.text("labels.csv", ["file,label", *(f"{n}.png,{label}" for n in range(12) for label in CATS)])


def boxes_in_a_table(made: Made) -> None:
    made.pictures("images", "cat", 12)
    made.text(
        "train.csv",
        ["filename,width,height,class,xmin,ymin,xmax,ymax", *(f"{n}.png,4,4,cat,0,0,2,2" for n in range(12))],
    )


def attributes(made: Made) -> None:
    made.pictures("img", "cat", 12, "{:06}.jpg")
    rows = [f"{n:06}.jpg {' '.join('1' if (n >> k) % 2 else '-1' for k in range(4))}" for n in range(12)]
    made.text("list_attr.txt", ["12", "Smiling Young Old Male", *rows])


def many_columns(made: Made) -> None:
    made.pictures("images", "cat", 12)
    made.text("data.csv", ["file,colour,form", *(f"{n}.png,{'rg'[n % 2]},{'xy'[n % 2]}" for n in range(12))])


def other_classes(made: Made) -> None:
    made.classes("train")
    made.classes("test", 3, "cat bird")


def two_names(made: Made) -> None:
    for name in ("cat", "dog"):
        made.pictures(".", name, 12, name + ".{}.jpg")


def one_class(made: Made) -> None:
    made.pictures("cat", "cat", 12)


def captions(made: Made) -> None:
    names = made.pictures("Images", "cat", 60)
    made.text("captions.txt", ["image,caption", *(f"{name},A cat on mat {n} ." for n, name in enumerate(names))])


def labelme(made: Made) -> None:
    for name in made.pictures(".", "cat", 6):
        made.text(f"{folders.stem(name)}.json", {"shapes": [], "imagePath": name})


def finding_labels(made: Made) -> None:
    found = ("Effusion|Mass", "Mass", "No Finding")
    rows = [f"{name},{found[n % 3]},{n}" for n, name in enumerate(made.pictures("images_001/images", "cat", 12))]
    made.text("Data_Entry.csv", ["Image Index,Finding Labels,Patient Age", *rows])


def two_columns(made: Made) -> None:
    rows = made.heap("images")
    made.text(
        "labels.csv", ["file,label1,label2", *(f"{f},{label},{'ab'[n % 2]}" for n, (f, label) in enumerate(rows))]
    )


def joined(made: Made) -> None:
    made.classes(".")
    made.pictures("cat+dog", "bird", 12)


def labels_of_another_kind(made: Made) -> None:
    made.classes("train")
    rows = made.heap("test", 3)
    made.text("test.csv", ["file,label", *(f"{file},n0{label}" for file, label in rows)])


def devkit(made: Made) -> None:
    made.pictures("JPEGImages", "cat", 12)
    made.pictures("SegmentationClass", "cat", 3)
    made.text("Annotations/0.xml", "<annotation/>")
    made.text("ImageSets/Main/train.txt", [str(n) for n in range(8)])


REFUSED: dict[str, tuple[Callable[[Made], None], str]] = {
    "nothing": (lambda made: None, "0 class subfolders"),
    "one class": (one_class, "1 class subfolders"),
    "an empty class": (lambda made: (made.classes("."), (made.root / "bird").mkdir()), "bird' has no pictures"),
    "other classes in test": (other_classes, "different classes: bird, dog"),
    "flat parts": (
        lambda made: (made.heap("train"), made.heap("test")),
        "parts (test, train) but no classes in them",
    ),
    "a heap": (lambda made: made.heap("."), "24 pictures without a label"),
    "a camera's heap": (lambda made: made.pictures(".", "cat", 12, "IMG_{}.jpg"), "12 pictures without a label"),
    "classes in names": (two_names, "their names begin with cat, dog"),
    "several rows": (several_rows, "several labels"),
    "several labels, bars": (listed("cat|dog", "dog", "bird"), "several labels"),
    "several labels, commas": (listed("cat,dog", "dog", "cat"), "several labels"),
    "several labels, words": (
        listed("dry sun", "dry", "sun haze", "haze", heads="image_name,tags"),
        "several labels",
    ),
    "several labels, columns": (attributes, "several labels"),
    "fractions": (listed(0.5, 1.25, 3), "regression"),
    "ages": (listed(*range(20, 44), heads="file,age"), "regression"),
    "many columns": (many_columns, "columns file, colour, form: say which is the label of a picture, with ?label=NAME"),
    "several labels in two columns": (two_columns, "columns file, label1, label2: say which is the label"),
    "several labels in folders": (joined, "'cat', 'dog' and 'cat+dog': it is made of several labels"),
    "several labels of findings": (finding_labels, "several labels"),
    "other labels in test": (labels_of_another_kind, "different labels: n0cat, n0dog"),
    "a devkit of Pascal VOC": (devkit, "Pascal VOC"),
    "a spreadsheet": (lambda made: (made.heap("images"), made.text("labels.xlsx", "x")), "save it as CSV"),
    "captions": (captions, "no classes"),
    "boxes in a table": (boxes_in_a_table, "has boxes or outlines"),
    "YOLO outlines": (
        lambda made: folders.yolo(made, "images", "labels", line="{} 0.1 0.1 0.5 0.1 0.5 0.5"),
        "outlines, turned boxes and key points are not read",
    ),
    "YOLO beyond the picture": (lambda made: folders.yolo(made, "images", "labels", line="{} 1 2 3 4"), "from 0 to 1"),
    "YOLO with too few names": (
        lambda made: (folders.yolo(made, "images", "labels"), made.text("classes.txt", ["cat"])),
        "names for 1 only",
    ),
    "Pascal VOC": (with_file("Annotations/0.xml", "<annotation/>", heap=True), "Pascal VOC"),
    "LabelMe": (labelme, "LabelMe"),
    "an archive": (with_file("pictures.zip"), "unpack it"),
    "MNIST": (with_file("train-images-idx3-ubyte"), "torchvision:MNIST"),
    "CIFAR": (with_file("data_batch_1"), "torchvision:CIFAR10"),
    "TensorFlow": (with_file("train.tfrecord-00000-of-00001.tfrecord"), "TensorFlow's records"),
    "parquet": (with_file("data/train-00000.parquet"), "hf:FOLDER"),
    "MATLAB": (with_file("imagelabels.mat"), "MATLAB"),
    "HEIC": (with_file("cat/1.heic"), "save them as PNG or JPEG"),
    "a class of HEIC": (lambda made: (made.classes("."), made.text("bird/1.heic", "x")), "bird' has only .heic files"),
    "too few": (lambda made: made.classes(".", 1), "only 2 pictures"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_be_read_is_called_by_its_name(name, tmp_path):
    make, words = REFUSED[name]
    make(Made(tmp_path))
    assert words in complaint(tmp_path)
