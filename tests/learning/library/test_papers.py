"""The library: whatever the project cites is in it, and whatever it offers to be tried is there."""

import re
from collections import Counter
from pathlib import Path

import pytest

from explorer.bench.literature import literature
from explorer.cli.registries import registries
from explorer.errors import ExplorerError
from explorer.learning.library.papers import FILE, NEEDS, TAGS, cited, paper, papers, search
from explorer.learning.library.results import WHOLE, results, unidentified
from explorer.learning.library.trials import REGISTRIES, trials
from explorer.reading import read_json
from explorer.sources import list_models
from explorer.ui.navigation import PAGES

ROOT = Path(__file__).resolve().parents[3]
NUMBER = re.compile(r"arXiv:(\d{4}\.\d{4,5})")


def references() -> dict[str, str]:
    """What every record of every registry says that it comes from, but for addresses of sites."""
    return {
        f"{kind} {entry.name}": entry.reference
        for kind, registry in registries().items()
        for entry in registry.declared().values()
        if entry.reference and not entry.reference.startswith("https://")
    }


def test_ids_are_unique_and_begin_with_a_family_name_and_a_year():
    ids = [entry["id"] for entry in read_json(FILE)]
    assert [id for id, count in Counter(ids).items() if count > 1] == []
    for one in papers().values():
        assert re.fullmatch(rf"[a-z]+{one.year}[a-z0-9]+", one.id), one.id
        assert 1980 < one.year < 2100


def test_every_reference_in_every_registry_is_in_the_library():
    found = references()
    assert len(found) > 45
    missing = {place: reference for place, reference in found.items() if not cited(reference)}
    assert missing == {}
    for place, reference in found.items():
        parts = [part for part in reference.split(";") if "reconstructed" not in part]
        assert all(cited(part) for part in parts), place


def test_every_number_of_arxiv_in_the_source_is_in_the_library():
    for file in [*ROOT.glob("explorer/**/*.py"), *ROOT.glob("pages/**/*.py"), *ROOT.glob("docs/*.md")]:
        for number in NUMBER.findall(file.read_text(encoding="utf-8")):
            assert cited(f"arXiv:{number}"), f"{file.relative_to(ROOT)}: {number}"


def test_whatever_can_be_tried_is_there():
    models = {entry.ref for entry in list_models()}
    for one in papers().values():
        for trial in trials(one):
            known = {"model": models, "page": PAGES}.get(trial.kind) or REGISTRIES[trial.kind].declared()
            assert trial.name in known, (one.id, trial)


def test_a_paper_of_which_nothing_is_here_says_so():
    for one in papers().values():
        assert trials(one) or one.lacks, one.id


def test_papers_have_what_a_reader_wants_to_know():
    for one in papers().values():
        assert one.tags, one.id
        assert set(one.tags) <= set(TAGS), one.id
        assert list(one.needs) == [need for need in NEEDS if need in one.needs], one.id
        assert one.link.startswith("https://") or one.id == "ifap2025iterative", one.id
        assert one.authors or one.id == "ifap2025iterative", one.id
        assert 120 < len(one.summary) < 700, one.id
        assert one.summary.endswith("."), one.id
        assert not re.search("[—–]", one.summary + one.lacks) or "Erdős–Rényi" in one.summary, one.id


def test_references_name_papers_by_number_or_by_name():
    assert [one.id for one in cited("Hinton et al. 2015 (arXiv:1503.02531)")] == ["hinton2015distilling"]
    assert [one.id for one in cited("IDAP++ (arXiv:2511.20141)")] == ["samarin2025idap"]
    assert [one.id for one in cited("IFAP, and IDAP++")] == ["ifap2025iterative", "samarin2025idap"]
    assert [one.id for one in cited("Shen et al. (HALP), NeurIPS 2022")] == ["shen2022structural"]
    assert cited("Nobody et al. 2020 (arXiv:0000.00000)") == ()
    assert cited("IDAPX") == ()


def test_trials_follow_from_references():
    assert [(trial.kind, trial.name) for trial in trials(paper("li2020eagleeye"))] == [("recovery", "bn")]
    assert ("budget", "erk") in {(trial.kind, trial.name) for trial in trials(paper("evci2020rigging"))}
    assert trials(paper("bolya2023token")) == ()


def test_papers_are_cited_in_a_line():
    assert paper("li2017pruning").short == "Li et al. 2017"
    assert paper("luo2020neural").short == "Luo and Wu 2020"
    assert paper("ifap2025iterative").short == "IFAP 2025"


def test_the_library_is_searched_by_words_tags_needs_and_years():
    assert [one.id for one in search("geometric median")] == ["he2019filter"]
    assert {one.id for one in search(tags=["tokens"], years=(2023, 2024))} >= {"bolya2023token", "xu2024gtp"}
    assert all(one.needs == () for one in search(needs=[]))
    assert "hu2016network" in {one.id for one in search(needs=["inputs"])}
    assert "lecun1989optimal" not in {one.id for one in search(needs=["inputs"])}
    with pytest.raises(ExplorerError, match="did you mean tokens"):
        search(tags=["token"])
    with pytest.raises(ExplorerError, match="unknown paper 'li2017prunin': did you mean li2017pruning"):
        paper("li2017prunin")


def test_every_published_row_is_of_one_paper_or_of_a_method_that_is_named_as_unidentified():
    claimed = [method for one in papers().values() for method in one.published]
    assert len(claimed) == len(set(claimed))
    rows = literature()
    methods = {row["method"] for row in rows}
    assert set(claimed) <= methods
    assert methods == set(claimed) | set(unidentified(rows)) | set(WHOLE)
    assert len(results(paper("fontana2024distilled"))) == 39
    of_papers = sum(len(results(one)) for one in papers().values())
    others = sum(row["method"] not in claimed for row in rows)
    assert of_papers + others == len(rows) == 785
