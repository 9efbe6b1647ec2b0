"""What a browser may name, and what it may upload."""

import os

import pytest

from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.runs.queue.desk import Desk
from explorer.runs.queue.job import Job
from explorer.ui.state import access, session
from explorer.ui.state.workspace import WORKSPACES


@pytest.fixture
def root(tmp_path):
    (tmp_path / "open" / "inner").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    return (tmp_path / "open").resolve()


def test_a_local_server_opens_every_path_and_others_none():
    assert access.allowed_roots("localhost", None) is None
    assert access.allowed_roots("127.0.0.1", "") is None
    assert access.allowed_roots("0.0.0.0", None) == []
    assert access.allowed_roots(None, None) == []


def test_configured_roots_hold_even_on_localhost(root):
    found = access.allowed_roots("localhost", f"{root}{os.pathsep}{root / 'inner'}")
    assert found == [root, root / "inner"]


def test_a_root_that_is_no_path_is_said():
    with pytest.raises(ExplorerError, match="~nosuchuser"):
        access.allowed_roots("localhost", "/tmp:~nosuchuser/data")


@pytest.mark.parametrize("scheme", ["folder", "file", "run"])
def test_paths_under_a_root_pass(root, scheme):
    ref = f"{scheme}:{root}/inner/model.safetensors#demo:resnet20-digits"
    assert access.check_ref(ref, [root]) == ref


@pytest.mark.parametrize("path", ["..", "inner/../../secret", "/etc", "~", "../open-but-longer", "../secret/x#inner"])
def test_traversal_is_refused(root, path):
    with pytest.raises(ExplorerError, match="EXPLORER_ROOTS"):
        access.check_ref(f"folder:{root}/{path}" if not path.startswith(("/", "~")) else f"folder:{path}", [root])


def test_a_path_ends_where_its_source_ends_it(root):
    (root / "inner#").mkdir()
    for ref in ("folder:{}/inner#/../../secret", "file:{}/inner#/../../secret/x.pt#demo:vgg-digits"):
        with pytest.raises(ExplorerError, match="EXPLORER_ROOTS"):
            access.check_ref(ref.format(root), [root])


def test_a_link_out_of_the_root_is_refused(root):
    (root / "link").symlink_to(root.parent / "secret")
    with pytest.raises(ExplorerError):
        access.check_ref(f"folder:{root}/link", [root])


def test_nothing_is_open_without_roots_but_ones_own_folders(root, monkeypatch):
    monkeypatch.setenv("EXPLORER_ROOTS", str(root / "none"))
    runs = root.parent / "runs"  # of a server whose folder is a link
    runs.symlink_to(root)
    space = WORKSPACES.create()
    for folder, owner in (("inner", space.token), ("other", "somebody")):
        (root / folder).mkdir(exist_ok=True)
        request = {"kind": "prune", "spec": Spec("demo:vgg-digits", "digits").to_json()}
        Job(folder, owner, "Prune", request, "cpu", str(runs / folder), state="failed").save()
    monkeypatch.setattr(session, "DESK", Desk(runs))
    permitted = session.opener(space)
    for own in (f"run:{runs}/inner/bundle", f"file:{runs}/uploads/{space.token}/x.pth#demo:vgg-digits"):
        assert permitted(f" {own} ") == own
    for closed in (f"run:{runs}/other/bundle", f"run:{runs}", f"run:{runs}/inner/../other"):
        with pytest.raises(ExplorerError, match="EXPLORER_ROOTS"):
            permitted(closed)


@pytest.mark.parametrize("ref", ["demo:resnet20-digits", "torchvision:resnet18@DEFAULT", "digits", "random"])
def test_refs_without_a_path_always_pass(ref):
    assert access.check_ref(ref, []) == ref
