"""`python:FILE.py:FUNCTION`: the data of the problem that a person's own code makes."""

from dataclasses import replace

from explorer.errors import ExplorerError
from explorer.sources.own_code import made_by
from explorer.sources.own_networks import OwnProblem
from explorer.sources.refs import Place, function_and_options, path_and_function
from explorer.sources.registries import data_source
from explorer.sources.request import InputRequest
from explorer.sources.turning import READING
from explorer.tasks import Task


@data_source(
    "python",
    title="Your own problem",
    explanation="The data, loss and metric of the Problem that a function of a Python file returns; the file is run.",
    takes="FILE.py:FUNCTION",
    place=path_and_function,
    rank=85,
)
def open_own_data(place: Place, request: InputRequest) -> Task:
    factory, options = function_and_options(place)
    made = made_by(place.file, factory, options, READING).result
    if not isinstance(made, OwnProblem) or made.task is None:
        raise ExplorerError(
            f"{factory} of {place.file.name} gives no data: let it return explorer.Problem(module, example=…, train=…)"
        )
    return replace(made.task, ref=place.ref)
