"""User text is text: whatever Streamlit would read as Markdown is words of our own, a number, or `plain`."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([ROOT / "app.py", *ROOT.glob("pages/**/*.py"), *ROOT.glob("explorer/ui/**/*.py")])
MARKDOWN = {"body", "label", "text", "help", "caption", "captions", "title", "tabs", "delta", "delta_description"}
"""Parameters of Streamlit's functions that are read as Markdown; besides them:"""
SPECIAL = {
    "metric": {"value"},
    "table": {"data"},
    **{name: {"options", "format_func"} for name in ("radio", "pills", "segmented_control")},
}
READ_AS_WRITTEN = {"text", "code", "json", "cache_data", "cache_resource", "set_page_config", "Page"}
OURS = {
    *("plain", "named", "len", "round", "int", "float", "sum", "max", "min", "abs"),
    *("count", "three", "size", "duration", "percent", "change", "noun", "samples", "text", "interval"),
}
"""Functions whose words are our own: `plain` itself, numbers, and numbers in words (`words.count`, `metric.text`)."""


class Module:
    """A file of a page or of what pages share, and which of its expressions are text of our own."""

    def __init__(self, source: str) -> None:
        self.tree = ast.parse(source)
        self.imported = {
            alias.asname or alias.name
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        } - {"st"}
        self.functions = {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)}
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def shown(self) -> Iterator[tuple[ast.Call, str, ast.expr]]:
        """Every argument of Streamlit's functions that is read as Markdown."""
        for call in ast.walk(self.tree):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            name, owner = call.func.attr, call.func.value
            function = getattr(st, name, None) or getattr(st.column_config, name, None)
            ours = isinstance(owner, ast.Name) and owner.id in self.imported
            if ours or name in READ_AS_WRITTEN or not callable(function):
                continue
            places = zip(inspect.signature(function).parameters, call.args, strict=False)
            given = {**dict(places), **{keyword.arg: keyword.value for keyword in call.keywords}}
            if "format_func" in given:
                given.pop("options", None)
            for parameter, value in given.items():
                if parameter in MARKDOWN | SPECIAL.get(name, set()):
                    yield call, parameter, value

    def ours(self, node: ast.AST | None, seen: frozenset[ast.AST] = frozenset()) -> bool:
        """Whether all text in a value is written in the source, a number, or `plain`."""
        if node is None or node in seen:
            return True

        def all_ours(*nodes: ast.AST | None) -> bool:
            return all(self.ours(each, seen | {node}) for each in nodes)

        match node:
            case ast.Constant():
                return True
            case ast.JoinedStr():
                return all_ours(*(part for part in node.values if not _is_number(part)))
            case ast.FormattedValue() | ast.Starred() | ast.NamedExpr() | ast.Return():
                return all_ours(node.value)
            case ast.BinOp(op=ast.Add()):
                return all_ours(node.left, node.right)
            case ast.BinOp() | ast.Compare() | ast.UnaryOp():
                return True  # of numbers
            case ast.IfExp():
                return all_ours(node.body, node.orelse)
            case ast.BoolOp():
                return all_ours(*node.values)
            case ast.List() | ast.Tuple():
                return all_ours(*node.elts)
            case ast.ListComp() | ast.GeneratorExp():
                return all_ours(node.elt)
            case ast.Lambda():
                return all_ours(node.body)
            case ast.Name():
                return node.id.isupper() or node.id in OURS or self._assigned(node, seen | {node})
            case ast.Attribute(attr="__doc__"):
                return True
            case ast.Attribute() | ast.Subscript():
                return _root(node).isupper()
            case ast.Call(func=ast.Name(id=name)) if name in self.functions:
                returns = (each for each in ast.walk(self.functions[name]) if isinstance(each, ast.Return))
                return all_ours(*returns)
            case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join")):
                return all_ours(*node.args)
            case ast.Call(func=ast.Attribute(attr="map"), args=[ast.Name(id="plain")]):
                return True
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in OURS:
                return True
            case ast.Call(func=ast.Attribute(value=text, attr="lower" | "capitalize" | "replace")):
                return all_ours(text)
        return False

    def _assigned(self, name: ast.Name, seen: frozenset[ast.AST]) -> bool:
        """Whether a local variable only ever gets text of our own."""
        scope: ast.AST = name
        while not isinstance(scope, ast.FunctionDef | ast.Module):
            scope = self.parents[scope]
        parameters = [each.arg for each in ast.walk(scope) if isinstance(each, ast.arg)]
        values = []
        for node in ast.walk(scope):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets:
                if isinstance(target, ast.Name) and target.id == name.id:
                    values.append(node.iter if isinstance(node, ast.For | ast.comprehension) else node.value)
                elif target is not None and name.id in {
                    each.id for each in ast.walk(target) if isinstance(each, ast.Name)
                }:
                    return isinstance(getattr(node, "value", None), ast.Tuple)
        return name.id not in parameters and bool(values) and all(self.ours(value, seen) for value in values)


def _is_number(part: ast.AST) -> bool:
    """Whether a place of an f-string has a format that texts don't have."""
    form = part.format_spec if isinstance(part, ast.FormattedValue) else None
    return form is not None and ast.unparse(form).rstrip("'\"")[-1:] in "%,defg"


def _root(node: ast.AST) -> str:
    """The name that an attribute or an item is reached from, such as ``METHODS`` or ``words.MAC_HELP``."""
    if isinstance(node, ast.Attribute) and node.attr.isupper():
        return node.attr
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_pages_show_text_of_others_only_as_plain_text(file):
    module = Module(file.read_text(encoding="utf-8"))
    name = file.relative_to(ROOT)
    shown = [
        f"{name}:{value.lineno} {call.func.attr}({parameter}=): {ast.unparse(value)}"
        for call, parameter, value in module.shown()
        if not module.ours(value)
    ]
    assert not shown, "wrap these in plain(…) or show them by say: " + "; ".join(shown)
