"""`python:FILE.py:FUNCTION`: a network that a person's own code makes."""

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
    from explorer.sources.refs import function_and_options
    from explorer.sources.turning import READING, read_as

    factory, options = function_and_options(place, READING)
    own = {key: value for key, value in options.items() if key not in READING}
    made, code = made_by(place.file, factory, own)
    network = own_network(made, factory, request.shape)
    shape = tuple(network.example.shape[1:])
    model = LoadedModel(
        ref=place.ref,
        module=network.module,
        input_shape=shape,
        classes=network.classes,
        trained=True,
        title=f"{factory} of {place.file.name}",
        note=f"made by code of your own: {factory} of {place.file.name}, digest {code.digest[:12]}",
        architecture=described(factory, code, own, network),
        data=place.ref if network.task is not None else None,
        kind=network.kind,
        inputs=network.example if network.kind == KIND else None,
    )
    return read_as(model, {key: value for key, value in options.items() if key in READING})
