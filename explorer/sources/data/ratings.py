"""`ratings`: made reviews, each with a score of how much it praises."""

from explorer.memory import KEPT
from explorer.sources.reading import reviews
from explorer.sources.reading.reviews import SETTINGS
from explorer.sources.reading.splits import four_parts
from explorer.sources.reading.texts import SCORE, Texts, text_task
from explorer.sources.refs import read_options
from explorer.sources.registries import data_source
from explorer.sources.request import Description, InputRequest
from explorer.tasks import Task

TITLE = "Reviews with a rating"


def describe_ratings(ref: str) -> Description:
    """What they are labelled with."""
    held = _texts(ref)
    return Description(held.kind, held.classes)


@data_source(
    "ratings",
    title=TITLE,
    explanation="The same made reviews with a score each, from −1 (blame) to 1 (praise).",
    describe=describe_ratings,
    settings=SETTINGS,
    rank=60,
)
def ratings_task(ref: str, request: InputRequest) -> Task:
    return text_task(ref, _texts(ref), request.tokenizer)


def _texts(ref: str) -> Texts:
    return KEPT.get((__name__, ref), lambda: _made(ref))


def _made(ref: str) -> Texts:
    options = read_options(ref, SETTINGS)
    texts, scores = reviews.generate(options["n"], options["seed"])
    return Texts(TITLE, texts, scores, SCORE, four_parts(reviews.classify(scores), options["seed"]))
