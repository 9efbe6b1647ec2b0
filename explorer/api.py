"""The public interface: any module, any loader, your own loss and metric, in a script or a notebook.

``import explorer as ex`` gives what stands here. A `Problem` is a network with what it is judged by; it is scored,
planned, masked and cut, and what comes out is a `Smaller`, the cut network with its report.
"""

import json
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map
from torch.utils.data import DataLoader, SequentialSampler, Subset, TensorDataset

from explorer.batches import Samples, spread, subset
from explorer.board.notebook import measure_on, widget
from explorer.budget import Meter, Target
from explorer.budget import allocate as allocate_targets
from explorer.criteria import Scores, score
from explorer.device import choose_device
from explorer.documents import checked
from explorer.errors import ExplorerError
from explorer.evaluation import METADATA, weights
from explorer.evaluation.size import size_model
from explorer.export.layout import REPORT, replacing
from explorer.export.own_onnx import export_own
from explorer.files import json_text
from explorer.methods import METHODS, Spec
from explorer.methods.asking import asked_for
from explorer.methods.spec import CRITERION
from explorer.modules import borrowed
from explorer.progress import Report, part, silent
from explorer.pruning import Narrowed, Plan, cut, mask, narrow, plan_from_budget
from explorer.pruning.remaining import in_original, remaining
from explorer.reading import DamagedError, read_object
from explorer.recovery import History, Origin, reconstruct, recover
from explorer.recovery.portion import repair_count
from explorer.runs.execute import execute
from explorer.runs.result import RunResult
from explorer.sources import LoadedModel, load_model, load_pair
from explorer.sources.own import Own, OwnData, Ports, adapted, plain, targets_of
from explorer.sources.own_code import code_at, code_places, trust
from explorer.sources.saved_report import Attributes
from explorer.structure import Cost, Structure, adapt, analyse
from explorer.structure import count as count_cost
from explorer.tasks import Task, evaluate

if TYPE_CHECKING:
    from explorer.board.widget import BoardWidget

OWN = "own"  # the kind of task whose loss and metric are a person's functions
VALIDATES = 10  # one training sample of so many, where no validation data is given
REPAIR_BATCH = 64  # inputs of a data set that are read at once for a repair
WEIGHTS, PLAN = "weights.safetensors", "plan.json"


@dataclass(frozen=True)
class Change:
    """What a cut did to a network.

    Args:
        whole_cost: parameters and MACs of the whole network.
        cut_cost: those of the cut one.
        whole: the metric of the whole network; None where there is nothing to judge by, or it was cut in place.
        as_cut: that of the network right after the cut; None likewise.
        recovered: that after the recovery.
        recovery: what gave accuracy back.
        samples: how many test samples it was judged on; without test data, validation samples.
        warnings: sentences for a person.
    """

    whole_cost: Cost
    cut_cost: Cost
    whole: float | None
    as_cut: float | None
    recovered: float | None
    recovery: str
    samples: int
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return json.loads(json.dumps(asdict(self)))


@dataclass(frozen=True)
class Done:
    """What has left a network in place.

    Args:
        structure: of the whole network.
        plan: all cuts as one, in units of the whole network.
        attributes: plain attributes of its layers that changed with the widths, ``{layer: {attribute: value}}``.
    """

    structure: Structure
    plan: Plan
    attributes: dict[str, dict[str, Any]]

    def then(self, further: Plan, attributes: Mapping[str, Mapping[str, Any]]) -> "Done":
        """The same after one more cut, in units of what had stayed."""
        both = {path: dict(values) for path, values in self.attributes.items()}
        for path, values in attributes.items():
            both.setdefault(path, {}).update(values)
        plan = further if self.plan.empty else in_original(self.structure, self.plan, further)
        return Done(self.structure, plan, both)


class Problem:
    """A network, and what it is judged by.

    Args:
        module: any network of torch; only `narrow`, and a `Schedule`, write to it.
        example: what it is called with, a batch of at least one: a tensor, a tuple of tensors (positional arguments),
            or a dictionary of them (keyword arguments).
        train: what the network learns from, for criteria and recoveries: a loader, a data set of samples, or any
            iterable of batches. A batch is a pair (inputs, targets), or a dictionary whose entries under the example's
            names are the inputs.
        validation: what training is judged by; by default every tenth training sample, which is then not trained on.
        test: what results are reported on; by default the validation data.
        loss: of (outputs, targets), the mean over a batch, in the form in which network and data give them.
        metric: of (outputs, targets) over all samples at once, one number; "top1" is the share of samples whose largest
            output is the target. By default the loss.
        maximise: whether more of the metric is better.
        draw: of one sample's (inputs, targets), for the pages: a picture, (H, W) or with channels, or a text.
        keep_outputs: whether all channels of the outputs stay; if not, the features of a backbone may be narrowed, too.
        attributes: paths of plain attributes that repeat a width, where the code is not seen to read them, as patterns:
            ``"*.attn.inner_dim"``.
        device: "auto", or a name as torch has it.

    Raises:
        ExplorerError: the example is no such thing, or the metric is unknown.
    """

    _past: Done | None = None

    def __init__(
        self,
        module: nn.Module,
        *,
        example: Any,
        train: Any = None,
        validation: Any = None,
        test: Any = None,
        loss: Callable[[Any, Any], Tensor] | None = None,
        metric: Callable[[Any, Any], Any] | str | None = None,
        maximise: bool = True,
        draw: Callable[[Any, Any], Any] | None = None,
        keep_outputs: bool = True,
        attributes: Sequence[str] = (),
        device: str = "auto",
    ) -> None:
        ports = Ports.of(example)
        own = Own(ports, loss, _metric(metric), maximise)
        self.module, self.name = module, type(module).__name__
        self._device = choose_device(device)
        self._own: Own | None = own
        self._network = adapted(module, own)
        self._inputs = tree_map(lambda leaf: leaf[:1].detach().cpu(), example)
        self._example = ports.pack(self._inputs)
        shape = tuple(self._example.shape[1:])
        self._task = None if train is None else _task(own, train, validation, test, shape, draw)
        self._loaded: LoadedModel | None = None
        self._keep_outputs, self._attributes = keep_outputs, tuple(attributes)

    @classmethod
    def of(cls, loaded: LoadedModel, task: Task, device: str = "auto") -> "Problem":
        """A network and a task that were opened by their refs."""
        problem = cls.__new__(cls)
        problem.module, problem.name = loaded.module, loaded.ref
        problem._device = choose_device(device)
        problem._own, problem._network, problem._loaded, problem._task = None, loaded.module, loaded, task
        problem._inputs = problem._example = loaded.example()
        problem._keep_outputs, problem._attributes = True, ()
        return problem

    @property
    def network(self) -> nn.Module:
        """The network as the engine calls it: one tensor in, one tensor out."""
        return self._network

    @property
    def packed(self) -> Tensor:
        """One input of `network`, (1, …)."""
        return self._example

    @property
    def task(self) -> Task | None:
        """The data, with what it is judged by; None where there is none."""
        return self._task

    @cached_property
    def structure(self) -> Structure:
        """The coupled groups, what can't be cut and why, and the cost polynomials; see `explorer.structure.analyse`."""
        kept, attributes = self._keep_outputs, self._attributes
        with borrowed(self._network, device=torch.device("cpu")) as network:  # where the example is
            return analyse(network, self._example, keep_outputs=kept, attributes=attributes)

    @property
    def cost(self) -> Cost:
        """Parameters, and multiply-accumulates of one forward pass on one input."""
        return self.structure.cost()

    @property
    def done(self) -> Done:
        """What has left the network in place; nothing but by `narrow` or a `Schedule`."""
        return self._past or Done(self.structure, Plan(self.name), {})

    @property
    def calibration(self) -> Samples | None:
        """The training data that criteria look at; None where there is none."""
        return None if self._task is None else self._task.calibration

    def score(
        self,
        criterion: str = CRITERION,
        *,
        samples: int | None = 512,
        seed: int = 0,
        report: Report = silent,
        **settings: Any,
    ) -> Scores:
        """What every unit of every group is worth; see `CRITERIA` for what there is, and each one's `settings`.

        The default needs no data, and counts all weights that leave with a channel, those that read it too.

        Args:
            samples: of the training data that are looked at, drawn by `seed`.

        Raises:
            ExplorerError: an unknown criterion or setting, or data or a loss is missing that it needs.
        """
        return score(
            criterion,
            self._network,
            self.structure,
            self.calibration,
            options={name: str(value) for name, value in settings.items()},
            device=self._device,
            samples=samples,
            seed=seed,
            report=report,
        )

    def plan(
        self,
        scores: Scores,
        *,
        keep: Mapping[str, float | str] | None = None,
        remove: Mapping[str, float] | None = None,
        allocate: str = "global",
        normalise: str = "mean",
        minimum: float | Mapping[str, float] = 0.1,
        locked: Collection[str] = (),
        round_to: int = 1,
    ) -> Plan:
        """Which units go: the lowest scored ones, so that targets are met, or by a share of every group.

        Args:
            keep: what stays of ``macs``, ``params`` or ``size``: a fraction, or an amount such as "2MB".
            remove: the fraction of units to remove, by group, in place of `keep`.
            allocate: how targets are shared out, see `ALLOCATORS`.
            normalise: how scores of different groups are compared, see `NORMALISERS`.
            minimum: what every group keeps: below 1 a fraction, else a number of units; or this by group, and one unit
                of those that are not named.
            locked: groups that stay whole.
            round_to: widths that change become multiples of this.

        Raises:
            ExplorerError: neither or both of `keep` and `remove`, or something unknown.
            UserWarning: targets are met in part only, since they are out of reach.
        """
        if bool(keep) == bool(remove):
            raise ExplorerError('say what goes in one way: keep={"macs": 0.5}, or remove={"group": 0.3}')
        if remove:
            return plan_from_budget(self.structure, scores.groups, dict(remove), self.name)
        found = allocate_targets(
            allocate,
            self.structure,
            scores,
            tuple(Target.parse(f"{kind}={value}") for kind, value in (keep or {}).items()),
            normalise=normalise,
            minimum=minimum,
            locked=locked,
            meter=Meter(self.structure, size_model(self._network, self.structure)),
            shapes={name: tuple(tensor.shape) for name, tensor in self._network.state_dict().items()},
            round_to=round_to,
        )
        for sentence in found.warnings:
            warnings.warn(sentence, stacklevel=2)
        return Plan(self.name, found.remove)

    def board(
        self,
        criterion: str | Scores = CRITERION,
        *,
        keep: Mapping[str, float | str] | None = None,
        samples: int | None = 512,
        seed: int = 0,
        height: int = 640,
        report: Report = silent,
        **settings: Any,
    ) -> "BoardWidget":
        """The board of the app in a notebook: drag a group's line, and see at once what is left and what it reaches.

        Its `plan` is what it stands at. Cost follows the hand; the metric is measured when it lets go, on validation
        data, in a thread that nobody waits for. Without data, or something to judge by, there is cost alone.

        Args:
            criterion: see `score`; or scores that there are.
            keep: where it begins: what stays of ``macs``, ``params`` or ``size``, see `plan`; by default all.
            samples: of the training data that scores look at, and of the validation data that the metric is found on.
            seed: of the former.
            height: of the board in pixels; a network with few groups takes less.
            settings: of the criterion.

        Raises:
            ExplorerError: the package anywidget is missing, or see `score` and `plan`.
        """
        if isinstance(criterion, Scores):
            scores = criterion
        else:
            scores = self.score(criterion, samples=samples, seed=seed, report=report, **settings)
        name, sign = ("", 1) if self._own is None else (self._own.title, self._own.sign)
        task, network, structure = self._task, self._network, self.structure
        return widget(
            self.name,
            structure,
            scores,
            measure_on(task, network, structure, device=self._device, samples=samples, name=name, sign=sign),
            keep=keep or {},
            budget=self.plan(scores, keep=keep).budget(structure) if keep else {},
            height=height,
        )

    def mask(self, plan: Plan) -> nn.Module:
        """A masked copy that computes what the cut network would; the network itself is not written to."""
        return plain(mask(self._network, self.structure, plan))

    def evaluate(self, module: nn.Module | None = None, *, report: Report = silent) -> float:
        """The metric on the test data, of the network or of another one that is called like it.

        Raises:
            ExplorerError: there is no data, or neither metric nor loss.
        """
        value = self._judged(self._network if module is None else self._seen(module), report)
        if value is None:
            raise ExplorerError("there is nothing to judge by: give the problem data, and a metric or a loss")
        return value

    def cut(
        self,
        plan: Plan,
        *,
        recover: str = "none",
        epochs: int | None = None,
        seed: int = 0,
        report: Report = silent,
    ) -> "Smaller":
        """Cuts for good, gives accuracy back, and measures both.

        Args:
            recover: how, see `RECOVERIES`.
            epochs: of those that train; None: their own default.
            seed: of every random choice.

        Raises:
            ExplorerError: the plan removes nothing or does not fit, the cut costs something else than was promised,
                or the recovery lacks what it needs.
        """
        if plan.empty:
            raise ExplorerError("the plan removes nothing: ask for less to keep, or for more to remove")
        result = cut(self._network, self.structure, plan.check(self.structure))
        real = self._counted(result.module, plan.cost(self.structure))
        whole = self._judged(self._network, part(report, 0.0, 0.1))
        as_cut = self._judged(result.module, part(report, 0.1, 0.2))
        warnings = self._recover(recover, result.module, plan, epochs, seed, part(report, 0.2, 0.9))
        recovered = as_cut if recover == "none" else self._judged(result.module, part(report, 0.9, 1.0))
        change = Change(self.cost, real, whole, as_cut, recovered, recover, self._samples(whole), warnings)
        done = self.done.then(plan, result.attributes)
        return Smaller(plain(result.module), done.plan, done.attributes, change, self)

    def repair(
        self, module: nn.Module, plan: Plan, data: Any = None, *, samples: int | None = None, report: Report = silent
    ) -> History:
        """Repairs a network that was cut by the plan, in place and without training: see `recovery.reconstruct`.

        Of the data the inputs alone are looked at: neither targets nor a loss nor a metric are needed.

        Args:
            module: what `cut` made of this network, or another program by the same plan.
            data: any loader, data set or iterable of batches as `train` of a `Problem`, or batches of inputs alone; by
                default the training data.
            samples: how many inputs are looked at; by default as many as repair the network in about a second, from 64
                to 256. They are spread evenly over a data set, which may be sorted by class, also where a loader of
                torch reads one in its order; of any other loader they are the first ones.

        Raises:
            ExplorerError: there is no data, or the module is not what the plan makes of this network.
        """
        if data is None and self._task is None:
            raise ExplorerError("a repair needs inputs and there are none: give it data, any loader of them")
        count = repair_count(self.cost.macs) if samples is None else samples
        inputs = self._task.calibration if data is None and self._task else self._inputs_of(data, count)
        places = spread(len(inputs), count)
        origin = Origin(self._network, self.structure, plan.check(self.structure))
        network = self._seen(module)
        if count_cost(network, self._example.to(next(network.parameters()).device)) != plan.cost(self.structure):
            raise ExplorerError(
                "the module is not what the plan makes of this network, which would cost something else: give what the "
                "same plan has made of it"
            )
        return reconstruct(network, subset(inputs, list(places)), origin, device=self._device, report=report)

    def _inputs_of(self, data: Any, count: int) -> Samples:
        """Inputs of a person's data, packed, with nothing for targets: see `repair`."""
        ports = Ports.of(self._inputs) if self._own is None else self._own.ports
        taken: list[Tensor] = []
        for batch in _spread_loader(data, count):
            packed = ports.pack(batch if ports.takes(batch) else ports.split(batch)[0])
            taken.append(packed)
            if sum(map(len, taken)) >= count:
                break
        if not taken:
            raise ExplorerError("a repair needs inputs and the data has none: give at least one batch")
        inputs = torch.cat(taken)[:count]
        return TensorDataset(inputs, torch.zeros(len(inputs)))

    def narrow(self, plan: Plan) -> Narrowed:
        """Cuts the network itself: the module, its parts and parameters stay the same objects, see `pruning.narrow`.

        From then on `structure`, `cost`, scores and plans are about what has stayed, whose units are numbered anew;
        `done` leads there from the whole network. An optimiser that holds the parameters still remembers their old
        shapes: a `Schedule` sees to that, too.

        Raises:
            ExplorerError: the plan does not fit, or the cut costs something else than was promised.
        """
        structure, done = self.structure, self.done
        narrowed = narrow(self.module, structure, plan)
        self._past = done.then(plan, narrowed.attributes)
        self.structure = remaining(structure, plan)
        self._network = self._seen(self.module)
        self._counted(self._network, self.cost)
        return narrowed

    def save(self, directory: Path | str, *, report: Report = silent) -> Path:
        """Writes the network as it is, after cuts in place, as `Smaller.save` does; its metric is measured for it.

        Raises:
            ExplorerError: see `Smaller.save`.
        """
        done, value = self.done, self._judged(self._network, report)
        change = Change(done.structure.cost(), self.cost, None, None, value, "own training", self._samples(value))
        return Smaller(self.module, done.plan, done.attributes, change, self).save(directory)

    def _samples(self, value: float | None) -> int:
        """How many samples a judgement rests on; 0 where there was none."""
        return 0 if value is None or self._task is None else len(self._task.test)

    def _counted(self, network: nn.Module, promised: Cost) -> Cost:
        """What a cut network costs, counted.

        Raises:
            ExplorerError: that is not what was promised.
        """
        real = count_cost(network, self._example.to(next(network.parameters()).device))
        if real != promised:
            raise ExplorerError(f"the cut costs {real} where {promised} was promised: please report this network")
        return real

    def _recover(
        self, name: str, module: nn.Module, plan: Plan, epochs: int | None, seed: int, report: Report
    ) -> tuple[str, ...]:
        if name == "none":
            return ()
        if self._task is None:
            raise ExplorerError(f"recovery {name!r} needs data: give the problem a loader to train on")
        history = recover(
            name,
            module,
            self._task,
            device=self._device,
            epochs=epochs,
            seed=seed,
            origin=Origin(self._network, self.structure, plan),
            architecture=None if self._loaded is None else self._loaded.architecture,
            report=report,
        )
        return history.warnings

    def _seen(self, module: nn.Module) -> nn.Module:
        """A module as the engine sees it."""
        return module if self._own is None else adapted(plain(module), self._own)

    def _judged(self, network: nn.Module, report: Report = silent) -> float | None:
        task = self._task
        if task is None or not task.measured:
            return None
        value = evaluate(network, task.test, kind=task.kind, device=self._device, report=report).value
        return value if self._own is None else self._own.sign * value


def _spread_loader(data: Any, count: int) -> Iterable[Any]:
    """A loader of so many samples from all over a data set, in its order; any other data as it is.

    What a plain loader of torch reads in order counts as its data set; one that shuffles, draws or makes its own
    batches is read as it is.
    """
    if type(data) is DataLoader:
        in_order = type(data.sampler) is SequentialSampler and data.batch_size is not None
        if not in_order or len(data.dataset) <= count:  # type: ignore[arg-type]  # it has a length, being read in order
            return data
        return DataLoader(
            Subset(data.dataset, list(spread(len(data.dataset), count))),  # type: ignore[arg-type]
            batch_size=data.batch_size,
            collate_fn=data.collate_fn,
            num_workers=data.num_workers,
            worker_init_fn=data.worker_init_fn,
            multiprocessing_context=data.multiprocessing_context,
        )
    by_place = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    if isinstance(data, DataLoader | list | tuple) or not by_place:
        return data
    samples: Any = subset(data, list(spread(len(data), count)))
    return DataLoader(samples, batch_size=min(count, REPAIR_BATCH))


@dataclass(frozen=True)
class Smaller:
    """A cut network: the `module`, the `plan` that led to it, and the `report` of what that did.

    `attributes` are plain attributes of its layers that changed with the widths, ``{layer: {attribute: value}}``.
    """

    module: nn.Module
    plan: Plan
    attributes: dict[str, dict[str, Any]]
    report: Change
    problem: Problem

    def save(self, directory: Path | str) -> Path:
        """Writes `weights.safetensors`, `plan.json` and `report.json` into a folder of its own, and returns it.

        What was opened by a ref can be loaded as ``run:DIRECTORY``, on the command line and in the app, too.

        Raises:
            ExplorerError: the folder holds something else, or can't be written.
        """
        directory = Path(directory)
        with replacing(directory) as folder:
            (folder / WEIGHTS).write_bytes(safetensors.torch.save(weights(self.module), METADATA))
            for name, document in ((PLAN, self.plan.to_json()), (REPORT, self._document())):
                (folder / name).write_text(json_text(document), encoding="utf-8")
        return directory

    def onnx(self, path: Path | str) -> dict[str, Any]:
        """Writes an ONNX file with the network's own inputs and outputs; see `explorer.export.own_onnx.export_own`."""
        return export_own(self.module, self.problem._inputs, path)

    def _document(self) -> dict[str, Any]:
        document = {"attributes": self.attributes, "change": self.report.to_json(), "model": self.problem.name}
        loaded, task = self.problem._loaded, self.problem._task
        if loaded is None or task is None:
            return document
        return document | {
            "title": f"{loaded.title}, pruned",
            "trained": loaded.trained,
            "data": task.ref,
            "architecture": loaded.architecture,
            "input_shape": list(loaded.input_shape),
            "classes": list(task.classes) if task.measured else loaded.classes,
            "kind": loaded.kind,
            "tokenizer": False,
            "normalisation": {"mean": list(task.mean), "std": list(task.std)} if task.mean else None,
        }


def open(model: str, data: str | None = None, *, device: str = "auto") -> Problem:
    """A problem by references, such as ``open("torchvision:resnet18?num_classes=10", "folder:flowers")``.

    Args:
        data: by default what the model was trained on.

    Raises:
        ExplorerError: a reference leads nowhere, or the data does not fit the model.
    """
    _allow(model, data)
    return Problem.of(*load_pair(model, data), device)


def run(
    model: str,
    data: str,
    *,
    out: Path | str | None = None,
    method: str = "one-shot",
    keep: Mapping[str, float | str] | None = None,
    recover: str | None = None,
    epochs: int | None = None,
    seed: int = 0,
    preset: str | None = None,
    report: Report = silent,
    **settings: Any,
) -> RunResult:
    """A whole run, as ``python -m explorer prune`` does it: cut, recovered, measured, exported and checked.

    Args:
        model: its reference.
        data: that of the data.
        out: the folder that the bundle is written to; None: nothing is written.
        method: see `METHODS`.
        keep: what stays of ``macs``, ``params``, ``size`` or ``latency``: a fraction, or an amount such as "2MB".
        recover: see `RECOVERIES`; by default the method's own.
        epochs: of one recovery; None: its own default.
        seed: of every random choice.
        preset: of the method, such as "published"; what is said besides goes before it.
        settings: further fields of `explorer.methods.Spec`, such as ``criterion``; the rest are the method's settings.

    Raises:
        ExplorerError: bad references or names, a target out of reach, or an `out` that can't be written.
    """
    _allow(model, data)
    named = {entry.name for entry in fields(Spec)}
    asked = {"keep": None if keep is None else dict(keep), "recover": recover, "epochs": epochs, **settings}
    known = METHODS.get(method).name
    given = {name: value for name, value in asked.items() if name in named and value is not None}
    given |= {"model": model, "data": data, "method": known, "seed": seed}
    spec = asked_for(given, {name: value for name, value in settings.items() if name not in named}, preset)
    return execute(spec, None if out is None else Path(out), report)


def _allow(*refs: str | None) -> None:
    """Lets files of code run that a person names in her own program."""
    for place in (place for ref in refs if ref for place in code_places(ref)):
        trust(code_at(place.file), place.file)


def load(directory: Path | str, module: nn.Module | None = None) -> nn.Module:
    """The cut network that `Smaller.save`, a run or the command line has written, in evaluation mode.

    Args:
        module: the network at its whole widths, freshly built, which is given the saved widths and weights, in place;
            None for what was opened by a reference.

    Raises:
        ExplorerError: there is no saved network, its files are damaged, or it belongs to another class.
    """
    if module is None:
        try:
            return load_model(f"run:{directory}").module
        except ExplorerError as error:
            raise ExplorerError(f"{error}; for a network of your own give it: load(directory, Network())") from None
    attributes, tensors = _saved(Path(directory))
    try:
        adapt(module, tensors, attributes)
    except (RuntimeError, AttributeError, KeyError) as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ExplorerError(f"what {directory} holds does not fit {type(module).__name__}: {reason}") from None
    return module.eval()


def _saved(directory: Path) -> tuple[dict[str, dict[str, Any]], dict[str, Tensor]]:
    try:
        document = checked(read_object(directory / REPORT), Attributes, directory / REPORT)
        return document["attributes"], safetensors.torch.load_file(directory / WEIGHTS)
    except (OSError, DamagedError, safetensors.SafetensorError) as error:
        raise ExplorerError(f"{directory} holds no saved network ({error}): name a folder of Smaller.save") from None


def _metric(metric: Callable[[Any, Any], Any] | str | None) -> Callable[[Any, Any], Any] | None:
    if metric == "top1":
        return top1
    if isinstance(metric, str):
        raise ExplorerError(f"unknown metric {metric!r}: give 'top1', or a function of (outputs, targets)")
    return metric


def top1(outputs: Tensor, targets: Tensor) -> Tensor:
    """The share of samples whose largest output is the target: outputs (samples, classes), targets (samples,).

    Raises:
        ExplorerError: outputs or targets are something else.
    """
    if not (isinstance(outputs, Tensor) and isinstance(targets, Tensor) and outputs.dim() == 2 and targets.dim() == 1):
        raise ExplorerError("top1 takes outputs (samples, classes) and a class for each: give a metric of your own")
    return (outputs.argmax(1) == targets).double().mean()


def _task(
    own: Own,
    train: Any,
    validation: Any,
    test: Any,
    shape: tuple[int, ...],
    draw: Callable[[Any, Any], Any] | None,
) -> Task:
    """The four parts of a person's data."""

    def drawn(packed: Tensor, targets: Mapping[str, Tensor]) -> Any:
        inputs = tree_map(lambda leaf: leaf[0], own.ports.unpack(packed[None]))
        single = tree_map(lambda value: value[0], targets_of([targets]))
        assert draw is not None
        return draw(inputs, single)

    learnt: Samples = OwnData(train, own.ports)
    if len(learnt) == 0:
        raise ExplorerError("the training data is empty: give at least one batch")
    if validation is None:
        places = range(len(learnt))
        judged: Samples = subset(learnt, [place for place in places if place % VALIDATES == 0])
        learnt = subset(learnt, [place for place in places if place % VALIDATES] or list(places))
    else:
        judged = OwnData(validation, own.ports)
    return Task(
        ref="own data",
        title="Own data",
        classes=(),
        input_shape=shape,
        mean=(),
        std=(),
        train=learnt,
        calibration=learnt,
        validation=judged,
        test=judged if test is None else OwnData(test, own.ports),
        measured=own.judges,
        kind=OWN,
        drawn=None if draw is None else drawn,
    )
