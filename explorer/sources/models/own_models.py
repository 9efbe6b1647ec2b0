"""`python:FILE.py:FUNCTION`: a network that a person's own code makes."""

from dataclasses import replace
from typing import TYPE_CHECKING

from explorer.sources.refs import Place, path_and_function
from explorer.sources.registries import model_source

if TYPE_CHECKING:
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.request import ModelRequest


@model_source(
    "python",
    title="Your own code",
    explanation="A function of a Python file that returns a module, (module, example) or a Problem. The file is run: "
    "browsers may only name files that EXPLORER_MODELS lists.",
    takes="FILE.py:FUNCTION",
    base=True,
    place=path_and_function,
    rank=60,
)
def open_own(place: Place, request: "ModelRequest") -> "LoadedModel":
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.own_code import made_by
    from explorer.sources.own_networks import KIND, described, own_network
    from explorer.sources.refs import function_and_options, split_query
    from explorer.sources.turning import READING, read_as, sized

    factory, written = function_and_options(place)
    made = made_by(place.file, factory, written, READING)
    query = "&".join(f"{key}={text}" for key, text in made.rest.items())
    options = split_query(f"{factory}?{query}" if query else factory, READING)[1]
    network = own_network(made.result, factory, sized(request, options, 3).shape)
    shape = tuple(network.example.shape[1:])
    model = LoadedModel(
        ref=place.ref,
        module=network.module,
        input_shape=shape,
        classes=network.classes,
        trained=True,
        title=f"{factory} of {place.file.name}",
        note=f"made by code of your own: {factory} of {place.file.name}, digest {made.code.digest[:12]}",
        architecture=described(factory, made.code, made.options, network),
        data=place.ref if network.task is not None else None,
        kind=network.kind,
        inputs=network.example if network.kind == KIND else None,
        task=None if network.task is None else replace(network.task, ref=place.ref),
    )
    return read_as(model, options, request)
