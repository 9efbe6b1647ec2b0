"""Small folders of pictures, laid out as published sets, training programs and annotation tools lay them out."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

GREY = {"cat": 40, "dog": 80, "bird": 120, "0": 160, "1": 200, "2": 240}
"""The grey of every picture of a class, by which a sample shows whose it is."""


class Made:
    """A folder that is being filled."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def pictures(self, folder: str, grey: str, count: int, form: str = "{}.png", start: int = 0) -> list[str]:
        """Pictures of one grey; gives their names without extensions."""
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        names = [form.format(number) for number in range(start, start + count)]
        for name in names:
            Image.new("RGB", (4, 4), (GREY[grey],) * 3).save(self.root / folder / name)
        return names

    def classes(self, folder: str, count: int = 12, names: str = "cat dog", form: str = "{}.png") -> None:
        """A folder for each class."""
        for name in names.split():
            self.pictures(f"{folder}/{name}", name, count, form)

    def heap(self, folder: str, count: int = 12, form: str = "{}.png", names: str = "cat dog") -> list[tuple[str, str]]:
        """Pictures of several classes in one folder; gives (name, class) of each."""
        found = []
        for place, name in enumerate(names.split()):
            found += [(picture, name) for picture in self.pictures(folder, name, count, form, place * count)]
        return found

    def text(self, name: str, content: str | list[str] | object) -> None:
        """A file of text: as it is, line by line, or as JSON."""
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list) and all(isinstance(line, str) for line in content):
            content = "\n".join(content) + "\n"
        (self.root / name).write_text(content if isinstance(content, str) else json.dumps(content))


def stem(name: str) -> str:
    return name.rpartition(".")[0]


def in_parts(train: str, *others: str) -> Callable[[Made], None]:
    def make(made: Made) -> None:
        made.classes(train)
        for name in others:
            made.classes(name, 3)

    return make


# ---- folders of classes


def plain(made: Made) -> None:
    made.classes(".")


def hidden(made: Made) -> None:
    made.classes(".")
    made.text("__MACOSX/cat/._0.png", "Mac OS X")
    made.text("cat/._0.png", "Mac OS X")
    made.text("cat/.DS_Store", "x")
    made.text("dog/Thumbs.db", "x")
    made.text("dog/desktop.ini", "x")
    made.pictures(".ipynb_checkpoints", "bird", 3)
    made.pictures("cat/.thumbs", "bird", 3)
    made.pictures("cat/@eaDir", "bird", 3)


def repeated_wrapper(made: Made) -> None:
    made.classes("chest/train")
    made.classes("chest/test", 3)
    made.classes("chest/chest/train", 5)
    made.text("__MACOSX/chest/._train", "x")


def unlabelled_parts(made: Made) -> None:
    made.classes("seg_train/seg_train")
    made.classes("seg_test/seg_test", 3)
    made.heap("seg_pred/seg_pred")


def subfolders(made: Made) -> None:
    made.classes("cat", 6, "cat")
    made.pictures("cat/young", "cat", 6)
    made.pictures("dog/images", "dog", 12)


def class_first(made: Made) -> None:
    for name in ("cat", "dog"):
        made.pictures(f"{name}/train", name, 12)
        made.pictures(f"{name}/test", name, 3)


def a_class_called_train(made: Made) -> None:
    made.pictures("train", "cat", 12)
    made.pictures("bus", "dog", 12)
    made.pictures("car", "bird", 12)


def other_case_of_classes(made: Made) -> None:
    made.classes("train")
    made.pictures("test/Cat", "cat", 3)
    made.pictures("test/DOG", "dog", 3)


def class_missing_in_test(made: Made) -> None:
    made.classes("train", names="cat dog bird")
    made.classes("test", 3)


def beside_annotations(made: Made) -> None:
    made.classes("Images")
    made.text("Annotation/cat/0", "<annotation/>")
    made.text("lists/file_list.mat", "x")


def other_formats(made: Made) -> None:
    for form in ("{}.JPG", "{}.jpeg", "{}.bmp", "{}.gif", "{}.tif", "{}.webp", "{}.ppm"):
        made.classes(".", 2, form=f"{form[3:]}{form}")


# ---- tables of labels


def table(
    name: str,
    heads: str | None = "file,label",
    mark: str = ",",
    form: str = "{}.png",
    folder: str = "images",
    bare: bool = False,
) -> Callable[[Made], None]:
    """One table of (file, label), with the names of files perhaps without their extension."""

    def make(made: Made) -> None:
        rows = [(stem(file) if bare else file, label) for file, label in made.heap(folder, form=form)]
        made.text(name, [*([heads] if heads else []), *(f"{file}{mark}{label}" for file, label in rows)])

    return make


def predictions_beside_classes(made: Made) -> None:
    """A table that says something else than the folders, which are believed."""
    made.classes("set/data")
    rows = [f"data/{name}/{n}.png,{'dog' if n % 5 else 'cat'}" for name in ("cat", "dog") for n in range(12)]
    made.text("set/results.csv", ["file,prediction", *rows])


def table_beside_pictures(made: Made) -> None:
    rows = made.heap(".")
    made.text("labels.csv", ["file,label", *(f"{file},{label}" for file, label in rows)])


def competition(made: Made) -> None:
    """A table for training, a test part without labels, and a submission of dummies."""
    rows = made.heap("train")
    test = made.pictures("test", "bird", 6)
    made.text("trainLabels.csv", ["id,label", *(f"{stem(file)},{label}" for file, label in rows)])
    made.text("sampleSubmission.csv", ["id,label", *(f"{stem(file)},cat" for file in test)])


def tables_by_part(made: Made) -> None:
    for folder, count in (("Train", 12), ("Test", 3)):
        rows = made.heap(folder, count, names="0 1 2")
        made.text(f"{folder}.csv", ["Width,Path,ClassId", *(f"30,{folder}/{file},{label}" for file, label in rows)])


def tables_by_part_of_classes(made: Made) -> None:
    made.classes(".")
    made.text("label_map.json", {"cat": 0, "dog": 1})
    for part, numbers in (("train", range(8)), ("validation", range(8, 10)), ("test", range(10, 12))):
        rows = [f",{name}/{n}.png,{place},{name}" for place, name in enumerate(("cat", "dog")) for n in numbers]
        made.text(f"{part}.csv", [",Filename,Label,ClassName", *rows])


def lists_of_parts(made: Made) -> None:
    made.classes("images")
    for part, numbers in (("train", range(8)), ("test", range(8, 12))):
        made.text(f"meta/{part}.txt", [f"{name}/{n}" for name in ("cat", "dog") for n in numbers])


def lists_with_labels(made: Made) -> None:
    for folder, count in (("train", 12), ("val", 3)):
        rows = made.heap(folder, count, names="0 1 2")
        made.text(f"{folder}.txt", [f"{folder}/{file} {label}" for file, label in rows])


def many_numbers(made: Made) -> None:
    """Classes 0 to 11, whose order as words would be another."""
    rows = [(file, n) for n in range(12) for file in made.pictures("images", "cat", 10, "{}.png", 10 * n)]
    made.text("labels.csv", ["file,label", *(f"{file},{label}" for file, label in rows)])


def list_of_names_with_spaces(made: Made) -> None:
    rows = made.heap("images", form="{:07}.png")
    long = {"cat": "Big cat", "dog": "A dog 737"}
    made.text("images_variant_train.txt", [f"{stem(file)} {long[label]}" for file, label in rows])


def tiny(made: Made) -> None:
    for name in ("cat", "dog"):
        made.pictures(f"train/{name}/images", name, 12, name + "_{}.png")
        made.text(f"train/{name}/{name}_boxes.txt", [f"{name}_{n}.png\t0\t1\t2\t3" for n in range(12)])
    rows = made.heap("val/images", 3, "val_{}.png")
    made.text("val/val_annotations.txt", [f"{file}\t{label}\t0\t1\t2\t3" for file, label in rows])
    made.pictures("test/images", "bird", 4, "test_{}.png")
    made.text("wnids.txt", ["cat", "dog"])


def numbered_folders(made: Made) -> None:
    rows = [(file, "cat") for file in made.pictures("images_part_1", "cat", 12, "A{}.png")]
    rows += [(file, "dog") for file in made.pictures("images_part_2", "dog", 12, "B{}.png")]
    made.text(
        "metadata.csv", ["lesion,image_id,dx,age", *(f"x,{stem(f)},{label},{n}" for n, (f, label) in enumerate(rows))]
    )


def split_column(made: Made) -> None:
    rows = made.heap("images")
    part = {True: "train", False: "test"}
    made.text(
        "all.csv", ["path,label,split", *(f"images/{f},{label},{part[n % 4 > 0]}" for n, (f, label) in enumerate(rows))]
    )


def flag_column(made: Made) -> None:
    rows = made.heap("images")
    made.text("all.csv", ["name,label,is_valid", *(f"{f},{label},{n % 4 == 0}" for n, (f, label) in enumerate(rows))])


def one_hot(made: Made) -> None:
    rows = made.heap("train_images")
    made.text(
        "train.csv", ["image,cat,dog", *(f"{stem(f)},{label == 'cat':d},{label == 'dog':d}" for f, label in rows)]
    )


def own_paths(made: Made) -> None:
    rows = made.heap("images")
    made.text("labels.csv", ["path,label", *(f"C:\\data\\set\\images\\{file},{label}" for file, label in rows)])


def json_of(shape: Callable[[list[tuple[str, str]]], object], name: str = "labels.json") -> Callable[[Made], None]:
    def make(made: Made) -> None:
        made.text(name, shape(made.heap("images")))

    return make


def json_lines(made: Made) -> None:
    rows = made.heap("train")
    made.text("train/metadata.jsonl", [json.dumps({"file_name": file, "label": label}) for file, label in rows])


def json_by_class(rows: list[tuple[str, str]]) -> object:
    return {name: [file for file, label in rows if label == name] for name in ("cat", "dog")}


def json_by_part(rows: list[tuple[str, str]]) -> object:
    items = [[file, ("cat", "dog").index(label), label] for file, label in rows]
    return {"train": items[::2], "val": items[1::4], "test": items[3::4]}


def categories(rows: list[tuple[str, str]]) -> object:
    return {
        "images": [{"id": n, "file_name": f"images/{file}"} for n, (file, _) in enumerate(rows)],
        "annotations": [{"image_id": n, "category_id": 3 + (label == "cat")} for n, (_, label) in enumerate(rows)],
        "categories": [{"id": 3, "name": "A dog"}, {"id": 4, "name": "Big cat"}],
    }


# ---- boxes


def coco(made: Made, folder: str, file: str, count: int = 12, prefix: str = "") -> None:
    names = made.pictures(folder, "cat", count, prefix + "{}.png")
    document = {
        "images": [{"id": n, "file_name": name, "width": 4, "height": 4} for n, name in enumerate(names)],
        "annotations": [{"image_id": n, "category_id": 1 + n % 2, "bbox": [1, 0, 2, 2]} for n in range(count)],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    made.text(file, document)


def coco_as_published(made: Made) -> None:
    coco(made, "train2017", "annotations/instances_train2017.json", prefix="a")
    coco(made, "val2017", "annotations/instances_val2017.json", 3, "b")
    made.text("annotations/captions_val2017.json", {"images": [], "annotations": [{"caption": "x"}]})


def coco_of_roboflow(made: Made) -> None:
    for folder, count in (("train", 12), ("valid", 3), ("test", 3)):
        coco(made, folder, f"{folder}/_annotations.coco.json", count)


def yolo(made: Made, images: str, labels: str, count: int = 12, line: str = "{} 0.5 0.25 0.5 0.5") -> None:
    for number, name in enumerate(made.pictures(images, "cat", count)):
        made.text(f"{labels}/{stem(name)}.txt", [line.format(number % 2)])


def yolo_of_roboflow(made: Made) -> None:
    for folder, count in (("train", 12), ("valid", 3), ("test", 3)):
        yolo(made, f"{folder}/images", f"{folder}/labels", count)
    made.text("data.yaml", "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['cat', 'dog']\n")


def yolo_of_ultralytics(made: Made) -> None:
    for part, count in (("train", 12), ("val", 3)):
        yolo(made, f"images/{part}", f"labels/{part}", count)
    made.text("coco8.yaml", "path: .\ntrain: images/train\nval: images/val\nnames:\n  0: cat\n  1: dog\n")


def yolo_as_one(made: Made) -> None:
    yolo(made, "images", "labels")
    made.pictures("images", "cat", 3, "empty{}.png")
    made.text("classes.txt", ["cat", "dog"])


def yolo_beside(made: Made) -> None:
    yolo(made, "obj_train_data", "obj_train_data")
    made.text("obj.names", ["cat", "dog"])


def yolo_for_classes(made: Made) -> None:
    in_parts("train", "valid", "test")(made)
    made.text("README.roboflow.txt", "exported")


def write_png(path: Path, pixels: np.ndarray, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


# ---- masks, and what lies beside pictures


def masked(made: Made, folder: str, count: int) -> None:
    made.pictures(f"{folder}/images", "cat", count)
    for number in range(count):
        write_png(made.root / folder / "masks" / f"{number}.png", np.full((4, 4), number % 2, np.uint8))


def masks_by_part(made: Made) -> None:
    for folder, count in (("train", 12), ("val", 3), ("test", 3)):
        masked(made, f"set/{folder}", count)


def pets(made: Made) -> None:
    """Classes in a list of four columns, and masks of the same names."""
    rows = made.heap("images", form="Pet_{}.jpg")
    for number in range(24):
        write_png(made.root / "annotations" / "trimaps" / f"Pet_{number}.png", np.zeros((4, 4), np.uint8))
    lines = [f"{stem(file)} {1 + (label == 'dog')} 1 1" for file, label in rows]
    made.text("annotations/trainval.txt", [*lines[:8], *lines[12:20]])
    made.text("annotations/test.txt", [*lines[8:12], *lines[20:]])
    made.text("annotations/list.txt", ["#Image CLASS-ID SPECIES BREED ID", "#ID: 1:37 Class ids", *lines])


def solution(made: Made) -> None:
    """ImageNet's: the labels of a flat part with a box behind each."""
    made.classes("Data/train")
    rows = made.heap("Data/val", 3, "VAL_{:08}.JPEG")
    made.text(
        "LOC_val_solution.csv", ["ImageId,PredictionString", *(f"{stem(f)},{label} 1 2 3 4 " for f, label in rows)]
    )


def signs(made: Made) -> None:
    """Class folders with a table in each, and a flat part with one of its own; classes are numbers with zeros."""
    for label in "012":
        made.pictures(f"Final_Training/Images/0000{label}", label, 12, "{:05}_00000.ppm")
        rows = [f"{n:05}_00000.ppm;30;30;5;5;24;24;{label}" for n in range(12)]
        made.text(f"Final_Training/Images/0000{label}/GT-0000{label}.csv", [_SIGNS, *rows])
    rows = made.heap("Final_Test/Images", 3, "{:05}.ppm", "0 1 2")
    made.text("Final_Test/Images/GT-final_test.csv", [_SIGNS, *(f"{f};30;30;5;5;24;24;{label}" for f, label in rows)])


_SIGNS = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"
