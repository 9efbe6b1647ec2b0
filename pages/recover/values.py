"""What stands in the form's controls for a spec: of another run, or of a preset."""

from typing import Any

from explorer.criteria import CRITERIA
from explorer.methods import Method
from explorer.methods.spec import Spec
from explorer.tasks import Task
from explorer.ui.state.form_keys import BOARD_METHOD, BY_ITSELF, METHOD, WHO, following
from explorer.ui.state.workspace import Workspace
from pages.recover import controls, further, settings
from pages.recover.held import key_of
from pages.recover.settings import FREE, TO_TARGET


def of(workspace: Workspace, method: Method, spec: Spec, task: Task | None) -> dict[str, Any]:
    """The values of controls, by their keys.

    Raises:
        ExplorerError: the method does not know one of the spec's settings.
    """
    values: dict[str, Any] = {"seed": spec.seed}
    if spec.epochs is not None:
        values["epochs"] = _within("epochs", spec.epochs)
    told = method.told(spec)
    values |= {name: told[name] for name in further.settings_of(method)}
    if not method.chooses:
        return {BOARD_METHOD: method.name, **following(spec.recover), **_keyed(method, values)}
    values["recovery"] = spec.recover
    if (target := spec.target()) and target.keep is not None:
        values |= {"keep": _within("keep", round(100 * target.keep)), "quantity": target.kind}
    if method.gradual:
        values |= _of_steps(method, spec, told, task)
    values |= {"minimum": spec.minimum}
    if method.presets:
        values["preset"] = method.nearest(spec)
    asked = {name: spec.options.get(name, option.default) for name, option in CRITERIA[spec.criterion].settings.items()}
    options = {further.option_key(workspace, method, spec.criterion, name): text for name, text in asked.items()}
    return {WHO: BY_ITSELF, METHOD: method.name, **_keyed(method, values), **options}


def _of_steps(method: Method, spec: Spec, told: dict[str, Any], task: Task | None) -> dict[str, Any]:
    """What only a method has that cuts in steps."""
    scale = settings.scale(settings.metric_of(task))
    values = {
        "far": TO_TARGET if spec.keep else FREE,
        "steps": _within("steps", spec.steps),
        "drop": min(scale, scale * told["max_drop"]),
        "teacher": told["teacher"],
        "criterion": spec.criterion,
        "normaliser": spec.normalise,
    }
    if "blocks" in method.settings:
        values |= {"all blocks": told["blocks"] is None, "block order": told["block_order"]}
        values |= {} if told["blocks"] is None else {"blocks": _within("blocks", told["blocks"])}
    return values


def _keyed(method: Method, values: dict[str, Any]) -> dict[str, Any]:
    return {key_of(method, name): value for name, value in values.items()}


def _within(setting: str, value: float) -> int:
    """A number that its control can hold."""
    low, high = controls.LIMITS[setting]
    return int(min(max(value, low), high))
