"""What other programs read in exported runs, by their own libraries."""

import csv
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from folders import BASE
from safetensors import safe_open
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cifar_linear import Experiment
from cifar_linear.exports.tensorboard import crc32c

SETTINGS = {key: value for key, value in BASE.items() if key != "lambda"} | {"lam": 0.01}
TWO = {"dataset": "synthetic", "images_per_batch": 200, "classes": [2, 5]}


@pytest.fixture
def runs_dir(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def trained(runs_dir):
    """A finished run with some changes to its settings."""
    return lambda name="mine", **changes: Experiment(**SETTINGS | changes).run(runs_dir, name=name)


@pytest.fixture
def export(run, runs_dir, tmp_path):
    """Call the command; gives the files that it names."""

    def call(*words):
        result = run("export", *words, "--runs-dir", runs_dir, "-o", tmp_path / "out")
        assert result.exit_code == 0, result.stderr
        return result.stdout.splitlines()

    return call


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ["softmax", "sigmoid_bce", "logistic"])
def test_onnxruntime_predicts_what_the_run_predicts(loss, dtype, trained, export):
    changes = {"loss": loss, "dtype": dtype} | ({"data": TWO} if loss == "logistic" else {})
    run = trained(**changes)
    (path,) = export("onnx", "mine")
    images = Experiment(**SETTINGS | changes).dataset().test.images
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    scores, probabilities, predicted = session.run(None, {"images": images.reshape(-1, *run.image_shape)})
    expected = run.predict(images)
    np.testing.assert_array_equal(predicted, expected.predicted)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(probabilities, expected.probabilities, rtol=tolerance, atol=tolerance)
    assert scores.dtype == probabilities.dtype == dtype


def test_an_onnx_model_describes_itself(trained, export):
    run = trained()
    (path,) = export("onnx", "mine")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (images,) = session.get_inputs()
    assert (images.name, images.type, images.shape) == ("images", "tensor(uint8)", ["n", 3, 32, 32])
    assert [output.name for output in session.get_outputs()] == ["scores", "probabilities", "predicted"]
    facts = session.get_modelmeta().custom_metadata_map
    assert tuple(facts["class_names"].split("\n")) == run.class_names
    assert (facts["run"], facts["weights"], facts["lambda"]) == (run.path.name, "last, epoch 3", "0.01")


def test_safetensors_reads_the_weights(trained, export):
    run = trained(dtype="float32")
    (path,) = export("safetensors", "mine")
    arrays = load_file(path)
    for name, array in run.parameters.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype
    assert set(arrays) == {"W", "b", "mean", "std"}
    assert arrays["std"].dtype == np.float64
    with safe_open(path, "numpy") as file:
        assert file.metadata()["image_shape"] == "3 32 32"
        assert tuple(file.metadata()["class_names"].split("\n")) == run.class_names


def test_the_best_weights_are_exported_of_a_run_that_kept_them(trained, export):
    run = trained(early_stopping={"patience": 1}, eta=0.3, epochs=8)
    (path,) = export("safetensors", "last")
    np.testing.assert_array_equal(load_file(path)["W"], run.parameters["W"])
    with safe_open(path, "numpy") as file:
        assert file.metadata()["weights"].startswith("best, epoch ")


def test_tensorboard_reads_every_metric(trained, export, tmp_path):
    run = trained()
    export("tensorboard", "mine")
    reader = EventAccumulator(str(tmp_path / "out" / run.path.name)).Reload()
    names = {
        **{
            f"{of}/{split}": f"{split}_{of}" for of in ("loss", "cost", "accuracy") for split in ("train", "validation")
        },
        "eta": "eta",
    }
    assert set(reader.Tags()["scalars"]) == set(names)
    for tag, column in names.items():
        found = reader.Scalars(tag)
        assert [event.step for event in found] == run.metrics["step"].tolist()
        values = [event.value for event in found]
        np.testing.assert_array_equal(np.float32(values), run.metrics[column].astype(np.float32))
        np.testing.assert_allclose(
            np.diff([event.wall_time for event in found]), np.diff(run.metrics["seconds"]), atol=1e-5
        )


@pytest.mark.parametrize(("content", "checksum"), [(bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43)])
def test_checksums_are_those_of_the_standard(content, checksum):
    """Examples of RFC 3720, appendix B.4."""
    assert crc32c(content) == checksum


def test_a_table_holds_the_metrics_of_all_runs(trained, export):
    """Columns that only some runs have are empty in the others."""
    runs = [trained("one"), trained("two", averaging={"from_epoch": 2})]
    (path,) = export("csv")
    rows = list(csv.DictReader(Path(path).read_text().splitlines()))
    assert [row["run"] for row in rows] == [run.path.name for run in runs for _ in run.metrics["epoch"]]
    assert [row["epoch"] for row in rows[:4]] == ["0", "1", "2", "3"]
    for name in ("epoch", "train_loss", "validation_accuracy"):
        assert [float(row[name]) for row in rows] == [value for run in runs for value in run.metrics[name]]
    assert [row["averaged"] for row in rows[:4]] == [""] * 4
    assert [row["averaged"] for row in rows[4:]] == [str(int(n)) for n in runs[1].metrics["averaged"]]


def test_the_same_run_gives_the_same_files(trained, export):
    trained()
    for form in ("onnx", "safetensors", "tensorboard", "csv"):
        (path,) = export(form, "mine")
        before = Path(path).read_bytes()
        assert export(form, "mine") == [path]
        assert Path(path).read_bytes() == before


def test_runs_of_one_name_are_refused_before_anything_is_written(trained, run, runs_dir, tmp_path):
    first = trained().path
    second = Experiment(**SETTINGS).run(tmp_path / "others").path
    second = second.rename(second.with_name(first.name))
    result = run("export", "csv", first, second, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: two runs are called {first.name}; export them one by one")
    assert not (tmp_path / "out").exists()


def test_what_is_no_run_is_named(run, tmp_path):
    result = run("export", "onnx", "--runs-dir", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: no run that can be read in {tmp_path}")
    result = run("export", "excel")
    assert result.exit_code == 2
    assert "'excel' is not one of 'onnx', 'safetensors', 'tensorboard', 'csv'" in result.stderr
