"""What browsers may upload, all together, and when it goes again."""

import os
import time
from collections.abc import Callable

import pytest

from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.runs.queue.desk import Desk
from explorer.runs.queue.job import Job
from explorer.runs.queue.limits import Limits
from explorer.ui.state import session, uploads
from explorer.ui.state.uploads import KEPT, Uploads
from explorer.ui.state.workspace import Workspaces

ADA, BOB, EVE = (name.ljust(24, "-") for name in ("ada", "bob", "eve"))
FEW = Limits(uploads=100)


def until(seen: Callable[[], bool]) -> None:
    """Waits for what is done beside the pages."""
    end = time.monotonic() + 60
    while not seen() and time.monotonic() < end:
        time.sleep(0.01)


@pytest.fixture
def store(tmp_path):
    return Uploads(tmp_path)


def test_uploads_get_a_safe_name_and_old_ones_leave(store):
    paths = []
    for index in range(KEPT + 2):
        path = store.save(
            f"../../evil name {index}.SafeTensors", b"abc", ADA, Limits(), used=[f"file:{path}#x" for path in paths[:1]]
        )
        os.utime(path, ns=(index, index))
        paths.append(path)
    assert all(path.parent == store.folder(ADA) and path.suffix == ".safetensors" for path in paths)
    assert [path.exists() for path in paths] == [True, False] + [True] * KEPT
    assert paths[-1].read_bytes() == b"abc"


@pytest.mark.parametrize("name", ["last.ckpt", "pytorch_model.bin", "best.pth.tar", "run.pkl", "a.state_dict"])
def test_checkpoints_are_taken_under_the_names_that_programs_give_them(store, name):
    path = store.save(name, b"abc", ADA, Limits())
    assert name.endswith(path.suffix)
    store.forget(ADA)
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("model.exe", b"x", "no state dict"),
        ("model", b"x", "without suffix"),
        ("model.pth", b"", "0 bytes"),
        ("model.onnx", b"x", "save the state dict of the network that it was exported from"),
        ("model.h5", b"x", "build the same network in PyTorch"),
    ],
)
def test_other_files_and_empty_ones_are_refused(store, tmp_path, name, content, words):
    with pytest.raises(ExplorerError, match=words):
        store.save(name, content, ADA, Limits())
    assert os.listdir(tmp_path) == []


def test_an_upload_beyond_the_limit_is_refused(store, monkeypatch):
    monkeypatch.setattr(uploads, "LARGEST", 3)
    with pytest.raises(ExplorerError, match="4 bytes: it must be between 1 byte and 3 bytes"):
        store.save("model.pth", b"four", ADA, Limits())


def test_all_uploads_together_and_those_of_an_address_are_limited(store):
    store.save("a.pth", bytes(40), ADA, FEW, near=[ADA, BOB])
    store.save("e.pth", bytes(45), EVE, FEW, near=[EVE])
    for near, words in (([ADA, BOB], "from your address take 40 bytes of the 50"), ([BOB], "on this server take 85 ")):
        with pytest.raises(ExplorerError, match=words) as refused:
            store.save("b.pth", bytes(20), BOB, FEW, near=near)
        assert "EXPLORER_UPLOADS to more" in str(refused.value)
        assert "\n" not in str(refused.value)
    store.save("b.pth", bytes(10), BOB, FEW, near=[ADA, BOB])
    store.forget(EVE)
    store.save("b.pth", bytes(20), BOB, FEW, near=[BOB])


def test_no_upload_fills_the_disk(store):
    with pytest.raises(ExplorerError, match="the runs on this server take 0 bytes of the 30 bytes"):
        store.save("a.pth", bytes(40), ADA, Limits(disk=30))


def test_only_what_is_ours_goes_with_a_workspace(store, tmp_path):
    store.save("a.pth", b"abc", ADA, Limits())
    (store.folder(ADA) / "notes.txt").write_text("mine")
    store.save("b.pth", b"abc", BOB, Limits())
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "0123456789abcdef.pth").write_text("mine")
    store.folder(EVE).symlink_to(tmp_path / "elsewhere")
    for token in (ADA, BOB, EVE, "..", "../elsewhere"):
        store.forget(token)
    assert [path.name for path in store.folder(ADA).iterdir()] == ["notes.txt"]
    assert not store.folder(BOB).exists()
    assert (tmp_path / "elsewhere" / "0123456789abcdef.pth").exists()


def test_a_later_server_clears_away_what_nobody_wants_and_spares_what_another_one_has(store, tmp_path):
    store.save("a.pth", b"abc", ADA, Limits())
    ended = Uploads(tmp_path)
    for token in (BOB, EVE):
        ended.save("b.pth", b"abc", token, Limits())
    del ended  # its locks go with it
    Uploads(tmp_path).sweep(wanted=[EVE])
    assert {token: store.folder(token).exists() for token in (ADA, BOB, EVE)} == {ADA: True, BOB: False, EVE: True}


def test_uploads_go_with_their_workspace_unless_it_has_runs(tmp_path, monkeypatch):
    space, other = (Workspaces().create() for _ in range(2))
    (tmp_path / "1").mkdir()
    request = {"kind": "prune", "spec": Spec("demo:vgg-digits", "digits").to_json()}
    Job("1", other.token, "Prune", request, "cpu", str(tmp_path / "1"), state="failed").save()
    monkeypatch.setattr(session, "DESK", Desk(tmp_path))
    paths = [session.save_upload(workspace, "a.pth", b"abc") for workspace in (space, other)]
    for workspace in (space, other):
        session.WORKSPACES.gone(workspace.token)
    until(lambda: not paths[0].exists())
    assert [path.exists() for path in paths] == [False, True]
