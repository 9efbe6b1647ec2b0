"""Tasks: fixed, disjoint, stratified parts, images that fit the model, and clear words where they can't be had."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from explorer.errors import ExplorerError
from explorer.sources import load_task
from explorer.sources.reading import shape_pictures
from explorer.sources.reading.downloads import read_cifar_records
from explorer.sources.reading.pictures import fit
from explorer.sources.reading.splits import stratified_split
from explorer.tasks import PARTS

SMALL = "shapes?n=400&classes=4&difficulty=0.5"


def labels(images) -> np.ndarray:
    return np.array([int(images[index][1]) for index in range(len(images))])


def complain(ref: str, **arguments) -> str:
    with pytest.raises(ExplorerError) as caught:
        load_task(ref, **arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three classes of plain-coloured pictures of different sizes, 20 each."""
    generator = np.random.default_rng(0)
    for number, name in enumerate(("blue", "green", "red")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(20):
            pixels = np.zeros((int(generator.integers(20, 60)), int(generator.integers(20, 60)), 3), np.uint8)
            pixels[:, :, 2 - number] = 200
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{index}.png")
    return tmp_path / "photos"


def test_split_is_stratified_disjoint_complete_and_fixed():
    targets = np.repeat([0, 1, 2], [100, 50, 7])
    parts = stratified_split(targets, (0.6, 0.1, 0.15, 0.15), seed=3)
    assert sorted(np.concatenate(parts)) == list(range(157))
    assert [np.bincount(targets[part]).tolist() for part in parts] == [[60, 30, 4], [10, 5, 1], [15, 7, 1], [15, 8, 1]]
    again = stratified_split(targets, (0.6, 0.1, 0.15, 0.15), seed=3)
    other = stratified_split(targets, (0.6, 0.1, 0.15, 0.15), seed=4)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))
    assert not np.array_equal(parts[0], other[0])


def test_digits_are_all_there_once():
    task = load_task("digits")
    sizes = [len(getattr(task, part)) for part in PARTS]
    assert sum(sizes) == 1797
    np.testing.assert_allclose(np.array(sizes) / 1797, [0.6, 0.1, 0.15, 0.15], atol=0.005)
    images = torch.cat([getattr(task, part).tensors[0] for part in PARTS]).flatten(1)
    assert len(torch.unique(images, dim=0)) == 1797
    for part in PARTS:
        counts = np.bincount(labels(getattr(task, part)), minlength=10)
        assert counts.min() > 0.85 * counts.mean()


def test_digits_are_enlarged_from_8_by_8():
    task = load_task("digits")
    assert task.input_shape == (1, 32, 32)
    assert task.measured
    image, label = task.test[0]
    assert image.dtype == torch.float32
    assert -1 <= image.min() < image.max() <= 1
    assert 0 <= int(label) < 10
    batch, targets = next(iter(DataLoader(task.train, batch_size=5)))
    assert batch.shape == (5, 1, 32, 32)
    assert targets.dtype == torch.int64


def test_shapes_depend_on_nothing_but_their_arguments():
    first, again = shape_pictures.generate(1200, 6, 0.5, 7), shape_pictures.generate(1200, 6, 0.5, 7)
    assert np.array_equal(first[0], again[0])
    assert not np.array_equal(first[0], shape_pictures.generate(1200, 6, 0.5, 8)[0])
    assert np.bincount(first[1]).tolist() == [200] * 6
    assert len(np.unique(first[0].reshape(1200, -1), axis=0)) == 1200


def test_every_class_looks_different_when_it_is_easy():
    """Without clutter and noise, the mean picture's contrast to the ground follows the shape's texture."""
    pixels, targets = shape_pictures.generate(600, 12, 0.0, 0)
    middle = pixels[:, :, 12:20, 12:20].astype(float)
    roughness = np.array([middle[targets == label].std(axis=(2, 3)).mean() for label in range(12)])
    assert roughness[:4].max() < 0.5 * roughness[4:].min()  # plain against striped and checked


def test_difficulty_adds_noise():
    rough = [np.abs(np.diff(shape_pictures.generate(60, 4, level, 0)[0].astype(float))).mean() for level in (0, 0.5, 1)]
    assert rough[0] < rough[1] < rough[2]


def test_shapes_options():
    task = load_task("shapes?n=300&classes=5&difficulty=0.2&seed=3")
    assert task.classes == ("plain disc", "plain square", "plain triangle", "plain cross", "striped disc")
    assert sum(len(getattr(task, part)) for part in PARTS) == 300
    assert task.input_shape == (3, 32, 32)
    assert len(load_task("shapes?n=240&classes=12").classes) == 12


def test_images_are_brought_to_the_model():
    grey = load_task("digits", input_shape=(3, 64, 64))
    image, _ = grey.test[0]
    assert image.shape == (3, 64, 64)
    assert torch.equal(image[0], image[1])
    assert grey.note == "images resized from 32×32 to 64×64 and grey repeated in three channels to fit the model"
    colour = load_task(SMALL, input_shape=(1, 32, 32))
    assert colour.test[0][0].shape == (1, 32, 32)
    assert "turned to grey" in colour.note
    assert load_task(SMALL).note == ""


def test_large_inputs_are_made_when_asked_for_and_are_the_same():
    lazy, small = load_task("digits", input_shape=(3, 224, 224)), load_task("digits")
    assert not hasattr(lazy.train, "tensors")
    image, label = lazy.train[5]
    assert isinstance(label, int)
    assert label == int(small.train[5][1])
    expected = fit((small.train[5][0] + 1) / 2, (3, 224, 224)) * 2 - 1
    torch.testing.assert_close(image, expected, rtol=0, atol=1e-5)


def test_luma_weights():
    red = torch.tensor([1.0, 0, 0]).view(3, 1, 1).expand(3, 2, 2)
    assert fit(red, (1, 2, 2))[0, 0, 0] == pytest.approx(0.299)


@pytest.mark.parametrize("ref", ["digits", SMALL, "random"])
def test_pictures_for_the_eye(ref):
    task = load_task(ref, input_shape=(3, 40, 40))
    picture = task.show(3, part="validation")
    assert picture.shape == (40, 40, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 5


def test_picture_undoes_the_normalisation():
    pixels, targets = shape_pictures.generate(400, 4, 0.5, 0)
    index = stratified_split(targets, (0.6, 0.1, 0.15, 0.15), seed=0)[3][2]
    assert np.array_equal(load_task(SMALL).show(2), pixels[index].transpose(1, 2, 0))


def test_loaded_once():
    assert load_task("digits") is load_task("digits")


def test_random_is_never_measured():
    task = load_task("random", input_shape=(2, 5, 6), classes=3)
    assert task.measured is False
    assert len(task.classes) == 3
    assert task.train[0][0].shape == (2, 5, 6)
    assert torch.equal(task.test[4][0], load_task("random", input_shape=(2, 5, 6), classes=3).test[4][0])
    assert not torch.equal(task.test[4][0], task.train[4][0])
    assert set(labels(task.test)) == {0, 1, 2}


def test_folder_is_split_and_read(pictures):
    task = load_task(f"folder:{pictures}", input_shape=(3, 24, 24), classes=3)
    assert task.classes == ("blue", "green", "red")
    assert [len(getattr(task, part)) for part in PARTS] == [36, 6, 9, 9]
    for index in range(len(task.test)):
        picture = task.show(index)
        assert picture.shape == (24, 24, 3)
        assert picture[12, 12].argmax() == 2 - task.test[index][1]
        assert picture[12, 12].max() == pytest.approx(200, abs=2)
    assert load_task(f"folder:{pictures}", input_shape=(1, 24, 24)).test[0][0].shape == (1, 24, 24)
    assert load_task(f"folder:{pictures}").input_shape == (3, 224, 224)


def test_folder_with_its_own_parts(pictures):
    for part in ("train", "val"):
        (pictures / part).mkdir()
    for name in ("blue", "green", "red"):
        (pictures / "val" / name).mkdir()
        for index in range(5):
            (pictures / name / f"{index}.png").rename(pictures / "val" / name / f"{index}.png")
        (pictures / name).rename(pictures / "train" / name)
    task = load_task(f"folder:{pictures}", input_shape=(3, 8, 8))
    assert len(task.test) == 15
    assert len(task.train) + len(task.calibration) + len(task.validation) == 45
    (pictures / "val").rename(pictures / "test")
    (pictures / "test" / "red").rename(pictures / "test" / "rot")
    assert "different classes: red, rot" in complain(f"folder:{pictures}")


def test_damaged_pictures_are_named(pictures):
    task = load_task(f"folder:{pictures}", input_shape=(3, 8, 8))
    for file in (pictures / "red").iterdir():
        file.write_bytes(file.read_bytes()[:40])
    damaged = next(index for index, label in enumerate(task.test._labels) if task.classes[label] == "red")
    with pytest.raises(ExplorerError, match=r"can't read the picture .*red.*\.png"):
        task.test[damaged]


def test_absurdly_large_pictures_are_refused(pictures, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert "pixels" in complain(f"folder:{pictures}", input_shape=(3, 8, 8))


def test_folders_that_do_not_work(tmp_path, pictures):
    assert "does not exist" in complain(f"folder:{tmp_path / 'none'}")
    assert "not a folder" in complain(f"folder:{pictures / 'red' / '0.png'}")
    shutil.copytree(pictures / "red", tmp_path / "one" / "red")
    assert "1 class" in complain(f"folder:{tmp_path / 'one'}")
    (pictures / "yellow").mkdir()
    assert "no pictures" in complain(f"folder:{pictures}")
    (pictures / "yellow").rmdir()
    for name in ("blue", "green", "red"):
        for file in list((pictures / name).iterdir())[1:]:
            file.unlink()
    assert "3 pictures" in complain(f"folder:{pictures}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folder_without_permission(pictures):
    pictures.chmod(0)
    try:
        assert "can't read the folder" in complain(f"folder:{pictures}")
    finally:
        pictures.chmod(0o755)


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("digit", "did you mean digits?"),
        ("digits?seed=1", "takes no options"),
        ("shapes?colour=1", "its options are classes, difficulty, seed, n"),
        ("shapes?classes=13", "whole number from 2 to 12"),
        ("shapes?classes=4&classes=5", "once"),
        ("shapes?difficulty=nan", "number from 0 to 1"),
        ("shapes?n=-5", "whole number"),
        ("torchvision:CIFAR", "did you mean CIFAR10"),
        ("", "unknown data"),
    ],
)
def test_bad_refs(ref, words):
    assert words in complain(ref)


def test_models_that_do_not_fit():
    assert "10 classes but the model gives 1000" in complain("digits", classes=1000)
    assert "4 channels" in complain("digits", input_shape=(4, 32, 32))
    assert "the model reads texts" in complain("digits", input_shape=(32,))


@pytest.mark.parametrize("name", ["CIFAR10", "MNIST", "SVHN"])
def test_unreachable_network_is_said(name, tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path))
    monkeypatch.setattr("urllib.request._opener", None)  # it remembers the proxies of its first use
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    message = complain(f"torchvision:{name}")
    assert "could not be downloaded (no connection" in message
    assert str(tmp_path) in message


def test_cifar_is_read_from_its_binary_records(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path))
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for name, count in (("train.bin", 200), ("test.bin", 50)):
        records = generator.integers(0, 256, (count, 3074), dtype=np.uint8)
        records[:, 1] = np.arange(count) % 2
        records.tofile(folder / name)
    (folder / "fine_label_names.txt").write_text("apple\nbear\n")
    task = load_task("torchvision:CIFAR100")
    assert task.classes == ("apple", "bear")
    assert [len(getattr(task, part)) for part in PARTS] == [160, 20, 20, 50]
    first = np.fromfile(folder / "test.bin", np.uint8)[2:3074].reshape(3, 32, 32)
    images = [task.show(index).transpose(2, 0, 1) for index in range(50)]
    assert any(np.array_equal(image, first) for image in images)
    (folder / "short.bin").write_bytes(b"x" * 5000)
    with pytest.raises(ValueError, match="damaged"):
        read_cifar_records(folder / "short.bin")
