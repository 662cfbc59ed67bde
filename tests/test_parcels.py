"""Runs in an archive, as workers send them: what comes out is checked like any stranger's."""

import io
import tarfile

import pytest
from folders import same

from cifar_linear.errors import RunError
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.parcels import install, pack, unpack
from cifar_linear.storage.leases import Lease


@pytest.fixture
def out(tmp_path):
    """An empty folder."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def run_folder(trained):
    return trained(early_stopping={"patience": 5}, record_steps=True)


def archive(*members):
    """An archive of files, or of whatever a member is made into."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, data, change in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            change(member)
            tar.addfile(member, io.BytesIO(data))
    return content.getvalue()


def as_it_is(_member):
    pass


def as_link(member):
    member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0


def test_runs_come_out_as_they_went_in(run_folder, out, tmp_path):
    """And can be installed in another folder, also over what is there already."""
    (tmp_path / "sweep").mkdir()
    (found,) = unpack(pack([run_folder]), out)
    claim = Lease(tmp_path / "sweep" / ".group.claim")
    assert claim.acquire()
    for _ in range(2):
        install(found, tmp_path / "sweep", claim)
    claim.release()
    installed = RunFolder(tmp_path / "sweep" / run_folder.path.name)
    same(installed, run_folder)
    assert installed.read_record().status == "finished"
    assert installed.read_checkpoint().rows == run_folder.read_checkpoint().rows


def test_what_is_not_trained_yet_travels_as_well(run_folder, out):
    for name in ("checkpoint.npz", "metrics.csv", "model.npz", "best_model.npz", "steps.csv"):
        (run_folder.path / name).unlink()
    (found,) = unpack(pack([run_folder]), out)
    assert found.read_checkpoint() is None


@pytest.mark.parametrize(
    "member",
    [
        ("../run/run.json", b"{}", as_it_is),
        ("/run/run.json", b"{}", as_it_is),
        ("run/../run.json", b"{}", as_it_is),
        ("run.json", b"{}", as_it_is),
        ("run/report/report.html", b"", as_it_is),
        ("run/.bashrc", b"", as_it_is),
        ("run/run.json", b"", as_link),
        ("con/run.json", b"{}", as_it_is),
    ],
)
def test_anything_but_files_of_runs_is_refused(member, out, tmp_path):
    with pytest.raises(RunError, match="not a file of a run"):
        unpack(archive(member), out)
    assert list(tmp_path.iterdir()) == [out]
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", b"{}"),
        ("model.npz", b"no arrays"),
        ("metrics.csv", b"a,b\n1,2\n"),
        ("checkpoint.npz", b"PK"),
        ("config.yaml", b"x: 1"),
    ],
)
def test_a_damaged_file_of_a_run_is_named(run_folder, out, name, content):
    (run_folder.path / name).write_bytes(content)
    with pytest.raises(Exception, match=name.replace(".", r"\.")):
        unpack(pack([run_folder]), out)


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x00" * 100])
def test_what_is_no_archive_has_no_runs_or_is_refused(content, out):
    with pytest.raises(RunError, match="an archive of runs is damaged"):
        unpack(content, out)


def test_a_config_of_another_run_is_refused(trained, out):
    one, two = trained(), trained(seed=5)
    one.write_config(two.read_config().decode())
    with pytest.raises(RunError, match=r"config\.yaml and run\.json are not of the same run"):
        unpack(pack([one]), out)
