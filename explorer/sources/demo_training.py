"""Training the bundled checkpoints from nothing: `python -m explorer demo`."""

import json
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from explorer.batches import Samples
from explorer.errors import ExplorerError
from explorer.files import check_file, replacing_file
from explorer.places import ASSETS
from explorer.progress import Report, part, silent
from explorer.reading import read_object
from explorer.sources.loading import load_task
from explorer.sources.networks.architectures import build
from explorer.tasks import Task

INDEX = "demo.json"  # of a folder of checkpoints: the record of each


@dataclass(frozen=True)
class Recipe:
    """How a checkpoint is trained; `shift` in pixels, `flip` only where no label depends on it."""

    network: str
    data: str
    title: str
    epochs: int
    optimiser: str
    rate: float
    decay: float
    shift: int
    flip: bool = False
    batch: int = 64
    seed: int = 0


def _recipes() -> dict[str, Recipe]:
    networks = {"resnet20": "ResNet-20", "vgg": "Slim VGG", "vit": "Vision transformer"}
    titles = {
        "digits": "handwritten digits",
        "shapes": "shapes and textures",
        "letters": "letters of many fonts",
        "hard-shapes": "shapes and textures, harder",
    }
    batches = {"digits": 64, "shapes": 32, "letters": 64, "hard-shapes": 32}
    epochs = {
        "digits": {"resnet20": 25, "vgg": 15, "vit": 30},
        "shapes": {"resnet20": 6, "vgg": 6, "vit": 24},
        "letters": {"resnet20": 16, "vgg": 16, "vit": 20},
        "hard-shapes": {"resnet20": 16, "vgg": 16, "vit": 60},
    }
    recipes = {}
    for data, lengths in epochs.items():
        for network, length in lengths.items():
            batch = batches[data]
            optimiser = ("adamw", 2e-3, 0.05) if network == "vit" else ("sgd", 0.1, 5e-4)
            scaled = (optimiser[0], optimiser[1] * batch / 64, optimiser[2])
            title = f"{networks[network]}, {titles[data]}"
            recipes[f"demo:{network}-{data}"] = Recipe(
                network, data, title, length, *scaled, shift=2, flip="shapes" in data, batch=batch
            )
    return recipes


RECIPES = _recipes()


def train_all(report: Report = silent, out: Path = ASSETS) -> dict[str, dict[str, Any]]:
    """Trains every demo checkpoint and writes `out/NAME.safetensors` and `out/demo.json`; gives the records.

    Raises:
        ExplorerError: see `train_demo`.
        Cancelled: by the report. Checkpoints that were finished stay.
    """
    for ref in RECIPES:
        _check(ref, out)
    records = {}
    for number, ref in enumerate(RECIPES):
        stage = part(report, number / len(RECIPES), (number + 1) / len(RECIPES))
        records[ref] = train_demo(ref, stage, out)
    return records


def train_demo(ref: str, report: Report = silent, out: Path = ASSETS) -> dict[str, Any]:
    """Trains one checkpoint and writes it with its record: seed, time, test top-1, sizes and versions.

    Raises:
        ExplorerError: `out` is no folder, or holds something else; then nothing is trained.
        Cancelled: by the report.
    """
    _records(out)
    recipe = RECIPES[ref]
    _check(ref, out)
    task = load_task(recipe.data)
    arguments = {"classes": len(task.classes), "channels": task.input_shape[0]}
    architecture = {"family": "demo", "name": recipe.network, "arguments": arguments}
    module = build(architecture)
    start = time.perf_counter()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        _train(module, task, recipe, lambda fraction, message, **m: report(fraction, f"{ref}: {message}", **m))
    record = {
        **asdict(recipe),
        "architecture": architecture,
        "input_shape": list(task.input_shape),
        "normalisation": {"mean": list(task.mean), "std": list(task.std)},
        "train_images": len(task.train),
        "test_images": len(task.test),
        "top1": round(_accuracy(module.eval(), task.test), 4),
        "seconds": round(time.perf_counter() - start, 1),
        "threads": torch.get_num_threads(),
        "command": f"python -m explorer demo --model {ref}",
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__.partition("+")[0],
            "torchvision": torchvision.__version__.partition("+")[0],
        },
    }
    _write(ref, module, record, out)
    return record


def _train(module: nn.Module, task: Task, recipe: Recipe, report: Report) -> None:
    images, labels = _stacked(task.train)
    steps = len(images) // recipe.batch
    optimiser, schedule = _optimiser(module, recipe, steps)
    module.train().to(memory_format=torch.channels_last)  # half as long on a processor
    for epoch in range(recipe.epochs):
        order = torch.randperm(len(images))
        for step in range(steps):
            index = order[step * recipe.batch : (step + 1) * recipe.batch]
            batch = _augmented(images[index], recipe)
            loss = F.cross_entropy(module(batch), labels[index])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            done = (epoch + (step + 1) / steps) / recipe.epochs
            report(done, f"epoch {epoch + 1} of {recipe.epochs}", loss=loss.item())


def _optimiser(
    module: nn.Module, recipe: Recipe, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    decayed = [p for p in module.parameters() if p.ndim > 1]
    plain = [p for p in module.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.decay}, {"params": plain, "weight_decay": 0.0}]
    if recipe.optimiser == "sgd":
        optimiser = torch.optim.SGD(groups, lr=recipe.rate, momentum=0.9, nesterov=True)
    else:
        optimiser = torch.optim.AdamW(groups, lr=recipe.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=recipe.epochs * steps, pct_start=0.2, cycle_momentum=False
    )
    return optimiser, schedule


def _augmented(images: Tensor, recipe: Recipe) -> Tensor:
    """Each image moved by up to `shift` pixels, its border repeated, and perhaps mirrored left to right."""
    count, _, height, width = images.shape
    padded = F.pad(images, (recipe.shift,) * 4, mode="replicate")
    rows = torch.arange(height) + torch.randint(2 * recipe.shift + 1, (count, 1))
    columns = torch.arange(width) + torch.randint(2 * recipe.shift + 1, (count, 1))
    if recipe.flip:
        columns = torch.where(torch.rand(count, 1) < 0.5, columns.flip(1), columns)
    moved = padded[torch.arange(count)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


@torch.inference_mode()
def _accuracy(module: nn.Module, images: Samples) -> float:
    inputs, labels = _stacked(images)
    correct = sum(
        int((module(batch).argmax(1) == target).sum())
        for batch, target in zip(inputs.split(250), labels.split(250), strict=True)
    )
    return correct / len(labels)


def _stacked(images: Samples) -> tuple[Tensor, Tensor]:
    pairs = [images[index] for index in range(len(images))]
    return torch.stack([image for image, _ in pairs]), torch.tensor([int(label) for _, label in pairs])


def _check(ref: str, out: Path) -> None:
    """Refuses a folder in which something else would be replaced."""
    if out.is_dir():
        check_file(out / _file(ref), lambda path: _made_for(path) == ref)
        check_file(out / INDEX, lambda path: read_object(path).keys() <= RECIPES.keys())


def _made_for(path: Path) -> str | None:
    """The ref that a checkpoint says it is of."""
    try:
        with safe_open(path, "pt") as archive:
            return (archive.metadata() or {}).get("ref")
    except SafetensorError:
        return None


def _write(ref: str, module: nn.Module, record: dict[str, Any], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
    with replacing_file(out / _file(ref), private=False) as path:
        path.write_bytes(save(tensors, metadata={"ref": ref}))
    records = _records(out) | {ref: record}
    with replacing_file(out / INDEX, private=False) as path:
        path.write_text(json.dumps({key: records[key] for key in RECIPES if key in records}, indent=2) + "\n")


def _file(ref: str) -> str:
    return f"{ref.removeprefix('demo:')}.safetensors"


def _records(out: Path) -> dict[str, Any]:
    """What a folder of checkpoints has; nothing yet where it is empty or absent."""
    if not out.exists() and not out.is_symlink():
        return {}
    if not out.is_dir():
        raise ExplorerError(f"{out} is a file: name a folder")
    try:
        return read_object(out / INDEX)
    except FileNotFoundError:
        own = {_file(ref) for ref in RECIPES}  # a stop between the weights and their record leaves weights alone
        if any(path.name not in own for path in out.iterdir()):
            raise ExplorerError(f"{out} holds other files: name a new or empty folder") from None
        return {}
