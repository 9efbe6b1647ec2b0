"""The README.md of an exported model."""

from collections.abc import Iterable, Mapping
from typing import Any

from explorer.plain import code, plain
from explorer.sources.own_networks import KIND as OWN
from explorer.structure import SKIPPED
from explorer.tasks import headline, metric_of

CARD = """# {title}

{summary}

{table}

{accuracy_note}Latency is the median of single inputs on {device}. One MAC is one multiply-accumulate.

## What was done

{done}

## How to use it

With any ONNX runtime; {inputs}:

```python
import onnxruntime
logits = onnxruntime.InferenceSession("model.onnx").run(None, {{{fed}}}){first}
```

In PyTorch, from this folder, without Pruning Explorer:

```python
from load import load
logits = load()({name})
```

In Pruning Explorer, to look at it or cut it further: `python -m explorer inspect --model run:DIR`, with this folder
for DIR.

## What is here

{files}

## What was checked

{checks}
"""


def model_card(report: Mapping[str, Any], files: Mapping[str, str]) -> str:
    """Markdown for a person who finds the folder.

    Args:
        report: the bundle's whole report.
        files: what each file of the bundle is.
    """
    base, pruned = report.get("base") or {}, report.get("pruned") or {}
    return CARD.format(
        title=plain(report["title"]),
        summary=_summary(report, base, pruned),
        table=_table(base, pruned, _made(report)),
        accuracy_note=_accuracy_note(report, pruned),
        device=plain(_device(pruned)),
        done="\n".join(_done(report)),
        inputs=_inputs(report),
        name=_name(report),
        fed=", ".join(f'"{name}": {called}' for name, called in _fed(report).items()),
        first="" if _is_own(report) else "[0]",
        files="\n".join(f"- {code(name)}: {plain(what)}" for name, what in files.items()),
        checks="\n".join(_check(check) for check in report["checks"]),
    )


def _made(report: Mapping[str, Any]) -> str:
    """What became of the network that the run began with."""
    return "trained" if report.get("made") == "trained" else "pruned"


def _summary(report: Mapping[str, Any], base: Mapping[str, Any], pruned: Mapping[str, Any]) -> str:
    if report.get("sparse"):
        return _sparse_summary(report["model"], report["sparse"])
    model = code(report["model"])
    if _made(report) == "trained":
        return f"{model} trained on {code(report['data'])}, before anything is removed from it."
    text = f"{model} with whole channels removed: a smaller dense network that needs no special runtime."
    if base.get("macs") and pruned.get("macs"):
        text += (
            f" It keeps {pruned['macs'] / base['macs']:.1%} of the multiply-accumulates and "
            f"{pruned['params'] / base['params']:.1%} of the parameters."
        )
    return text


def _sparse_summary(model: str, sparse: Mapping[str, Any]) -> str:
    """What zeros are, and what they are not."""
    return (
        f"{code(model)} with {sparse['sparsity']:.1%} of the weights of its layers set to zero. Its shapes, its "
        "multiply-accumulates and its time on dense kernels are those of the base model; "
        f"{sparse['compressed_bytes']:,} bytes instead of {sparse['size_bytes']:,} when packed. "
        f"{_sparse_time(sparse['semi_structured'])}"
    )


def _sparse_time(found: Mapping[str, Any]) -> str:
    if not found["measured"]:
        return f"A speed-up was not measured: {plain(found['reason'])}."
    times = [found[kind][0]["median_ms"] for kind in ("dense", "sparse")]
    return f"With 2:4 kernels in half precision one input takes {times[1]:.2f} ms, with dense ones {times[0]:.2f} ms."


def _table(base: Mapping[str, Any], pruned: Mapping[str, Any], made: str) -> str:
    metric = metric_of(pruned)
    rows = [
        ("top-1 accuracy" if metric.name == "top1" else metric.label, metric.name, metric.text),
        ("top-5 accuracy", "top5", lambda value: f"{value:.1%}"),
        ("balanced accuracy", "balanced_accuracy", lambda value: f"{value:.1%}"),
        ("F1, mean over classes", "f1", lambda value: f"{value:.3f}"),
        ("Matthews correlation", "mcc", lambda value: f"{value:.3f}"),
        ("mean squared error", "mse", lambda value: f"{value:.4f}"),
        ("pixel accuracy", "pixel_accuracy", lambda value: f"{value:.1%}"),
        ("mAP at 50% overlap", "map_50", lambda value: f"{value:.1%}"),
        ("parameters", "params", lambda value: f"{value:,}"),
        ("MACs for one input", "macs", lambda value: f"{value:,}"),
        ("parameters that aren't zero", "nonzero_params", lambda value: f"{value:,}"),
        ("MACs with a weight that isn't zero", "nonzero_macs", lambda value: f"{value:,}"),
        ("weights, bytes", "size_bytes", lambda value: f"{value:,}"),
        ("weights, packed, bytes", "compressed_bytes", lambda value: f"{value:,}"),
        ("latency, ms", "latency_ms", lambda value: f"{value:.2f}"),
    ]
    lines = [f"| | base | {made} |", "|---|---:|---:|"]
    for title, key, show in rows:
        if pruned.get(key) is not None:
            before = show(base[key]) if base.get(key) is not None else "–"
            lines.append(f"| {plain(title)} | {before} | {show(pruned[key])} |")
    return "\n".join(lines)


def _accuracy_note(report: Mapping[str, Any], pruned: Mapping[str, Any]) -> str:
    found = headline(pruned)
    if found is None:
        return "Accuracy was not measured. "
    metric = found.metric
    note = f"{plain(metric.label)} is on {found.samples:,} test samples of {code(report['data'])} that no decision used"
    if found.low is None or found.high is None:
        return note + ". "
    low, high = metric.text(found.low), metric.text(found.high)
    return f"{note}; the 95 % interval of the {_made(report)} model's {metric.short} is {low} to {high}. "


def _device(pruned: Mapping[str, Any]) -> str:
    times = pruned.get("latency") or [{}]
    return times[0].get("device", "an unnamed device")


def _inputs(report: Mapping[str, Any]) -> str:
    shape = ", ".join(map(str, report["input_shape"]))
    if _is_own(report):
        outputs = ", ".join(map(code, report.get("onnx", {}).get("outputs", ["logits"])))
        return f"inputs are those of your own network, and so are the outputs {outputs}; the batch comes first in each"
    if _name(report) == "images":
        return f"inputs are float32 of shape (batch, {shape}), {_normalisation(report.get('normalisation'))}"
    made = ", made of texts by the files in `tokenizer/`" if report.get("tokenizer") else ""
    return f"inputs are int64 token ids of shape (batch, {shape}){made} and padded to that length"


def _is_own(report: Mapping[str, Any]) -> bool:
    """Whether the network is called in a way of its own, with inputs that have names in the ONNX file."""
    return report.get("kind") == OWN


def _fed(report: Mapping[str, Any]) -> dict[str, str]:
    """The inputs of the ONNX file, and what they are called in the examples."""
    names = report.get("onnx", {}).get("inputs", ["input"])
    return {name: name if _is_own(report) else _name(report) for name in names}


def _name(report: Mapping[str, Any]) -> str:
    """What the inputs are called in the examples."""
    if _is_own(report):
        return ", ".join(_fed(report))
    return "images" if len(report["input_shape"]) == 3 else "token_ids"


def _normalisation(used: Mapping[str, Any] | None) -> str:
    if not used:
        return "normalised as for the base model"
    mean, std = (", ".join(f"{value:.4g}" for value in used[key]) for key in ("mean", "std"))
    return f"pixels from 0 to 1 less a mean of ({mean}), divided by ({std}), channel by channel"


def _done(report: Mapping[str, Any]) -> Iterable[str]:
    spec = report.get("spec") or {}
    chosen = () if _made(report) == "trained" else ("criterion", "allocate")
    settings = {key: spec[key] for key in ("method", *chosen, "recover", "epochs", "seed") if spec.get(key) is not None}
    if settings:
        yield "Settings: " + ", ".join(f"{key} {code(value)}" for key, value in settings.items()) + ".\n"
    changed = [group for group in report.get("groups") or () if group["kept"] < group["size"]]
    if changed:
        yield f"{len(changed)} groups of channels were narrowed (`plan.json` lists the channels):\n"
        yield "| group | channels before | after |\n|---|---:|---:|"
        yield from (f"| {code(group['name'])} | {group['size']} | {group['kept']} |" for group in changed)
    skipped = [name for name, values in report["attributes"].items() if SKIPPED in values]
    if skipped:
        listed = ", ".join(map(code, skipped))
        yield f"\n{len(skipped)} residual blocks were taken out, each passes its input on: {listed}."
    for name, values in report["attributes"].items():
        if "stride" in values:
            yield f"\nOf the rows and columns of its input {code(name)} passes on one in {values['stride']}."
    yield from (f"\nNote: {plain(warning)}." for warning in report.get("warnings") or ())


def _check(check: Mapping[str, Any]) -> str:
    sizes = ", ".join(map(str, check["batches"]))
    text = f"- {plain(check['name'])}: batches of {sizes}; logits differ by at most {check['max_abs_diff']:.1e}"
    if check.get("agreement") is not None:
        text += f"; the same top class on {check['agreement']:.2%} of {check['samples']:,} images"
    return text + "."
