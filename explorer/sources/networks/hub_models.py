"""Hugging Face models: from a folder or the hub, as networks of one tensor, without running anything they carry."""

import contextlib
import copy
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from explorer import memory
from explorer.errors import ExplorerError, one_line, unknown
from explorer.reading import read_object
from explorer.sources.networks.bounded import bounded
from explorer.sources.networks.detectors import QueryDetector
from explorer.sources.networks.hugging_face import ImageModel, TextModel
from explorer.sources.reading.texts import Tokenizer
from explorer.sources.refs import Place, integer, split_query

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_REVISION = re.compile(r"[\w./-]+")
_MOST_CLASSES = 100_000
_COUNTED = re.compile(r"num_|layers?$|depths?$")  # numbers of a configuration that count something
_MOST_COUNTED = 100_000
_LENGTH = 64  # tokens of a text, where the model allows as many
# Experts one by one: what multiplies them all at once wants widths that few cuts leave.
EXPERTS = {"experts_implementation": "eager"}
_FORGOTTEN = ("_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype", "auto_map")


@dataclass(frozen=True)
class Head:
    """A kind of task that models are published for.

    Args:
        kind: a key of `TASK_KINDS`.
        suffix: of the class in transformers.
        wrapper: makes it a network of one tensor.
        single: the kind where there is a single output; empty: the same.
        others: further suffixes of classes with such outputs.
    """

    kind: str
    suffix: str
    wrapper: type[nn.Module]
    single: str = ""
    others: tuple[str, ...] = ()

    def kind_of(self, outputs: int) -> str:
        """The kind of task of a model with so many outputs."""
        return self.single if self.single and outputs == 1 else self.kind

    @property
    def auto_class(self) -> str:
        return f"AutoModel{self.suffix}"


HEADS = {
    head.kind: head
    for head in (
        Head(
            "image-classification",
            "ForImageClassification",
            ImageModel,
            others=("ForImageClassificationWithTeacher",),
        ),
        Head("text-classification", "ForSequenceClassification", TextModel, single="text-regression"),
        Head("segmentation", "ForSemanticSegmentation", ImageModel),
        Head("detection", "ForObjectDetection", QueryDetector),
    )
}


@dataclass(frozen=True)
class HubModel:
    """What a folder or repository holds; see `LoadedModel` for the fields."""

    module: nn.Module
    kind: str
    classes: int
    input_shape: tuple[int, ...]
    architecture: dict[str, Any]
    title: str
    note: str
    trained: bool
    tokenizer: Tokenizer | None
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] | None


def read(place: Place, shape: tuple[int, ...] | None, classes: int | None, kind: str | None = None) -> HubModel:
    """The model of ``hf:…``: a folder or a repository's id, with options ``revision``, ``task`` and ``labels``.

    Only configurations in JSON, weights in safetensors and tokenizers in JSON or text are read; code that a
    repository carries is never run.

    Args:
        shape: (C, H, W) or (L,), the input if not the model's own.
        classes: how many outputs a head has that is new because the model carries none, or another.
        kind: the task of such a head, where the ref does not say it.

    Raises:
        ExplorerError: it can't be found or reached, has weights in another format, is for another task, too large, or
            damaged.
    """
    options = split_query(place.ref, {"revision": _revision, "task": _task, "labels": integer(1, _MOST_CLASSES)})[1]
    where = _checked_folder(place.path) if place.path else _hub_id(place)
    try:
        return _opened(place.name, where, options, shape, classes, kind)
    except ExplorerError:
        raise
    except Exception as error:  # a configuration can say anything in any place
        raise ExplorerError(f"hf:{place.name} can't be read: {_reason(error)}") from None


def _opened(
    name: str,
    place: str | Path,
    options: dict[str, Any],
    shape: tuple[int, ...] | None,
    classes: int | None,
    kind: str | None,
) -> HubModel:
    source = _Source(name, options.get("revision"))
    config = source.config(place)
    head, is_new = _head(config, options.get("task"), kind, name)
    wanted = options.get("labels", classes if is_new else None)
    if wanted is not None and wanted != config.num_labels:
        config.num_labels, is_new = wanted, True
    tokenizer = source.tokenizer(place, config, shape) if head.wrapper is TextModel else None
    _settle(config, tokenizer)
    model, new = source.model(place, config, head, is_new)
    native, normalisation = (None, None) if tokenizer else source.pictures(place, config)
    input_shape = (tokenizer.length,) if tokenizer else (shape or native)
    if head.wrapper is TextModel and not tokenizer:
        input_shape = shape or (_LENGTH,)
    note = "weights from safetensors"
    if new:
        note = f"pretrained, but its head is new and random ({', '.join(new[:2])}): fine-tune it before judging it"
    return HubModel(
        module=head.wrapper(_thawed(model)).eval(),
        kind=head.kind_of(config.num_labels),
        classes=config.num_labels,
        input_shape=tuple(input_shape),
        architecture=_architecture(head, config),
        title=f"{type(model).__name__} {Path(name).name}",
        note=note,
        trained=not new,
        tokenizer=tokenizer,
        normalisation=normalisation,
    )


def build_from_config(kind: str, arguments: dict[str, Any]) -> nn.Module:
    """The untrained network of a description's ``{"config": …}``, wrapped, with random weights.

    Raises:
        ValueError: the description is damaged.
    """
    transformers = _transformers()
    if kind not in HEADS:
        raise ValueError(f"there is no head for {kind}")
    values = dict(arguments["config"])
    _check_counts(values)
    config = transformers.AutoConfig.for_model(values.pop("model_type"), **values)
    head = HEADS[kind]
    with _quietly():
        return head.wrapper(_thawed(getattr(transformers, head.auto_class).from_config(config, **EXPERTS))).eval()


def _thawed(model: nn.Module) -> nn.Module:
    """DETR freezes its backbone, but what is cut must be able to learn again."""
    return model.requires_grad_(True)


def example_ids(module: nn.Module, length: int, batch: int) -> Tensor:
    """Random token ids (batch, length) that the wrapped model takes, always the same; the last one ends the text."""
    config = module.model.config
    end = getattr(config, "eos_token_id", None)  # of several the list is no id; encoders may have none
    special = {getattr(config, "pad_token_id", None), end if isinstance(end, int) else None}
    ordinary = torch.tensor([i for i in range(min(config.vocab_size, 30_000)) if i not in special])
    generator = torch.Generator().manual_seed(0)
    ids = ordinary[torch.randint(len(ordinary), (batch, length), generator=generator)]
    if _is_token(end, config):
        ids[:, -1] = end
    return ids


def _is_token(number: Any, config: Any) -> bool:
    """Whether it is one of the vocabulary: small configurations keep special ids of the large ones."""
    return isinstance(number, int) and 0 <= number < config.vocab_size


def read_tokenizer(folder: Path, length: int) -> Tokenizer:
    """The tokenizer that a saved run keeps beside its weights.

    Raises:
        ExplorerError: it is damaged.
    """
    try:
        with _quietly():
            if (folder / "tokenizer_config.json").is_file():
                _check_tokenizer(read_object(folder / "tokenizer_config.json"))
            inner = _transformers().AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except ExplorerError:
        raise
    except Exception as error:  # of many libraries
        raise ExplorerError(f"the tokenizer in {str(folder)!r} is damaged: {one_line(error)}") from None
    return Tokenizer(inner, length)


class _Source:
    """Reads the parts of one folder or repository, and says in one sentence what is wrong with it."""

    def __init__(self, name: str, revision: str | None) -> None:
        self._name = name
        self._options = {"trust_remote_code": False}
        if revision is not None:
            self._options["revision"] = revision

    def config(self, place: str | Path) -> Any:
        _check_counts(self._read(lambda t: t.PreTrainedConfig.get_config_dict(place, **self._options)[0]))
        return self._read(lambda t: t.AutoConfig.from_pretrained(place, **self._options))

    def tokenizer(self, place: str | Path, config: Any, shape: tuple[int, ...] | None) -> Tokenizer | None:
        """The tokenizer with the length of its texts; None where the model comes without."""
        if isinstance(place, Path) and not any((place / file).is_file() for file in _TOKENIZER_FILES):
            return None
        _check_tokenizer(
            self._read(lambda t: t.models.auto.tokenization_auto.get_tokenizer_config(place, **self._options))
        )
        inner = self._read(lambda t: t.AutoTokenizer.from_pretrained(place, **self._options))
        most = min(getattr(config, "max_position_embeddings", None) or 10**6, inner.model_max_length)
        if getattr(config, "model_type", "") == "roberta":
            most -= 2  # its positions count from the padding token on
        if shape is not None and (len(shape) != 1 or shape[0] > most):
            raise ExplorerError(f"hf:{self._name} reads texts of up to {most} tokens: give --input a number up to that")
        return Tokenizer(inner, shape[0] if shape else min(_LENGTH, most))

    def model(self, place: str | Path, config: Any, head: Head, is_new: bool) -> tuple[nn.Module, list[str]]:
        """The network with its weights, in float32, and the names of weights that were not there."""
        with bounded(f"the network of hf:{self._name}"):
            model, told = self._read(
                lambda t: getattr(t, head.auto_class).from_pretrained(
                    place,
                    config=config,
                    use_safetensors=True,
                    dtype=torch.float32,
                    output_loading_info=True,
                    ignore_mismatched_sizes=is_new,
                    **EXPERTS,
                    **self._options,
                )
            )
        missing = sorted({*told["missing_keys"], *(entry[0] for entry in told["mismatched_keys"])})
        body = [key for key in missing if key.startswith(f"{model.base_model_prefix}.") and "pooler" not in key]
        if body:
            raise ExplorerError(
                f"hf:{self._name} lacks {len(body)} weights of its configuration ({', '.join(body[:2])}, …): "
                "its files don't belong together"
            )
        _own(model)
        return model, missing

    def pictures(self, place: str | Path, config: Any) -> tuple[tuple[int, int, int], Any]:
        """The input (C, H, W) and the (mean, std) that pictures are normalised by, where it says them."""
        tower = config if hasattr(config, "image_size") else getattr(config, "vision_config", config)  # as CLIP has
        channels = getattr(tower, "num_channels", 3)
        side = getattr(tower, "image_size", None)
        processor: dict[str, Any] = {}
        if not isinstance(place, Path) or (place / "preprocessor_config.json").is_file():
            with contextlib.suppress(ExplorerError):  # many repositories of networks for images have none
                options = {key: value for key, value in self._options.items() if key == "revision"}
                processor = self._read(lambda t: t.ImageProcessingMixin.get_image_processor_dict(place, **options)[0])
        size = processor.get("crop_size") if processor.get("do_center_crop") else processor.get("size")
        height, width = _sides(side or size or 224)
        mean, std = processor.get("image_mean"), processor.get("image_std")
        if not (mean and std and len(mean) == len(std) == channels):
            return (channels, height, width), None
        mean, std = tuple(map(float, mean)), tuple(map(float, std))
        if not all(map(math.isfinite, mean + std)) or min(std) <= 0:
            raise ExplorerError(
                f"hf:{self._name} normalises pictures by {mean} and {std}: the latter should be above 0"
            )
        return (channels, height, width), (mean, std)

    def _read(self, work: Any) -> Any:
        transformers = _transformers()
        try:
            with _quietly():
                return work(transformers)
        except ExplorerError:
            raise
        except Exception as error:  # transformers, its hub client and safetensors each raise classes of their own
            raise ExplorerError(f"hf:{self._name} can't be read: {_reason(error)}") from None


_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model")


def _hub_id(place: Place) -> str:
    if not _HUB_ID.fullmatch(place.name):
        raise ExplorerError(f"hf:{place.name} names no model: write hf:OWNER/NAME, or hf:./FOLDER")
    return place.name


def _checked_folder(folder: Path) -> Path:
    """A folder with a configuration and weights in safetensors, which name no files elsewhere."""
    if not folder.is_dir():
        raise ExplorerError(f"there is no folder {str(folder)!r}: check the path")
    if not (folder / "config.json").is_file():
        raise ExplorerError(f"the folder {str(folder)!r} has no config.json: it holds no Hugging Face model")
    if not any(folder.glob("*.safetensors")):
        raise ExplorerError(
            f"the folder {str(folder)!r} has no weights in safetensors, and other formats could run code: "
            "save it with save_pretrained(…, safe_serialization=True)"
        )
    if (folder / "adapter_config.json").exists():
        raise ExplorerError(
            f"the folder {str(folder)!r} holds an adapter, which names its network: merge the two first"
        )
    sizes = [file.stat().st_size for file in folder.iterdir() if file.is_file()]
    memory.require(2 * sum(sizes), f"reading the model in {str(folder)!r}", "choose a smaller one")
    if "configuration_files" in read_object(folder / "config.json"):
        raise ExplorerError(f"the configuration in {str(folder)!r} names others: name a folder with a single one")
    for index in sorted(folder.glob("*.index.json")):
        shards = read_object(index).get("weight_map")
        if not isinstance(shards, dict) or not all(_is_plain(file) for file in shards.values()):
            raise ExplorerError(f"{str(index)!r} is damaged: it should name files beside it")
    return folder


def _is_plain(name: object) -> bool:
    """Whether it is the name of a file, without a folder."""
    return isinstance(name, str) and Path(name).name == name not in ("", "..")


def _exists(path: str) -> bool:
    try:
        return Path(path).expanduser().exists()
    except (OSError, RuntimeError, ValueError):
        return False


def _check_counts(config: Any) -> None:
    """Refuses numbers of layers, classes and the like that no network has, and of which lists would be made.

    Raises:
        ExplorerError: it names one; or there is no object of settings.
    """
    if not isinstance(config, dict):
        raise ExplorerError("config.json is damaged: it should hold a JSON object")
    waiting: list[tuple[str, Any]] = list(config.items())
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(str(key), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(name, inner) for inner in value]
        elif isinstance(value, int | float) and _COUNTED.search(name) and not abs(value) <= _MOST_COUNTED:
            raise ExplorerError(f"the configuration has {name} = {value}: it may be {_MOST_COUNTED:,} at most")


def _check_tokenizer(config: Any) -> None:
    """Refuses a tokenizer's configuration that names files which lie elsewhere.

    Raises:
        ExplorerError: it names one.
    """
    for name, value in config.items() if isinstance(config, dict) else ():
        if name.endswith("_file") and isinstance(value, str) and _exists(value):  # as seen from the working directory
            raise ExplorerError(f"the tokenizer names {name} = {value!r}, which is not its own: remove that line")
        if name.endswith("_files") and not all(map(_is_plain, value if isinstance(value, list) else [value])):
            raise ExplorerError(f"the tokenizer names {name} that are not beside it: remove that line")


def _head(config: Any, task: str | None, kind: str | None, name: str) -> tuple[Head, bool]:
    """The head that the model was published with or is to get, and whether it is a new one."""
    published = (config.architectures or ["a model"])[0]
    for head in HEADS.values():
        if published.endswith((head.suffix, *head.others)) and task in (None, head.kind):
            return head, False
    chosen = HEADS[task] if task else next((head for head in HEADS.values() if kind in (head.kind, head.single)), None)
    if chosen is None:
        raise ExplorerError(
            f"hf:{name} is {published}, which answers no question that can be measured here: give it a new head with"
            f" hf:{name}?task=TASK&labels=N, TASK being {', '.join(HEADS)}"
        )
    return chosen, True


@torch.no_grad()
def _own(model: nn.Module) -> None:
    """Copies what may still be a view of the file, which somebody could truncate under a running process."""
    for tensor in {id(tensor): tensor for tensor in model.state_dict(keep_vars=True).values()}.values():
        tensor.data = tensor.data.clone()


def _settle(config: Any, tokenizer: Tokenizer | None) -> None:
    """What a model needs for batches: a padding token, the tokenizer's; and no memory of earlier tokens."""
    if tokenizer is not None:
        config.pad_token_id = tokenizer.padding
    elif hasattr(config, "pad_token_id") and not _is_token(config.pad_token_id, config):
        end = getattr(config, "eos_token_id", None)
        config.pad_token_id = end if _is_token(end, config) else 0
    if hasattr(config, "use_cache"):
        config.use_cache = False


def _architecture(head: Head, config: Any) -> dict[str, Any]:
    values = copy.deepcopy(config.to_diff_dict()) | {"model_type": config.model_type}
    for key in _FORGOTTEN:
        values.pop(key, None)
    return {"family": "huggingface", "name": head.kind, "arguments": {"config": values}}


def _sides(size: Any) -> tuple[int, int]:
    """Height and width from the ways in which configurations write them."""
    if isinstance(size, dict):
        side = size.get("shortest_edge", 224)
        return size.get("height", side), size.get("width", side)
    if isinstance(size, int):
        return size, size
    height, width = size
    return height, width


def _reason(error: Exception) -> str:
    text = one_line(error)
    if "trust_remote_code" in text or "custom code" in text:
        return "it needs code of its own, which is never run here: choose a model that transformers knows"
    if "safetensors" in text and "does not appear to have" in text:
        return "it has no weights in safetensors, and other formats could run code: choose another revision or model"
    if re.search(r"couldn't connect|connection|offline|resolve|timed out|Max retries", text, re.IGNORECASE):
        return "the hub can't be reached from here: check the network, or give a folder, hf:./FOLDER"
    if "is not a local folder and is not a valid model" in text or "404" in text or "Repository Not Found" in text:
        return "there is no such public model on the hub: check its name"
    return text


def _revision(text: str) -> str:
    if not _REVISION.fullmatch(text):
        raise ValueError("give a branch, a tag or a commit")
    return text


def _task(text: str) -> str:
    if text not in HEADS:
        raise ValueError(str(unknown("task", text, HEADS)))
    return text


def _transformers() -> Any:
    """The package, imported only here: it takes seconds.

    Raises:
        ExplorerError: it is not installed.
    """
    try:
        import transformers
    except ImportError:
        raise ExplorerError("Hugging Face models need the package transformers: pip install transformers") from None
    return transformers


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """No progress bars, no advice about training; the caller's random state stays."""
    logging = _transformers().logging
    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
