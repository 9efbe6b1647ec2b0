"""Files that can't be read are listed together when a folder is opened, and can be left out."""

from pathlib import Path

import pytest
from PIL import Image

from explorer.errors import ExplorerError
from explorer.sources import describe_task, load_task, places
from explorer.sources.reading.checking import BadPicturesError, check_pictures
from explorer.tasks import PARTS, census
from tests.sources import folders
from tests.sources.folders import Made
from tests.sources.test_pixels import RAMP


def opened(root: Path, options: str = ""):
    return load_task(f"folder:{root}{options}", input_shape=(3, 4, 4))


def refused(root: Path) -> BadPicturesError:
    with pytest.raises(BadPicturesError) as caught:
        opened(root)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Two classes of twelve; of the cats one is torn, one empty, one a text, one has floats that nobody can place."""
    Made(tmp_path).classes(".")
    Image.effect_noise((64, 64), 50).save(tmp_path / "cat" / "0.png")
    torn = (tmp_path / "cat" / "0.png").read_bytes()
    (tmp_path / "cat" / "0.png").write_bytes(torn[: len(torn) // 2])
    (tmp_path / "cat" / "1.png").write_bytes(b"")
    (tmp_path / "cat" / "2.png").write_text("an error page")
    Image.fromarray(RAMP.astype("float32")).save(tmp_path / "cat" / "3.tif")
    return tmp_path


def test_they_are_listed_together_with_their_reasons(damaged):
    error = refused(damaged)
    assert "4 of 25 pictures can't be read" in str(error)
    for name in ("cat/0.png (", "cat/1.png (cannot identify", "cat/2.png (", "cat/3.tif (its floating-point numbers"):
        assert name in str(error)
    assert len(error.bad) == 4
    assert error.without == f"folder:{damaged}?skip=bad"
    with pytest.raises(BadPicturesError):
        describe_task(f"folder:{damaged}")


def test_one_goes_on_without_them(damaged):
    task = load_task(refused(damaged).without, input_shape=(3, 4, 4))
    assert census(task).to_json()["counts"]["train"].keys() == {"cat", "dog"}
    assert sum(len(getattr(task, part)) for part in PARTS) == 21
    assert all(getattr(task, part)[n][0].shape == (3, 4, 4) for part in PARTS for n in range(len(getattr(task, part))))
    assert "4 files that can't be read are left out" in task.remarks


def test_without_them_the_rest_is_the_folder_without_them(damaged):
    without = opened(damaged, "?skip=bad")
    for path in ("0.png", "1.png", "2.png", "3.tif"):
        (damaged / "cat" / path).unlink()
    again = opened(damaged)
    assert [without.test.files, without.train.files] == [again.test.files, again.train.files]


def test_a_file_that_is_repaired_is_looked_at_again(damaged):
    assert len(refused(damaged).bad) == 4
    Image.new("RGB", (4, 4)).save(damaged / "cat" / "1.png")
    assert len(refused(damaged).bad) == 3


def test_where_nothing_is_left_nothing_is_offered(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(3):
            (tmp_path / name / f"{number}.png").write_bytes(b"x")
    error = refused(tmp_path)
    assert error.without == ""
    assert "6 of 6 pictures" in str(error)


def test_of_very_many_some_are_decoded_evenly_and_all_with_skip(tmp_path, monkeypatch):
    monkeypatch.setattr("explorer.sources.reading.checking._DECODED", 160)  # pixels: ten pictures
    Made(tmp_path).classes(".", 20)
    files = sorted(tmp_path.rglob("*.png"))
    checked = check_pictures(files)
    assert (checked.files, checked.headers, checked.decoded, checked.bad) == (40, 40, 10, {})
    assert any("40 were looked at and 10 decoded" in remark for remark in checked.remarks())
    assert check_pictures(files, thoroughly=True).decoded == 40


def test_pictures_that_a_table_names_in_vain(tmp_path):
    made = Made(tmp_path)
    rows = made.heap("images")
    made.text("labels.csv", ["file,label", *(f"{file},{label}" for file, label in rows), "lost.png,cat"])
    error = refused(tmp_path)
    assert "1 of 25 pictures in labels.csv are not there" in str(error)
    assert "lost.png" in str(error)
    task = load_task(error.without, input_shape=(3, 4, 4))
    assert sum(len(getattr(task, part)) for part in PARTS) == 24


def test_a_column_is_named_when_there_are_several(tmp_path):
    made = Made(tmp_path)
    rows = made.heap("images")
    lines = [f"{file},{label},{'big' if n % 3 else 'small'}" for n, (file, label) in enumerate(rows)]
    made.text("facts.csv", ["file,animal,how", *lines])
    with pytest.raises(ExplorerError, match=r"\?label=NAME"):
        opened(tmp_path)
    assert opened(tmp_path, "?label=animal").classes == ("cat", "dog")
    assert opened(tmp_path, "?label=how&skip=bad").classes == ("big", "small")
    with pytest.raises(ExplorerError, match="no column 'age': it has file, animal, how"):
        opened(tmp_path, "?label=age")


def test_a_table_can_be_named_itself(tmp_path):
    made = Made(tmp_path)
    rows = made.heap("images")
    made.text("b.csv", ["file,label", *(f"images/{file},{label}" for file, label in rows)])
    made.text("a.csv", ["file,label", *(f"images/{file},{label.upper()}" for file, label in rows)])
    assert load_task(f"folder:{tmp_path / 'b.csv'}", input_shape=(3, 4, 4)).classes == ("cat", "dog")


def test_question_marks_belong_to_a_path_that_has_them(tmp_path):
    for name in ("set", "set?skip=bad", "what?", "odd?a=b"):
        Made(tmp_path / name).classes(".", 12 if name == "set" else 20)
    for name in ("set", "set?skip=bad", "what?", "odd?a=b", "what??skip=bad", "odd?a=b?skip=bad"):
        ref = f"folder:{tmp_path / name}"
        path = tmp_path / (name if (tmp_path / name).exists() else name.removesuffix("?skip=bad"))
        assert [place.path for place in places(ref)] == [path]
        total = sum(len(getattr(opened(tmp_path / name), part)) for part in PARTS)
        assert total == (24 if name == "set" else 40)


@pytest.mark.parametrize(
    ("options", "words"),
    [("?skip=all", "write skip=bad"), ("?skip=bad&skip=bad", "once"), ("?label=", "name of a column")],
)
def test_options_that_can_not_be(tmp_path, options, words):
    Made(tmp_path).classes(".")
    with pytest.raises(ExplorerError, match=words):
        opened(tmp_path, options)


def test_an_option_that_is_not_known_is_said(tmp_path):
    Made(tmp_path).classes(".")
    with pytest.raises(ExplorerError, match=r"unknown option 'skipp' in .*its options are skip, label"):
        opened(tmp_path, "?skipp=bad")
    with pytest.raises(ExplorerError, match=r"'Pictures by class'.*'label' means nothing"):
        opened(tmp_path, "?label=x")


def test_what_is_odd_about_the_numbers_is_said(tmp_path):
    made = Made(tmp_path)
    made.pictures("cat", "cat", 97)
    made.pictures("dog", "dog", 3)
    made.pictures("bird", "bird", 1)
    found = census(opened(tmp_path))
    assert found.samples == {"train": 61, "calibration": 10, "validation": 15, "test": 15}
    assert found.counts["test"].tolist() == [0, 15, 0]
    assert found.majority() == ("cat", 1.0)
    untested, uneven = found.remarks()
    assert untested.startswith("no images of bird, dog in the test part")
    assert "always answering cat gets 100.0% of the test part" in uneven


def test_pictures_that_are_there_twice_are_said(tmp_path):
    for name, first in (("cat", 0), ("dog", 10)):
        for number in range(20):
            path = tmp_path / name / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new("L", (4, 4), first + number).save(path)
    assert any("20 pictures are in several classes at once" in remark for remark in opened(tmp_path).remarks)
    for number in range(10, 20):
        (tmp_path / "cat" / f"{number}.png").unlink()
        Image.new("L", (4, 4), number - 10).save(tmp_path / "cat" / f"copy{number}.png")
    assert any("of the test part are in training, too" in remark for remark in opened(tmp_path).remarks)


def test_boxes_are_counted_by_class(tmp_path):
    folders.coco(Made(tmp_path), "images", "annotations.json", 20)
    found = census(load_task(f"folder:{tmp_path}", input_shape=(3, 4, 4)))
    assert (found.what, found.classes, found.majority()) == ("boxes", ("cat", "dog"), None)
    assert sum(counts.sum() for counts in found.counts.values()) == 20


def test_no_link_in_a_circle_is_followed(tmp_path):
    Made(tmp_path).classes(".")
    (tmp_path / "cat" / "again").symlink_to(tmp_path)
    assert sum(len(getattr(opened(tmp_path), part)) for part in PARTS) == 24


def test_a_table_names_no_picture_elsewhere(tmp_path):
    made = Made(tmp_path / "set")
    rows = made.heap("images")
    Made(tmp_path).pictures("secret", "cat", 3)
    lines = [f"{file},{label}" for file, label in rows] + [f"../secret/{n}.jpg,cat" for n in range(2)]
    made.text("labels.csv", ["file,label", *lines, f"{tmp_path}/secret/x.png,dog"])
    assert "3 of 27 pictures in labels.csv are not there" in str(refused(tmp_path / "set"))
