"""Folders of pictures become arrays: what is read, what is refused, and how much memory it takes."""

import csv
import tracemalloc

import numpy as np
import pytest
import yaml
from PIL import Image

from cifar_linear.data import image_folder
from cifar_linear.data.image_files import read_picture
from cifar_linear.data.image_folder import ImportListener, find_pictures
from cifar_linear.runs.folder import RunFolder
from cifar_linear.storage.locks import locked

SILENT = ImportListener(lambda _: None, lambda _: None)


def colours(i, size=(6, 4)):
    """A picture of one colour that is told from others by its number."""
    return Image.new("RGB", size, (i, 255 - i, 7))


@pytest.fixture
def folder(tmp_path):
    """Eight pictures of cats and four of dogs, with their numbers in the red channel."""
    for i in range(12):
        (tmp_path / "pets" / ("dog" if i % 3 == 0 else "cat")).mkdir(parents=True, exist_ok=True)
        colours(i).save(tmp_path / "pets" / ("dog" if i % 3 == 0 else "cat") / f"{i}.png")
    return tmp_path / "pets"


@pytest.fixture
def imported(run, folder, tmp_path):
    """Call ``data import-folder``."""

    def call(*arguments):
        return run("data", "import-folder", folder, "-o", tmp_path / "arrays", *arguments)

    return call


def arrays(tmp_path):
    return np.load(tmp_path / "arrays" / "images.npy"), np.load(tmp_path / "arrays" / "labels.npy")


def test_every_picture_becomes_a_row_with_its_class_and_file(imported, tmp_path):
    result = imported()
    assert result.exit_code == 0, result.stderr
    images, labels = arrays(tmp_path)
    assert (images.shape, images.dtype) == ((12, 3, 4, 6), np.uint8)
    numbers = images[:, 0, 0, 0]
    assert sorted(numbers) == list(range(12))
    assert (images == np.stack([numbers, 255 - numbers, np.full(12, 7)], axis=1)[:, :, None, None]).all()
    assert labels.tolist() == ["dog" if i % 3 == 0 else "cat" for i in numbers]
    with (tmp_path / "arrays" / "files.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(int(row["row"]), row["class"], row["file"]) for row in rows] == [
        (row, label, f"{label}/{i}.png") for row, (label, i) in enumerate(zip(labels, numbers, strict=True))
    ]


def test_the_order_is_random_but_always_the_same(folder):
    """So every part of the file has all classes."""
    first, again = find_pictures(folder), find_pictures(folder)
    assert first == again
    assert [picture.label for picture in first.pictures] != sorted(picture.label for picture in first.pictures)


def test_what_is_printed_is_a_config_of_what_was_written(imported, tmp_path):
    result = imported("--size", "5")
    lines = result.stdout.splitlines()
    assert lines[:3] == [
        "       8  cat",
        "       4  dog",
        f"12 images of 2 classes, 3 x 5 x 5, in {tmp_path / 'arrays'}",
    ]
    data = yaml.safe_load("\n".join(lines[3:]))["data"]
    assert data["dataset"] == "features"
    assert np.load(data["train"]["features"]).shape == (12, 3, 5, 5)
    assert len(np.load(data["train"]["labels"])) == 12
    assert data["class_names"] == ["cat", "dog"]


def test_a_network_trains_on_pictures_and_is_evaluated_on_others(run, imported, folder, tmp_path):
    """By the config that is printed; the test pictures come from a folder of their own."""
    printed = imported().stdout.partition("\ndata:")[2]
    run("data", "import-folder", folder, "-o", tmp_path / "others", "--size", "6x4")
    config = tmp_path / "pets.yaml"
    others = f"{{features: {tmp_path}/others/images.npy, labels: {tmp_path}/others/labels.npy}}"
    model = "model: {kind: network, layers: [flatten, {linear: 5}, relu, linear]}"
    config.write_text(f"data:{printed}  test: {others}\n{model}\nlambda: 0\neta: 0.1\nn_batch: 4\nepochs: 2\n")
    result = run("train", config, "--runs-dir", tmp_path / "runs")
    assert result.exit_code == 0, result.stderr
    (path,) = (tmp_path / "runs").iterdir()
    assert RunFolder(path).read_model().image_shape == (3, 4, 6)
    assert RunFolder(path).read_record().metrics["test"].accuracy is not None
    guess = run("predict", path, folder / "dog" / "0.png", "--runs-dir", tmp_path / "runs")
    assert guess.exit_code == 0
    assert {"cat", "dog"} & set(guess.stdout.split())


@pytest.mark.parametrize(("size", "shape"), [("3", (3, 3)), ("8x2", (2, 8)), ("8X2", (2, 8))])
def test_pictures_are_squeezed_to_a_size(imported, folder, tmp_path, size, shape):
    """Width first, as pictures are measured; JPEG, capitals in the ending and several sizes at once."""
    colours(200, (50, 20)).save(folder / "cat" / "large.JPG", quality=100)
    assert imported("--size", size).exit_code == 0
    images, _ = arrays(tmp_path)
    assert images.shape == (13, 3, *shape)
    assert np.ptp(images, axis=(2, 3)).max() <= 1


def test_grey_pictures_have_one_channel(imported, tmp_path):
    imported("--grey")
    assert arrays(tmp_path)[0].shape == (12, 1, 4, 6)


def test_a_picture_that_lies_on_its_side_is_turned_before_its_size_is_compared(imported, folder, tmp_path):
    """As cameras store it: 4 x 6 with a note that it is to be turned."""
    exif = Image.Exif()
    exif[0x0112] = 6
    colours(99, (4, 6)).save(folder / "cat" / "0.jpg", exif=exif)
    assert imported().exit_code == 0
    for path in folder.glob("*/*.png"):
        path.unlink()
    colours(98, (4, 6)).save(folder / "dog" / "0.jpg", exif=exif)
    (tmp_path / "arrays").rename(tmp_path / "earlier")
    assert imported().exit_code == 0
    assert arrays(tmp_path)[0].shape == (2, 3, 4, 6)


def broken(folder):
    (folder / "cat" / "1.png").write_bytes((folder / "cat" / "1.png").read_bytes()[:40])
    (folder / "dog" / "text.png").write_text("no picture")


def test_broken_pictures_are_listed_and_nothing_is_written(imported, folder, tmp_path):
    broken(folder)
    result = imported()
    assert (result.exit_code, result.stdout) == (3, "")
    *listed, error = result.stderr.splitlines()
    assert sorted(line.partition(": ")[0] for line in listed) == [
        str(folder / "cat/1.png"),
        str(folder / "dog/text.png"),
    ]
    assert error.startswith("error: 2 of 13 pictures cannot be read, as listed above, and nothing is written; ")
    assert error.endswith("with --skip-broken")
    assert [path.name for path in tmp_path.iterdir()] == ["pets"]


def test_broken_pictures_can_be_left_out(imported, folder, tmp_path):
    """The rows of labels and files are those of the images all the same."""
    broken(folder)
    result = imported("--skip-broken")
    assert result.exit_code == 0
    assert "left out: 2 pictures that cannot be read" in result.stderr
    images, labels = arrays(tmp_path)
    assert labels.tolist() == ["dog" if i % 3 == 0 else "cat" for i in images[:, 0, 0, 0]]
    assert sorted(images[:, 0, 0, 0]) == [0, *range(2, 12)]


def test_other_files_are_passed_over_and_counted(imported, folder):
    """Hidden ones without a word."""
    for name in ("cat/notes.txt", "dog/Thumbs.db", "dog/film.gif", ".DS_Store", "cat/.hidden.png"):
        (folder / name).touch()
    (folder / ".git").mkdir()
    result = imported()
    assert result.exit_code == 0
    assert result.stderr == "passed over: 3 files that are not called .png or .jpg (.db, .gif, .txt)\n"


def empty_class(folder):
    (folder / "bird").mkdir()


def nested(folder):
    (folder / "bird" / "red").mkdir(parents=True)


def one_class(folder):
    for path in (folder / "dog").iterdir():
        path.unlink()
    (folder / "dog").rmdir()


def no_classes(folder):
    for path in list(folder.iterdir()):
        path.rename(folder.parent / path.name)


def only_broken(folder):
    for path in (folder / "dog").iterdir():
        path.write_bytes(b"")


def other_size(folder):
    colours(1, (7, 4)).save(folder / "cat" / "1.png")


def is_a_file(folder):
    folder.rename(folder.parent / "elsewhere")
    folder.touch()


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (empty_class, 3, "pets: no PNG or JPEG picture in bird; remove the folder or fill it"),
        (nested, 3, "in bird; remove the folder or fill it (if its folders are classes, import it by itself)"),
        (one_class, 3, "pets: only one folder, cat in it; there must be one for each class"),
        (
            no_classes,
            3,
            "pets: no folders in it; there must be one for each class, with its pictures, and two at least",
        ),
        (is_a_file, 3, "pets: cannot be read: Not a directory"),
        (only_broken, 3, "4 of 12 pictures cannot be read"),
        (other_size, 2, "give all of them one size with --size, such as --size"),
    ],
)
def test_a_folder_that_is_no_data_set_is_refused(imported, folder, tmp_path, change, code, message):
    change(folder)
    before = sorted(tmp_path.iterdir())
    result = imported("--quiet")
    assert result.exit_code == code
    assert message in result.stderr.splitlines()[-1]
    assert sorted(tmp_path.iterdir()) == before


def test_a_class_of_which_nothing_is_left_is_refused(imported, folder):
    only_broken(folder)
    result = imported("--skip-broken")
    assert result.exit_code == 3
    assert result.stderr.endswith("dog: none of its pictures can be read; nothing is written\n")


@pytest.mark.parametrize("size", ["0", "4097", "3x", "x3", "3x4x5", "-3", "large"])
def test_a_size_that_is_none_is_refused(imported, size):
    result = imported("--size", size)
    assert result.exit_code == 2
    assert "is not a size such as 64 or 64x48" in result.stderr


def test_a_folder_that_exists_is_never_overwritten(imported, tmp_path):
    (tmp_path / "arrays").mkdir()
    result = imported()
    assert result.exit_code == 2
    assert f"{tmp_path / 'arrays'}: exists already and is not overwritten" in result.stderr


def test_an_import_that_is_stopped_leaves_nothing(folder, tmp_path):
    def stop(_done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        image_folder.import_folder(find_pictures(folder), tmp_path / "arrays", None, SILENT._replace(done=stop))
    assert [path.name for path in tmp_path.iterdir()] == ["pets"]


def test_what_killed_imports_have_left_is_removed(imported, tmp_path):
    """Not what another import is writing at the time, nor what is called alike."""
    for name in (".arrays.dead.new", ".arrays.alive.new", ".arrays.old"):
        (tmp_path / name).mkdir()
    with locked(tmp_path / ".arrays.alive.new", "busy"):
        assert imported().exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [".arrays.alive.new", ".arrays.old", "arrays", "pets"]
    assert sorted(path.name for path in (tmp_path / "arrays").iterdir()) == ["files.csv", "images.npy", "labels.npy"]


def test_a_full_disk_is_named(imported, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.save", full)
    result = imported()
    assert result.exit_code == 1
    assert result.stderr.endswith("arrays: cannot be written: No space left on device\n")


def test_memory_does_not_grow_with_the_number_of_pictures(folder, tmp_path, monkeypatch):
    """Of pictures that are 3 MB in all, no more than a few are held at a time."""
    monkeypatch.setattr(image_folder, "_MEMORY", 2**18)
    for i in range(64):
        colours(i).save(folder / "cat" / f"more-{i}.png")
    found = find_pictures(folder)
    tracemalloc.start()
    try:
        image_folder.import_folder(found, tmp_path / "arrays", (128, 96), SILENT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "arrays" / "images.npy").stat().st_size > 76 * 128 * 96 * 3
    assert peak < 1.2e6


def test_a_picture_is_read_as_predict_reads_it(folder, tmp_path):
    """So what a network sees in training and later is the same."""
    noise = np.random.default_rng(0).integers(0, 256, (31, 47, 4), np.uint8)
    Image.fromarray(noise, "RGBA").save(folder / "cat" / "noise.png")
    found = find_pictures(folder)
    image_folder.import_folder(found, tmp_path / "arrays", (16, 12), SILENT)
    images, _ = arrays(tmp_path)
    for picture, image in zip(found.pictures, images, strict=True):
        np.testing.assert_array_equal(image.ravel(), read_picture(picture.path, (3, 12, 16)))
