"""Files that are written whole or not at all, also by several writers at once."""

import os

import pytest

from cifar_linear.errors import RunError
from cifar_linear.storage.atomic import is_unfinished, write_whole


@pytest.fixture
def meanwhile(monkeypatch):
    """Let something happen once, after a writer has written its content and before it renames its file."""

    def install(happening):
        def fsync(_handle):
            monkeypatch.undo()
            happening()

        monkeypatch.setattr(os, "fsync", fsync)

    return install


def test_two_writers_of_one_file_leave_the_content_of_the_later_and_nothing_else(tmp_path, meanwhile):
    """Each has a file of its own beside the target until it renames it."""
    meanwhile(lambda: write_whole(tmp_path / "page", b"second " * 1000))
    write_whole(tmp_path / "page", b"first " * 10)
    assert (tmp_path / "page").read_bytes() == b"first " * 10
    assert [path.name for path in tmp_path.iterdir()] == ["page"]


def test_a_writer_that_fails_leaves_the_file_of_another_alone(tmp_path, meanwhile):
    def full(*_):
        raise OSError(28, "No space left on device")

    def fail():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pathlib.Path.replace", full)
            with pytest.raises(RunError, match="cannot be written: No space left"):
                write_whole(tmp_path / "page", b"second")

    meanwhile(fail)
    write_whole(tmp_path / "page", b"first")
    assert (tmp_path / "page").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["page"]


def test_what_a_killed_writer_leaves_is_recognised(tmp_path, meanwhile):
    """By the names of this version and by the single one of earlier versions."""
    seen = []
    meanwhile(lambda: seen.extend(tmp_path.iterdir()))
    write_whole(tmp_path / "model.npz", b"whole")
    (beside,) = seen
    assert is_unfinished(beside)
    assert is_unfinished(tmp_path / ".model.npz.new")
    assert not is_unfinished(tmp_path / "model.npz")
    assert not is_unfinished(tmp_path / ".lock")


def test_a_link_with_the_name_that_earlier_versions_wrote_to_is_not_followed(tmp_path):
    (tmp_path / "victim").write_bytes(b"mine")
    (tmp_path / ".page.new").symlink_to(tmp_path / "victim")
    write_whole(tmp_path / "page", b"whole")
    assert (tmp_path / "victim").read_bytes() == b"mine"
    assert (tmp_path / "page").read_bytes() == b"whole"
