"""ZIPs of pictures from a browser: kept within the limits of all uploads, opened as data, gone with their workspace."""

import io
import os
import stat
import threading
import zipfile

import pytest
from streamlit.testing.v1 import AppTest

from explorer import owned
from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.runs.queue.desk import Desk
from explorer.runs.queue.job import Job
from explorer.runs.queue.limits import Limits
from explorer.ui.parts import opening
from explorer.ui.parts.chooser import KINDS, PICTURES
from explorer.ui.state import session
from explorer.ui.state.uploads import KEPT, Archive, Uploads, told
from explorer.ui.state.uploads import PICTURES as SUFFIXES
from explorer.ui.state.workspace import DATA, MODEL, WORKSPACES
from tests.sources.test_zipped_pictures import flowers, picture
from tests.ui.pages import ROOT, button, choose, words_of

ADA, BOB = (name.ljust(24, "-") for name in ("ada", "bob"))


@pytest.fixture
def store(tmp_path):
    return Uploads(tmp_path)


def packed(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


MORE = {"rose/2.PNG": picture(2)}
FEW = {"daisy/1.png": picture(), "rose/1.png": picture(1)}


def kept(store: Uploads, token: str = ADA, name: str = "flowers.zip", content: bytes | None = None, **given) -> Archive:
    content = packed(FEW) if content is None else content
    return Archive(store.save(name, content, token, given.pop("limits", Limits()), taken=SUFFIXES, **given), name)


def unpacked(store: Uploads, token: str = ADA, **given):
    return store.unpack(kept(store, token, **given), Limits())[0]


def left(store: Uploads, token: str = ADA) -> list[str]:
    """What lies in a workspace's folder, without its lock."""
    return sorted(path.name for path in store.folder(token).iterdir() if path.name != ".lock")


def test_a_zip_becomes_a_marked_folder_of_its_owner_alone(store):
    folder = unpacked(store)
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png")) == sorted(FEW)
    assert owned.marked(folder.parent, owned.UPLOAD)
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert left(store) == [folder.parent.name]
    assert store.pictures(ADA) == [folder]
    assert store.pictures(BOB) == []


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("../../my flowers (2).zip", "my-flowers-2"),
        ("größe.ZIP", "größe"),
        (".zip.zip", "zip"),
        ("?skip=bad#x.zip", "skip-bad-x"),
        ("\x1b[31m.zip", "31m"),
        ("---.zip", "pictures"),
        ("a" * 300 + ".zip", "a" * 40),
    ],
)
def test_of_its_name_only_harmless_words_stay(store, name, called):
    folder = unpacked(store, name=name)
    assert folder.name == called
    assert folder.parent.parent == store.folder(ADA)


@pytest.mark.parametrize(
    ("files", "words"),
    [({"../evil.png": picture()}, "leads out"), ({"readme.md": b"x"}, "no pictures"), ({}, "no files")],
)
def test_of_one_that_is_refused_nothing_stays(store, tmp_path, files, words):
    with pytest.raises(ExplorerError, match=words):
        unpacked(store, content=packed(files))
    assert left(store) == []
    assert not list(tmp_path.rglob("*.png"))


def test_of_one_that_is_damaged_within_nothing_stays(store):
    content = bytearray(packed(FEW | {"tulip/1.bmp": bytes(10_000)}))
    place = content.rindex(b"PK\x03\x04") + 60
    content[place : place + 4] = b"\xff\xff\xff\xff"
    with pytest.raises(ExplorerError, match="can't be read"):
        unpacked(store, content=bytes(content))
    assert left(store) == []
    assert store.pictures(ADA) == []


@pytest.mark.parametrize(("name", "content"), [("a.rar", b"x"), ("a.pth", b"x"), ("a.zip", b"")])
def test_other_files_and_empty_ones_are_refused(store, tmp_path, name, content):
    with pytest.raises(ExplorerError, match=r"is no ZIP|0 bytes"):
        kept(store, name=name, content=content)
    assert os.listdir(tmp_path) == []


def test_weights_may_not_be_a_zip_by_name(store):
    with pytest.raises(ExplorerError, match="no state dict"):
        store.save("a.zip", b"x", ADA, Limits())


def test_what_is_unpacked_counts_towards_the_limits_of_uploads(store):
    content, limits = packed({"a/1.bmp": bytes(60_000), "b/1.png": picture()}), Limits(uploads=150_000)

    def unpack(token: str, limits: Limits = limits):
        return store.unpack(kept(store, token, content=content), limits, near=[token])[0]

    first = unpack(ADA)
    with pytest.raises(ExplorerError, match=r"from your address take .* of the 73\.2 kB"):
        unpack(ADA)
    assert left(store) == [first.parent.name]
    unpack(BOB)
    with pytest.raises(ExplorerError, match="on this server take"):
        unpack("eve".ljust(24, "-"))
    with pytest.raises(ExplorerError, match="the runs on this server take"):
        unpack(BOB, Limits(disk=60_000))
    assert first.is_dir()


def test_the_newest_few_are_kept_and_what_is_still_needed(store):
    folders = []
    for index in range(KEPT + 2):
        folders.append(unpacked(store, used=[f"folder:{folder}?skip=bad" for folder in folders[:1]]))
        os.utime(folders[-1].parent, ns=(index, index))
    assert [folder.is_dir() for folder in folders] == [True, False] + [True] * KEPT
    assert store.pictures(ADA) == [*reversed(folders[2:]), folders[0]]


def test_what_makes_room_leaves_at_once_and_is_deleted_beside_what_others_do(store, monkeypatch):
    """The deletion of a folder waits for another person's upload, which therefore can't wait for it."""
    folders = [unpacked(store) for _ in range(KEPT)]
    for index, folder in enumerate(folders):
        os.utime(folder.parent, ns=(index, index))
    kept(store)
    assert store.pictures(ADA) == folders[:0:-1]
    assert len(list(store.folder(ADA).glob(".*.partial"))) == 1  # of which nothing is deleted yet
    removing, remove = [], owned.remove_folder

    def slowly(folder):
        work = threading.Thread(target=store.save, args=("a.pth", b"x", BOB, Limits()))
        work.start()
        work.join(30)
        removing.append(work.is_alive())
        remove(folder)

    monkeypatch.setattr(owned, "remove_folder", slowly)
    store.clear()
    assert not list(store.folder(ADA).glob(".*.partial"))
    store.forget(ADA)
    assert removing == [False] * KEPT
    assert not store.folder(ADA).exists()


def test_what_leaves_counts_no_longer_and_what_comes_counts_once(store):
    content, room = packed({"a/1.bmp": bytes(60_000), "b/1.bmp": bytes(60_000)}), Limits(uploads=260_000)

    def halfway(fraction: float, message: str, **metrics: float) -> None:
        if fraction:  # one of two files is there
            assert list(store.folder(ADA).glob(".*.partial/*/*/*.bmp"))
            store.save("a.pth", bytes(130_000), BOB, room)

    archive = kept(store, content=content)
    store.unpack(archive, room, report=halfway)
    for _ in range(KEPT):
        store.save("a.pth", bytes(1), ADA, Limits())
    store.save("b.pth", bytes(100_000), BOB, room)


def test_only_what_was_uploaded_goes_with_a_workspace(store, tmp_path):
    folder = unpacked(store)
    theirs = store.folder(ADA) / "0123456789abcdef"  # called as ours, and not marked
    for place in (theirs, tmp_path / "elsewhere"):
        place.mkdir()
        (place / "thesis.tex").write_text("mine")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (store.folder(ADA) / "fedcba9876543210").symlink_to(tmp_path / "elsewhere")
    unpacked(store, BOB)
    store.forget(ADA)
    store.forget(BOB)
    assert not folder.parent.exists()
    assert left(store) == ["0123456789abcdef", "fedcba9876543210"]
    assert (theirs / "thesis.tex").read_text() == (tmp_path / "elsewhere" / "thesis.tex").read_text() == "mine"
    assert not store.folder(BOB).exists()


class Stopped(BaseException):
    """What Streamlit raises in a script whose page was left."""


def test_one_that_was_interrupted_leaves_no_part_and_can_be_unpacked_again(store):
    archive = kept(store)

    def stop(fraction: float, message: str, **metrics: float) -> None:
        if fraction:
            raise Stopped

    with pytest.raises(Stopped):
        store.unpack(archive, Limits(), report=stop)
    assert left(store) == [archive.path.name]
    assert store.unpack(archive, Limits())[0] == archive.folder
    assert store.unpack(archive, Limits())[0] == archive.folder  # as when what came next was interrupted
    assert left(store) == [archive.folder.parent.name]


@pytest.mark.parametrize("wanted", [[], [ADA]], ids=["gone", "with runs"])
def test_what_a_killed_server_had_not_unpacked_to_the_end_goes(tmp_path, wanted):
    whole = unpacked(Uploads(tmp_path))  # whose locks go with it
    part = whole.parent.with_name(".0123456789abcdef.01234567.partial")
    owned.make_folder(part, owned.UPLOAD)
    (part / "flowers").mkdir()
    (part / "flowers" / "1.png").write_bytes(b"x")
    whole.parent.with_name(".0123456789abcde0.01234567.partial").mkdir()
    later = Uploads(tmp_path)
    later.sweep(wanted)
    assert whole.is_dir() == bool(wanted)
    assert left(later) == [whole.parent.name] if wanted else not part.parent.exists()


def test_others_upload_and_leave_while_one_is_unpacked_and_the_next_waits(store):
    """Everything that another person may do meanwhile is done, from within the unpacking, in a thread of her own."""
    first, second, waits = kept(store), kept(store, BOB), []
    done = threading.Event()

    def waiting(fraction: float, message: str, **metrics: float) -> None:
        waits.append(message)
        done.set()

    def others(fraction: float, message: str, **metrics: float) -> None:
        if not waits:
            last.start()
            assert done.wait(30)
            work = threading.Thread(target=lambda: (store.save("a.pth", b"x", BOB, Limits()), store.forget("x" * 24)))
            work.start()
            work.join(30)
            assert not work.is_alive()

    last = threading.Thread(target=store.unpack, args=(second, Limits(), (), waiting))
    store.unpack(first, Limits(), report=others)
    last.join(30)
    assert "waiting" in waits[0]
    assert first.folder.is_dir()
    assert second.folder.is_dir()


def test_a_workspace_that_leaves_while_it_unpacks_leaves_nothing(store):
    archive = kept(store)
    with pytest.raises(ExplorerError, match="reload the page"):
        store.unpack(archive, Limits(), report=lambda fraction, message, **metrics: store.forget(ADA))
    assert not store.folder(ADA).exists()
    unpacked(store)  # by whoever has the token


def test_what_is_open_and_what_a_job_works_with_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(session, "DESK", Desk(tmp_path))
    space = WORKSPACES.create()

    def upload():
        archive = session.save_pictures(space, "a.zip", packed(FEW))
        return session.unpack(space, archive, lambda *_, **__: None)[0]

    shown, worked = upload(), upload()
    space.choose(MODEL, f"folder:{shown}")
    proposed = upload()
    opening.propose(f"folder:{proposed}")
    (tmp_path / "1").mkdir()
    request = {"kind": "prune", "spec": Spec(MODEL, f"folder:{worked}").to_json()}
    job = Job("1", space.token, "Prune", request, "cpu", str(tmp_path / "1"), state="running")
    monkeypatch.setattr(session.DESK, "jobs", lambda owner="": [job])
    others = [upload() for _ in range(KEPT + 1)]
    assert shown.is_dir()
    assert worked.is_dir()
    assert proposed.is_dir()
    opening.propose(None)
    assert not others[0].is_dir()
    monkeypatch.setenv("EXPLORER_ROOTS", str(tmp_path / "nowhere"))
    assert session.permitted(f"folder:{shown}", space) == f"folder:{shown}"
    with pytest.raises(ExplorerError, match="or upload it"):
        session.permitted(f"folder:{shown}", WORKSPACES.create())


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path))
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()


def space_of(test: AppTest):
    return WORKSPACES.get(test.session_state["workspace"])


def chooser(test: AppTest) -> AppTest:
    test.session_state[KINDS] = "Your own"
    return test.button(key="chip").click().run()


def upload(test: AppTest, name: str, content: bytes) -> AppTest:
    chooser(test).file_uploader(key=PICTURES).upload(name, content)
    return button(test, "Open pictures").click().run()


def test_an_uploaded_zip_becomes_the_data_and_says_what_it_is(page):
    digits = {f"set/{digit}/{number}.png": picture(digit) for digit in range(10) for number in range(10)}
    upload(page, "../my digits.zip", packed(digits | {"notes.docx": b"x"}))
    assert not page.exception
    assert not page.error
    data = space_of(page).data
    assert data.endswith("/my-digits")
    assert any("100 images of 10 classes" in entry.label for entry in page.expander)
    assert any("were left out: 1" in entry.value for entry in page.toast)
    choose(page, MODEL, DATA)
    assert space_of(page).data == DATA
    chooser(page).button(key=f"choose uploaded data {data}").click().run()
    assert space_of(page).data == data
    assert f"choose uploaded data {data}" not in {each.key for each in chooser(page).button}
    choose(page, MODEL, f"{data}?skip=bad")
    assert f"choose uploaded data {data}" not in {each.key for each in chooser(page).button}


def test_uploads_of_one_name_are_told_apart(store):
    first, second = unpacked(store), unpacked(store, content=packed(FEW | {"rose/labels.csv": b"x"} | MORE))
    for folder, when in ((first, 0), (second, 3600)):
        os.utime(folder.parent, (when, when))
    assert first.name == second.name
    assert told(first).startswith("2 pictures, uploaded ")
    assert told(second).startswith("3 pictures, uploaded ")
    assert told(first).split("uploaded")[1] != told(second).split("uploaded")[1]


def test_what_can_not_be_opened_is_told_and_all_stays(page):
    button(chooser(page), "Open pictures").click().run()
    assert "Choose a ZIP" in chooser(page).error[0].value
    upload(page, "evil.zip", packed(flowers() | {"../../evil.png": picture()}))
    assert not page.exception
    assert len(page.error) == 1
    assert "leads out of the folder" in page.error[0].value
    assert "stays open" in page.error[0].value
    assert session.uploaded_pictures(space_of(page)) == []
    upload(page, "flowers.zip", packed(flowers(each=12)))  # of other classes than the network's: to train on
    assert "3 classes" in page.error[0].value
    assert "is understood to be" in words_of(page)
    assert len(session.uploaded_pictures(space_of(page))) == 1
    assert (space_of(page).model, space_of(page).data) == (MODEL, DATA)
