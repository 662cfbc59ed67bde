"""Importing archives, honest and hostile ones, and checking data that is installed."""

import gzip
import tarfile

import numpy as np
import pytest
from archives import TAR, archive_of, content_of, publish, small_cifar, tar_of

from cifar_linear.data import install
from cifar_linear.data.archives import members_of
from cifar_linear.data.cifar import CIFAR10, CIFAR100
from cifar_linear.data.mnist import FASHION_MNIST, MNIST
from cifar_linear.data.registry import PUBLICATIONS, members
from cifar_linear.errors import DataError

BATCHES = sorted(f"cifar-10-batches-py/{name}" for name in CIFAR10.images)


def test_archives_are_known_by_their_content_whatever_they_are_called(run, files, tmp_path):
    (tmp_path / "renamed.bin").write_bytes(files["cifar10"][TAR])
    result = run("data", "import", tmp_path / "renamed.bin", "--data-dir", tmp_path / "data")
    assert result.exit_code == 0, result.stderr
    digits = files["mnist"]
    four = [*digits]
    for name in four:
        (tmp_path / name).write_bytes(digits[name])
    result = run("data", "import", *(tmp_path / name for name in four[:3]), "--data-dir", tmp_path / "data")
    assert result.exit_code == 2
    assert f"mnist is not complete without {four[3]}: name all its files at once" in result.stderr
    result = run("data", "import", *(tmp_path / name for name in four), "--data-dir", tmp_path / "data")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.endswith(f"mnist in {tmp_path / 'data'}: 2 of 2 batches readable, 2 as published\n")


def test_unpublished_files_whose_names_two_data_sets_have_need_a_choice(run, files, tmp_path):
    """With the choice they are installed where that data set is read."""
    four = [tmp_path / name for name in files["mnist"]]
    for path in four:
        path.write_bytes(gzip.compress(gzip.decompress(files["mnist"][path.name]), 1, mtime=1))
    arguments = ("data", "import", *four, "--data-dir", tmp_path / "data")
    refused = run(*arguments)
    assert refused.exit_code == 3
    assert "data download mnist or fashion_mnist, or unpack it all the same with --unpublished" in refused.stderr
    unclear = run(*arguments, "--unpublished")
    assert unclear.exit_code == 2
    assert f"{four[0]}: mnist and fashion_mnist have a file of this name: choose one with --dataset" in unclear.stderr
    result = run(*arguments, "--unpublished", "--dataset", "mnist")
    assert result.exit_code == 0, result.stderr
    assert {path.rpartition("/")[0] for path in content_of(tmp_path / "data")} == {"MNIST/raw"}


def test_packed_anew_is_as_published_if_the_files_are(run, tmp_path, monkeypatch):
    contents, tar = small_cifar(CIFAR10, np.random.default_rng(1))
    publish(monkeypatch, np.random.default_rng(1))
    (tmp_path / TAR).write_bytes(tar_of(contents, prefix="./cifar-10-batches-py/"))
    assert (tmp_path / TAR).read_bytes() != tar
    result = run("data", "import", tmp_path / TAR, "--data-dir", tmp_path / "data", "--unpublished")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.endswith(": 6 of 6 batches readable, 6 as published\n")


def test_other_images_are_taken_only_if_asked_for(run, files, tmp_path):
    """And told from the published ones."""
    contents, _ = small_cifar(CIFAR10, np.random.default_rng(2))
    (tmp_path / TAR).write_bytes(tar_of(contents))
    arguments = ("data", "import", tmp_path / TAR, "--data-dir", tmp_path / "data")
    result = run(*arguments)
    assert result.exit_code == 3
    assert f"its SHA-256 sum is not that of the published {TAR}, so it is not unpacked" in result.stderr
    assert content_of(tmp_path / "data") == []
    result = run(*arguments, "--unpublished")
    assert result.exit_code == 0
    *lines, summary = result.stdout.splitlines()
    assert [line[14:] for line in lines] == ["readable: its bytes differ from the published file"] * 6
    assert summary == f"cifar10 in {tmp_path / 'data'}: 6 of 6 batches readable, 0 as published"
    verified = run("data", "verify", "--data-dir", tmp_path / "data")
    assert (verified.exit_code, verified.stdout) == (0, result.stdout)
    strict = run("data", "verify", "--data-dir", tmp_path / "data", "--strict")
    assert (strict.exit_code, strict.stdout) == (5, result.stdout)
    assert strict.stderr == f"error: {tmp_path / 'data'}: not every batch of cifar10 is as published\n"


@pytest.mark.parametrize("name", [TAR, "train-labels-idx1-ubyte.gz"])
def test_an_archive_with_another_sum_is_refused_before_it_is_unpacked(run, files, tmp_path, monkeypatch, name):
    def unpacked(*_):
        raise AssertionError("it was unpacked")

    monkeypatch.setattr("gzip.open", unpacked)
    monkeypatch.setattr("tarfile.open", unpacked)
    (tmp_path / name).write_bytes(files["cifar10" if name == TAR else "mnist"][name][:-1] + b"x")
    result = run("data", "import", tmp_path / name, "--data-dir", tmp_path / "data")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith(f"error: {tmp_path / name}: its SHA-256 sum is not that of the published {name}, ")
    assert not (tmp_path / "data").exists()


def test_a_device_is_no_archive(run, files):
    """It would be read for ever."""
    result = run("data", "import", "/dev/zero")
    assert (result.exit_code, result.stderr) == (3, "error: /dev/zero: not a file\n")


def link(name, target, kind=tarfile.SYMTYPE):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def test_surplus_members_are_passed_over(run, tmp_path, monkeypatch):
    """Whatever they are: nothing is written but the batches."""
    contents, _ = small_cifar(CIFAR10, np.random.default_rng(0))
    publish(monkeypatch, np.random.default_rng(0))
    hostile = {
        "../../../escaped": b"out",
        "link": link("link", "/etc/passwd"),
        "hard": link("hard", "/etc/passwd", tarfile.LNKTYPE),
        "pipe": link("pipe", "", tarfile.FIFOTYPE),
        "device": link("cifar-10-batches-py/null", "", tarfile.CHRTYPE),
    }
    (tmp_path / TAR).write_bytes(tar_of({**hostile, **contents}))
    before = content_of(tmp_path)
    result = run("data", "import", tmp_path / TAR, "--data-dir", tmp_path / "a" / "b", "--unpublished")
    assert result.exit_code == 0, result.stderr
    assert content_of(tmp_path) == sorted([*before, *(f"a/b/{batch}" for batch in BATCHES)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_batch": link("cifar-10-batches-py/test_batch", "/etc/passwd")}, "is not a regular file"),
        (
            {"test_batch": link("cifar-10-batches-py/test_batch", "cifar-10-batches-py/data_batch_1", tarfile.LNKTYPE)},
            "is not a regular file",
        ),
        ({"test_batch": link("cifar-10-batches-py/test_batch", "", tarfile.FIFOTYPE)}, "is not a regular file"),
        ({"test_batch": bytes(100_000)}, "has 100000 bytes, the published file "),
        ({"../cifar-10-batches-py/data_batch_1": b""}, None),
        ({"bomb": bytes(10_000_000)}, "it unpacks to more than"),
        ({"test_batch": b"no pickle"}, "test_batch in the archive cannot be used"),
    ],
    ids=["symlink", "hard link", "pipe", "too large", "path through the parent", "bomb", "no batch"],
)
def test_hostile_archives_are_refused(run, files, tmp_path, change, message):
    contents, _ = small_cifar(CIFAR10, np.random.default_rng(0))
    contents.update(change)
    if message is None:  # The only batch of that name is one that is reached through the parent folder.
        del contents["data_batch_1"]
        message = "it lacks cifar-10-batches-py/data_batch_1"
    (tmp_path / TAR).write_bytes(tar_of(contents))
    result = run("data", "import", tmp_path / TAR, "--data-dir", tmp_path / "data", "--unpublished")
    assert result.exit_code == 3
    assert message in result.stderr
    assert content_of(tmp_path / "data") == []


def test_a_member_twice_is_refused(tmp_path):
    two = tar_of({"data_batch_1": b"good", "./data_batch_1": b"evil"})
    archive = archive_of(TAR, two, {"cifar-10-batches-py/data_batch_1": b"good"})
    (tmp_path / TAR).write_bytes(two)
    with pytest.raises(DataError, match="contains cifar-10-batches-py/data_batch_1 twice; refused"):
        list(members_of(tmp_path / TAR, archive))


@pytest.mark.parametrize("part", [0, 1, 100, -1])
@pytest.mark.parametrize("name", [TAR, "train-images-idx3-ubyte.gz"])
def test_cut_archives_are_refused(files, tmp_path, name, part):
    dataset = "cifar10" if name == TAR else "mnist"
    (tmp_path / name).write_bytes(files[dataset][name][:part])
    (archive,) = (archive for archive in PUBLICATIONS[dataset].archives if archive.name == name)
    with pytest.raises(DataError, match=rf"not a whole {name}"):
        list(members_of(tmp_path / name, archive))


def test_a_gzip_bomb_is_not_unpacked(files, tmp_path):
    name = "train-labels-idx1-ubyte.gz"
    (tmp_path / name).write_bytes(gzip.compress(bytes(10_000_000)))
    (archive,) = (archive for archive in PUBLICATIONS["mnist"].archives if archive.name == name)
    with pytest.raises(DataError, match="it unpacks to more than the 28 bytes published; refused"):
        list(members_of(tmp_path / name, archive))


def test_a_file_that_is_no_archive_is_told(run, files, small_config):
    result = run("data", "import", small_config)
    assert result.exit_code == 3
    assert "neither the content nor the name of one of cifar-10-python.tar.gz, " in result.stderr


def test_the_command_for_missing_or_damaged_data_can_be_run_as_it_stands(run, files, tmp_path):
    """Also for a folder with a blank in its name."""
    folder = tmp_path / "my data"
    for dataset in PUBLICATIONS:
        missing = run("data", "verify", dataset, "--data-dir", folder)
        assert f"cifar-linear data download {dataset} --data-dir '{folder}'\n" in missing.stderr
    (folder / "cifar-10-batches-py").mkdir(parents=True)
    (folder / "cifar-10-batches-py" / "test_batch").touch()
    damaged = run("data", "verify", "--data-dir", folder)
    assert damaged.stderr.endswith(f"cifar-linear data download cifar10 --data-dir '{folder}'\n")


def test_missing_data_names_the_command_that_installs_it(run, tmp_path):
    for dataset, config in (("cifar10", "required/lambda-0_eta-0.1"), ("mnist", "mnist/softmax")):
        result = run(
            "train", "--config", f"configs/{config}.yaml", "--data-dir", tmp_path, "--runs-dir", tmp_path / "r"
        )
        assert result.exit_code == 3
        assert f"cifar-linear data download {dataset}" in result.stderr
        assert not (tmp_path / "r").exists()


def test_what_is_published_is_what_the_configs_name():
    """Every batch that a config can name is a member of an archive, of the size that its images need."""
    for published in (CIFAR10, CIFAR100):
        sizes = {name: member.size for name, member in members(published.name).items()}
        assert sizes.keys() == published.images.keys()
        # A batch has the pixels, and for each image a name and one or two labels.
        assert all(0.98 < images * 3072 / sizes[name] < 1 for name, images in published.images.items())
    for published in (MNIST, FASHION_MNIST):
        sizes = {name: member.size for name, member in members(published.name).items()}
        for name, images in published.images.items():
            assert sizes[f"{name}-images-idx3-ubyte"] == 16 + images * 28 * 28
            assert sizes[f"{name}-labels-idx1-ubyte"] == 8 + images


def test_each_data_set_can_be_downloaded_over_tls():
    """The publisher's own host need not offer it."""
    for publication in PUBLICATIONS.values():
        assert sum(mirror.startswith("https://") for mirror in publication.mirrors) >= 2


@pytest.mark.real
def test_real_digits_are_the_published_ones(real_digits):
    """So the published sums in the package are right."""
    assert [batch.state for batch in install.verify("mnist", real_digits)] == ["as published"] * 2
    assert {batch.state for batch in install.verify("cifar10", real_digits)} <= {"as published", "readable"}
