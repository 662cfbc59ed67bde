"""Commands that use what has been trained: runs, evaluate, predict, data show."""

import csv
import json
import shutil
from datetime import datetime

import numpy as np
import pytest
from hostile import png
from PIL import Image

from cifar_linear.config.datasets import Cifar10Data
from cifar_linear.data.image_files import read_picture
from cifar_linear.errors import DataError
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.runs.folder import RunFolder


@pytest.fixture(scope="module")
def trained(tmp_path_factory, make_four_runs):
    return make_four_runs(tmp_path_factory.mktemp("using"))


@pytest.fixture
def one(trained, tmp_path):
    """A copy of one run, which a test may change."""
    return shutil.copytree(sorted(trained.iterdir())[0], tmp_path / "one")


@pytest.fixture
def alone(run, small_config, tmp_path):
    """A folder with the only run of its pass."""
    assert run("train", "--config", small_config, "--runs-dir", tmp_path / "alone", "--no-figures").exit_code == 0
    return tmp_path / "alone"


def test_runs_are_listed_with_settings_and_accuracies(run, trained):
    result = run("runs", "--runs-dir", trained)
    assert result.exit_code == 0
    head, *rows = result.stdout.splitlines()
    columns = ["name", "status", "created", "loss", "lambda", "eta", "validation", "test", "seconds"]
    assert head.split() == columns
    assert [row.split()[0] for row in rows] == sorted(path.name for path in trained.iterdir())
    settings = (("0", "0.003"), ("0.3", "0.003"), ("1", "0.003"), ("0", "0.05"))
    assert [row.split()[1] for row in rows] == ["finished"] * 4
    assert [row.split()[4:7] for row in rows] == [["softmax", *setting] for setting in settings]
    created = RunFolder(trained / rows[0].split()[0]).read_record().created
    assert " ".join(rows[0].split()[2:4]) == f"{datetime.fromisoformat(created).astimezone():%Y-%m-%d %H:%M}"


def test_runs_are_sorted_by_accuracy_from_the_highest(run, trained):
    document = json.loads(run("runs", "--runs-dir", trained, "--sort", "validation", "--json").stdout)
    accuracies = [row["validation"] for row in document]
    assert accuracies == sorted(accuracies, reverse=True)
    for row in document:
        recorded = RunFolder(trained / row["name"]).read_record()
        assert row["validation"] == recorded.metrics["validation"].accuracy


def test_a_run_with_early_stopping_is_listed_with_its_best_weights(run, small_config, runs_dir):
    options = ("--set", "eta=0.3", "--set", "early_stopping={patience: 4}", "--no-figures")
    run("train", "--config", small_config, "--runs-dir", runs_dir, *options)
    (row,) = json.loads(run("runs", "--runs-dir", runs_dir, "--json").stdout)
    record = RunFolder(runs_dir / row["name"]).read_record()
    assert record.best.metrics["test"].accuracy != record.metrics["test"].accuracy
    assert (row["validation"], row["test"]) == tuple(
        record.best.metrics[split].accuracy for split in ("validation", "test")
    )


def test_runs_are_chosen_by_status_and_cut_at_a_limit(run, own_runs):
    """Dates, like accuracies, from the highest."""
    first, *others = sorted(own_runs.iterdir())
    record = RunFolder(first).read_record()
    RunFolder(first).write_record(
        record.model_copy(update={"status": "failed", "created": "2030-01-01T00:00:00+00:00"})
    )

    def listed(*options):
        return [row["name"] for row in json.loads(run("runs", "--runs-dir", own_runs, "--json", *options).stdout)]

    assert listed("--status", "failed") == [first.name]
    assert listed("--status", "finished") == [path.name for path in others]
    assert len(listed("--status", "failed", "--status", "finished")) == 4
    assert listed("--sort", "created", "--limit", 1) == [first.name]
    assert listed("--sort", "created", "--status", "killed") == []


def test_runs_as_csv_hold_what_the_json_holds(run, trained):
    text = run("runs", "--runs-dir", trained, "--csv").stdout
    document = json.loads(run("runs", "--runs-dir", trained, "--json").stdout)
    assert list(csv.DictReader(text.splitlines())) == [
        {key: str(value) for key, value in row.items()} for row in document
    ]
    assert run("runs", "--runs-dir", trained, "--csv", "--json").exit_code == 2


def test_only_what_looks_like_a_run_has_a_line_when_it_is_left_out(run, one):
    """A folder that is left of a run has one, any other folder has none."""
    (one.parent / "foreign").mkdir()
    left = one.parent / "20260101T000000Z_left"
    left.mkdir()
    (one.parent / "half").mkdir()
    (one.parent / "half" / "config.yaml").touch()
    result = run("runs", "--runs-dir", one.parent)
    assert result.exit_code == 0
    lines = result.stderr.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [["left out", str(left)], ["left out", f"{one.parent / 'half'}"]]
    assert len(result.stdout.splitlines()) == 2


def test_names_are_shown_without_what_a_terminal_would_obey(run, one):
    """In the list, in the notes of what is left out and in errors."""
    evil = one.rename(one.with_name("\x1b[31mred\nname"))
    (one.parent / "left\x07").mkdir()
    (one.parent / "left\x07" / "config.yaml").touch()
    result = run("runs", "--runs-dir", one.parent)
    assert r"\x1b[31mred\nname " in result.stdout
    assert r"left\x07: " in result.stderr
    evaluated = run("evaluate", evil, "--best")
    assert r"\x1b[31mred" in evaluated.stderr
    for text in (result.stdout, result.stderr, evaluated.stderr):
        assert not set(text) & {"\x1b", "\x07"}


def test_accuracies_are_percents_for_people_and_fractions_in_json(run, one):
    """To two digits, as everywhere."""
    accuracy = RunFolder(one).read_record().metrics["test"].accuracy
    assert run("evaluate", one).stdout.splitlines()[0].endswith(f", accuracy {100 * accuracy:.2f} %")
    document = json.loads(run("evaluate", one, "--json").stdout)
    assert document["metrics"]["accuracy"] == accuracy
    counts = np.array([of["predicted_as"] for of in document["classes"]])
    assert counts.trace() / counts.sum() == accuracy


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_evaluation_agrees_with_the_record_to_the_bit(run, alone, split):
    (path,) = alone.iterdir()
    document = json.loads(run("evaluate", path, "--split", split, "--json").stdout)
    assert document["metrics"] == document["recorded"] == RunFolder(path).read_record().metrics[split].model_dump()


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_evaluation_of_a_run_that_shared_a_pass_agrees_to_rounding(run, one, split):
    document = json.loads(run("evaluate", one, "--split", split, "--json").stdout)
    assert document["recorded"] == RunFolder(one).read_record().metrics[split].model_dump()
    assert document["metrics"] == pytest.approx(document["recorded"], rel=1e-6)


def test_evaluation_that_disagrees_with_the_record_exits_with_5(run, one):
    folder = RunFolder(one)
    model = folder.read_model()
    folder.write_model(model._replace(parameters={**model.parameters, "W": model.W[::-1]}))
    result = run("evaluate", one)
    assert result.exit_code == 5
    assert "are these the images it was trained with?" in result.stderr


def test_evaluation_of_a_split_without_record_says_so(run, one):
    folder = RunFolder(one)
    record = folder.read_record()
    folder.write_record(record.model_copy(update={"metrics": {"train": record.metrics["train"]}}))
    result = run("evaluate", one)
    assert result.exit_code == 0
    assert "recorded no metrics of the test images" in result.stderr


def test_evaluation_reads_only_the_files_of_its_split(run, one, python_folder):
    """Nothing but a test batch is there."""
    (python_folder / "data_batch_1").rename(python_folder / "test_batch")
    folder = RunFolder(one)
    record = folder.read_record()
    config = record.config.model_copy(update={"data": Cifar10Data(dataset="cifar10")})
    folder.write_config(config.to_yaml())
    result = run("evaluate", one, "--data-dir", python_folder)
    assert result.stdout.startswith("test: loss ")
    assert "data_batch_1: missing" in run("evaluate", one, "--data-dir", python_folder, "--split", "train").stderr


@pytest.fixture
def pictures(one, tmp_path, make_config):
    """Two test images as files, and their rows."""
    test = load_dataset(make_config(data={"images_per_batch": 100})).test
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path, row in zip(paths, test.images, strict=False):
        Image.fromarray(row.reshape(3, 32, 32).transpose(1, 2, 0)).save(path)
    return paths, test.images[:2]


def test_prediction_of_a_picture_is_that_of_the_test_image(run, one, pictures):
    """From file to probabilities: the same numbers that the run stored for the image."""
    paths, _ = pictures
    document = json.loads(run("predict", one, *paths, "--json").stdout)
    model = RunFolder(one).read_model()
    stored, names = RunFolder(one).read_predictions(model).probabilities, model.class_names
    for i, entry in enumerate(document):
        assert list(entry["probabilities"]) == [names[k] for k in np.argsort(-stored[i], kind="stable")]
        expected = dict(zip(names, stored[i].tolist(), strict=True))
        assert entry["probabilities"] == pytest.approx(expected, rel=1e-5)


def test_prediction_names_the_top_classes(run, one, pictures):
    (path, _), _ = pictures
    result = run("predict", one, path, "--top", 2)
    assert result.exit_code == 0
    name, _, classes = result.stdout.strip().partition(": ")
    assert name == str(path)
    assert len(classes.split(", ")) == 2


def test_broken_picture_is_an_error_line_and_the_others_are_predicted(run, one, pictures, tmp_path):
    paths, _ = pictures
    (tmp_path / "cut.png").write_bytes(paths[0].read_bytes()[:100])
    (tmp_path / "text.png").write_text("no picture")
    bad = [tmp_path / "cut.png", tmp_path / "text.png", tmp_path / "missing.png", tmp_path]
    result = run("predict", one, *bad, *paths)
    assert result.exit_code == 3
    assert [line.partition(": ")[0] for line in result.stdout.splitlines()] == [str(path) for path in paths]
    lines = result.stderr.splitlines()
    assert len(lines) == 5
    assert all(line.startswith(f"error: {path}: ") for line, path in zip(lines, bad, strict=False))
    assert lines[-1] == "error: 4 of 6 pictures could not be read"
    alone = run("predict", one, tmp_path / "text.png")
    assert (alone.exit_code, alone.stderr.count("error:")) == (3, 1)


def test_picture_of_another_size_and_mode_becomes_an_image_of_the_data_set(tmp_path):
    """Grey with transparency, twice as large: the same picture in three equal channels, rows from the top."""
    column = np.linspace(0, 255, 64).astype(np.uint8)
    Image.fromarray(np.repeat(column[:, None], 64, 1)).convert("LA").save(tmp_path / "grey.png")
    planes = read_picture(tmp_path / "grey.png", (3, 32, 32)).reshape(3, 32, 32)
    assert (planes == planes[0]).all()
    assert (np.diff(planes[0, :, 5].astype(int)) > 0).all()
    assert read_picture(tmp_path / "grey.png", (1, 28, 28)).shape == (784,)


def test_sixteen_bits_and_transparency_are_seen_as_people_see_them(tmp_path):
    """Sixteen bits of grey are scaled, not clipped; behind what is transparent there is white."""
    grey = np.linspace(0, 65535, 32 * 32).astype(np.uint16).reshape(32, 32)
    Image.fromarray(grey).save(tmp_path / "grey16.png")
    Image.fromarray((grey >> 8).astype(np.uint8)).save(tmp_path / "grey8.png")
    Image.new("RGBA", (32, 32), (255, 0, 0, 0)).save(tmp_path / "nothing.png")
    sixteen, eight = (read_picture(tmp_path / f"grey{bits}.png", (3, 32, 32)) for bits in (16, 8))
    np.testing.assert_array_equal(sixteen, eight)
    assert (read_picture(tmp_path / "nothing.png", (3, 32, 32)) == 255).all()


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_of_sixteen_bits_the_upper_eight_are_kept(tmp_path, colour, channels):
    """In grey and in colour, with and without an alpha channel that is opaque."""
    pixels = np.random.default_rng(0).integers(0, 2**16, (32, 32, channels)).astype(">u2")
    if channels in (2, 4):
        pixels[..., -1] = 2**16 - 1
    (tmp_path / "a.png").write_bytes(png(32, 32, b"".join(b"\0" + row.tobytes() for row in pixels), 16, colour))
    upper = np.broadcast_to((pixels >> 8)[..., : 3 if channels > 2 else 1], (32, 32, 3))
    read = read_picture(tmp_path / "a.png", (3, 32, 32)).reshape(3, 32, 32)
    np.testing.assert_array_equal(read, upper.transpose(2, 0, 1))


def test_picture_taken_sideways_is_turned_upright(tmp_path):
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter clockwise
    Image.fromarray(pixels).save(tmp_path / "side.png", exif=exif)
    upright = read_picture(tmp_path / "side.png", (1, 16, 8)).reshape(16, 8)
    assert upright[0].min() == 255
    assert upright[-1].max() == 0


def test_picture_of_too_many_pixels_is_refused_before_it_is_unpacked(tmp_path):
    Image.new("1", (10_000, 10_000)).save(tmp_path / "bomb.png")
    with pytest.raises(DataError, match="10000 x 10000 pixels; at most 50000000 are read"):
        read_picture(tmp_path / "bomb.png", (3, 32, 32))


def test_images_are_shown_with_their_classes(run, tmp_path, monkeypatch):
    """What the figure holds is looked at on its way to the file."""
    drawn = []
    monkeypatch.setattr("cifar_linear.figures.style.rendered", lambda figure, form: drawn.append(figure) or b"x")
    result = run("data", "show", "--count", 12, "-o", tmp_path / "images.svg")
    assert result.exit_code == 0, result.stderr
    (figure,) = drawn
    titles = [text.get_text() for text in figure.axes[0].texts]
    assert len(titles) == len(figure.axes[0].get_images()) == 12
    assert set(titles) <= {"disc", "square", "triangle", "ring", "cross", "rows", "columns", "checks", "ramp", "glow"}


def test_augmented_images_of_a_line_that_is_not_full_stand_below_too(run, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("cifar_linear.figures.style.rendered", lambda figure, form: drawn.append(figure) or b"x")
    options = "--count", 13, "--augment", "--set", "augmentation.flip=1", "-o", tmp_path / "images.png"
    assert run("data", "show", *options).exit_code == 0
    (axes,) = drawn[0].axes
    places = [(round(y), x) for x, y in (text.get_position() for text in axes.texts)]
    lines = sorted({y for y, _ in places})
    assert places == [(y, x) for y, count in zip(lines, (10, 10, 3, 3), strict=True) for x in range(count)]
    assert len(axes.get_images()) == 26
    assert [text.get_text() for text in axes.texts[23:]] == ["flipped"] * 3


def test_augmented_images_stand_below_their_originals(run, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("cifar_linear.figures.style.rendered", lambda figure, form: drawn.append(figure) or b"x")
    options = "--count", 3, "--augment", "--set", "augmentation.flip=1", "-o", tmp_path / "images.png"
    assert run("data", "show", *options).exit_code == 0
    pictures = [np.asarray(image.get_array()) for image in drawn[0].axes[0].get_images()]
    assert [text.get_text() for text in drawn[0].axes[0].texts[3:]] == ["flipped"] * 3
    for original, flipped in zip(pictures[:3], pictures[3:], strict=True):
        np.testing.assert_array_equal(flipped, original[:, ::-1])


def test_random_images_are_others_and_the_same_each_time(run, tmp_path):
    contents = []
    for name, options in (("a", ()), ("b", ("--random",)), ("c", ("--random",))):
        run("data", "show", "--count", 5, "-o", tmp_path / f"{name}.png", *options)
        contents.append((tmp_path / f"{name}.png").read_bytes())
    assert contents[0] != contents[1] == contents[2]


def test_showing_asks_for_what_it_needs(run, tmp_path):
    nothing = run("data", "show", "--augment", "-o", tmp_path / "a.png")
    assert (nothing.exit_code, "augments nothing" in nothing.stderr) == (2, True)
    other = run("data", "show", "--augment", "--split", "test", "-o", tmp_path / "a.png")
    assert (other.exit_code, "only training images are augmented" in other.stderr) == (2, True)
    ending = run("data", "show", "-o", tmp_path / "a.gif")
    assert (ending.exit_code, "ends in .png, .pdf or .svg" in ending.stderr) == (2, True)


def test_a_sheet_is_not_drawn_into_a_folder_that_does_not_exist(run, tmp_path):
    result = run("data", "show", "-o", tmp_path / "new" / "a.png")
    assert result.exit_code == 2
    assert result.stderr == (
        f"error: {tmp_path}/new/a.png: there is no folder {tmp_path}/new; make it first, or choose another with -o\n"
    )
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "BMP", "TIFF"])
def test_a_picture_in_another_format_is_refused_by_its_name(tmp_path, kind):
    """Whatever the file is called."""
    Image.new("RGB", (32, 32)).save(tmp_path / "picture.png", format=kind)
    with pytest.raises(DataError, match=f"picture.png: a {kind} picture; only PNG and JPEG are read"):
        read_picture(tmp_path / "picture.png", (3, 32, 32))


HOSTILE_NAME = "\x1b[31mred\x1b]0;owned\x07\x9b1m\u202e\n"


def test_text_from_a_run_folder_cannot_speak_to_the_terminal(run, one, pictures):
    """Class names in model.npz: escape sequences, C1 controls, a reversal of the writing direction, line breaks."""
    (path, _), _ = pictures
    folder = RunFolder(one)
    model = folder.read_model()
    folder.write_model(model._replace(class_names=(HOSTILE_NAME, *model.class_names[1:])))
    result = run("predict", one, path, "--top", 10)
    assert result.exit_code == 0
    assert "\\x1b[31mred\\x1b]0;owned\\x07\\x9b1m\\u202e\\n" in result.stdout
    assert result.stdout.removesuffix("\n").isprintable()


def test_names_of_folders_and_messages_cannot_speak_to_the_terminal(run, one):
    one.rename(one.parent / HOSTILE_NAME.strip())
    (one.parent / "not\x1b[31ma run").mkdir()
    (one.parent / "not\x1b[31ma run" / "metrics.csv").touch()
    result = run("runs", "--runs-dir", one.parent)
    error = run("predict", one.parent / "not\x1b[31ma run", "missing.png")
    assert error.exit_code == 1
    for output in (result.stdout, result.stderr, error.stderr):
        assert output
        assert all(line.isprintable() for line in output.splitlines())


def test_a_model_with_arrays_that_do_not_fit_is_told_in_plain_numbers(run, one, pictures):
    (path, _), _ = pictures
    folder = RunFolder(one)
    folder.write_model(folder.read_model()._replace(image_shape=(3, 16, 32)))
    result = run("predict", one, path)
    assert "arrays do not fit 10 classes of images (3, 16, 32)" in result.stderr
