"""`sentences`: made reviews, each negative, neutral or positive."""

from explorer.memory import KEPT
from explorer.sources.reading import reviews
from explorer.sources.reading.reviews import SETTINGS
from explorer.sources.reading.splits import four_parts
from explorer.sources.reading.texts import Texts, text_task
from explorer.sources.refs import read_options
from explorer.sources.registries import data_source
from explorer.sources.request import Description, InputRequest
from explorer.tasks import Task

TITLE = "Reviews: negative, neutral, positive"


def describe_sentences(ref: str) -> Description:
    """What they are labelled with."""
    held = _texts(ref)
    return Description(held.kind, held.classes)


@data_source(
    "sentences",
    title=TITLE,
    explanation="Made reviews, in which who is praised or blamed depends on negation and on degree.",
    describe=describe_sentences,
    settings=SETTINGS,
    rank=50,
)
def sentences_task(ref: str, request: InputRequest) -> Task:
    return text_task(ref, _texts(ref), request.tokenizer)


def _texts(ref: str) -> Texts:
    return KEPT.get((__name__, ref), lambda: _made(ref))


def _made(ref: str) -> Texts:
    options = read_options(ref, SETTINGS)
    texts, scores = reviews.generate(options["n"], options["seed"])
    labels = reviews.classify(scores)
    return Texts(TITLE, texts, labels, reviews.CLASSES, four_parts(labels, options["seed"]))
