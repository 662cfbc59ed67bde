"""The public names of the package."""

import inspect
import re
import subprocess
import sys
import threading
from functools import cached_property
from types import FunctionType

import numpy as np
import pytest
from folders import BASE, only_run, same
from PIL import Image

import cifar_linear
from cifar_linear import CifarLinearError, Experiment, load_run, train
from cifar_linear.errors import ConfigError, DataError, DivergedError, RunError
from cifar_linear.nn.standardization import Standardization
from cifar_linear.report.writing import write_report
from cifar_linear.runs.folder import RunFolder

SETTINGS = {key: value for key, value in BASE.items() if key != "lambda"} | {"lam": 0.01}


@pytest.fixture
def experiment():
    return Experiment(**SETTINGS)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A finished run that tests only read."""
    return Experiment(**SETTINGS, record_steps=True).run(tmp_path_factory.mktemp("runs"), name="stored")


def python(code):
    """What another process prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_package_loads_nothing_else():
    heavy = ("numpy", "matplotlib", "pydantic", "yaml", "sklearn", "pandas", "cifar_linear.errors")
    code = f"import sys, cifar_linear\ndir(cifar_linear)\nprint([name for name in {heavy} if name in sys.modules])"
    assert python(code) == "[]"


def test_nothing_but_the_estimator_loads_scikit_learn():
    code = "import sys\nfrom cifar_linear import Experiment, Run, load_run, train\nprint('sklearn' in sys.modules)"
    assert python(code) == "False"


def test_without_scikit_learn_one_line_says_what_to_install():
    code = (
        "import sys\nsys.modules['sklearn'] = None\n"
        "try:\n    from cifar_linear import LinearSGDClassifier\nexcept ImportError as error:\n    print(error)"
    )
    assert python(code) == "LinearSGDClassifier needs scikit-learn: pip install 'cifar-linear[sklearn]'"


def test_every_public_name_is_there_and_no_other():
    for name in cifar_linear.__all__:
        assert getattr(cifar_linear, name) is not None
        assert name in dir(cifar_linear)
    with pytest.raises(AttributeError, match="module 'cifar_linear' has no attribute 'trian'"):
        cifar_linear.trian  # noqa: B018  # looking is what fails


def functions():
    """Every public function and method, as what it is called in messages."""
    for name in cifar_linear.__all__:
        thing = getattr(cifar_linear, name)
        if inspect.isclass(thing):
            own = {key: value for key, value in vars(thing).items() if not key.startswith("_")}
            # What scikit-learn adds to the class is described there.
            kinds = (property, cached_property, classmethod, FunctionType)
            yield from ((f"{name}.{key}", value) for key, value in own.items() if isinstance(value, kinds))
            yield name, thing
        elif callable(thing):
            yield name, thing


@pytest.mark.parametrize(("name", "function"), list(functions()))
def test_every_public_function_describes_each_argument(name, function):
    text = inspect.getdoc(function)
    assert text
    if isinstance(function, (property, cached_property)) or name in ("CifarLinearError", "Run"):
        return
    function = getattr(function, "__func__", function)
    arguments = [key for key in inspect.signature(function).parameters if key not in ("self", "cls")]
    for key in arguments if len(arguments) > 1 else ():
        assert re.search(rf"^ +{key}: ", text, re.MULTILINE), f"{name} does not describe {key}"


def test_training_on_arrays_is_what_an_experiment_does(experiment):
    """The same numbers, bit for bit."""
    images = experiment.dataset()
    theirs = list(experiment.evaluations())
    arrays = train(
        images.train.images,
        images.train.labels,
        (images.validation.images, images.validation.labels),
        lam=0.01,
        eta=0.01,
        n_batch=20,
        epochs=3,
    )
    for ours, expected in zip(arrays, theirs, strict=True):
        np.testing.assert_array_equal(ours.train, expected.train)
        np.testing.assert_array_equal(ours.validation, expected.validation)


def test_several_rates_train_side_by_side():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2, 3)), np.arange(60) % 3
    options = {"epochs": 2, "n_batch": 20, "dtype": "float64"}
    *_, together = train(X, y, lam=[0.1, 0.2], eta=0.1, **options)
    for run, lam in enumerate((0.1, 0.2)):
        *_, alone = train(X, y, lam=lam, eta=0.1, **options)
        np.testing.assert_allclose(together.state.parameters["W"][run], alone.state.parameters["W"][0], rtol=1e-12)


def test_weights_are_for_standardised_examples():
    """As the docstring says; folded, they are for raw ones."""
    rng = np.random.default_rng(1)
    X, y = rng.normal(5, 3, (80, 4)), rng.integers(0, 3, 80)
    *_, last = train(X, y, eta=0.1, n_batch=80, epochs=5, dtype="float64")
    seen, W, b = Standardization.of(X), last.state.parameters["W"], last.state.parameters["b"]
    V, c = seen.fold(W, b)
    scores = X @ V[0].T + c[0]
    np.testing.assert_allclose(scores, seen.apply(X) @ W[0].T + b[0])
    assert np.mean(scores.argmax(axis=1) == y) == last.train.accuracy[0]


GOOD = np.arange(12.0).reshape(6, 2), np.array([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.array([[None, 1]] * 6), GOOD[1], "images are an array of object; numbers are needed"),
        ([[1, 2], [3]], [0, 1], "images cannot be an array"),
        (GOOD[0][:, 0], GOOD[1], r"images have the shape \(6,\); \(n, d\) with at least one image is needed"),
        (GOOD[0][:0], GOOD[1][:0], r"images have the shape \(0, 2\)"),
        (GOOD[0], GOOD[1][:5], r"labels have the shape \(5,\); \(6,\) is needed for images \(6, 2\)"),
        (GOOD[0], GOOD[1] / 2, "labels are float64; integers from 0 are needed"),
        (GOOD[0], list("abcabc"), "labels are <U1; integers from 0 are needed"),
        (GOOD[0], GOOD[1] - 1, "labels must be integers from 0; the smallest is -1"),
        (GOOD[0], GOOD[1] * 0, "labels are all 0; at least two classes are needed"),
        (np.where(GOOD[0] == 5, np.nan, GOOD[0]), GOOD[1], "images hold NaN or infinity in 1 of 6 rows: 2"),
        (GOOD[0] * 1e300, GOOD[1], "feature 0 has no finite mean and standard deviation"),
    ],
)
def test_arrays_that_cannot_be_trained_on_are_refused_before_training(images, labels, message):
    with pytest.raises(DataError, match=message):
        train(images, labels, n_batch=2)


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        ((GOOD[0][:, :1], GOOD[1]), "validation has 1 features an image, training 2"),
        ((GOOD[0], GOOD[1] + 1), "validation has the label 3; the labels of training end at 2"),
        ((GOOD[0], GOOD[1][:2]), r"the labels of validation have the shape \(2,\)"),
    ],
)
def test_validation_images_must_be_of_the_same_kind(validation, message):
    with pytest.raises(DataError, match=message):
        train(*GOOD, validation, n_batch=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "hinge"}, "loss must be softmax, sigmoid_bce, logistic; it is 'hinge'"),
        ({"loss": "logistic"}, "loss 'logistic' is for two classes; there are 3"),
        ({"lam": -1}, "lam must be a number from 0, or a sequence of them; it is -1"),
        ({"lam": "much"}, "lam must be a number from 0, or a sequence of them; it is 'much'"),
        ({"eta": 0}, "eta must be above 0"),
        ({"eta": [1, 2], "lam": [1, 2, 3]}, "lam has 3 values, eta 2"),
        ({"n_batch": 7}, "n_batch must be 1 to 6, the number of images; it is 7"),
        ({"n_batch": 2.5}, "n_batch must be 1 to 6, the number of images; it is 2.5"),
        ({"epochs": 0}, "epochs must be an integer from 1; it is 0"),
        ({"patience": 0}, "patience must be an integer from 1; it is 0"),
        ({"seed": -1}, "seed must be an integer from 0; it is -1"),
        ({"init_std": -1}, "init_std must be a number from 0"),
        ({"dtype": "float16"}, "dtype must be 'float32' or 'float64'; it is 'float16'"),
    ],
)
def test_bad_numbers_are_refused_before_training(arguments, message):
    with pytest.raises(ConfigError, match=message):
        train(*GOOD, **{"n_batch": 2, **arguments})


def test_a_run_from_python_is_one_from_the_command_line(experiment, run, tmp_path):
    """The same files with the same numbers, and a config that the command reads."""
    path = tmp_path / "small.yaml"
    path.write_text(experiment.to_yaml())
    assert run("train", "--config", path, "--runs-dir", tmp_path / "theirs", "--no-figures").exit_code == 0
    ours = Experiment.from_yaml(path).run(tmp_path / "ours", name="small")
    same(RunFolder(ours.path), only_run(tmp_path / "theirs"))
    assert ours.config == experiment.config
    assert ours.path.name.endswith("_small")


def test_settings_take_the_place_of_those_of_a_file(experiment, tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(experiment.to_yaml())
    changed = Experiment.from_yaml(path, lambda_=0.5, data={"dataset": "synthetic", "images_per_batch": 40})
    assert (changed.config.lam, changed.config.data.images_per_batch, changed.config.n_batch) == (0.5, 40, 20)


def test_numbers_of_numpy_are_numbers(experiment):
    """At any depth."""
    changed = experiment.with_settings(
        eta=np.float64(0.5), n_batch=np.int64(10), data={"dataset": "synthetic", "images_per_batch": np.int32(40)}
    )
    assert (changed.config.eta, changed.config.n_batch, changed.config.data.images_per_batch) == (0.5, 10, 40)


def test_an_experiment_shows_itself_as_the_code_that_makes_it(experiment):
    assert eval(repr(experiment)).config == experiment.config
    assert "lambda_=0.01" in repr(experiment)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eta": "fast"}, 'Experiment: eta: must be a number, found "fast"'),
        ({"lam": -1, "epochs": 0}, "2 problems in the config:"),
        ({"lambda_": 1}, "Experiment: lambda_ and lam are one key; give one of them"),
        ({"etta": 0.1}, "Experiment: etta: unknown key"),
        ({"data": {"dataset": "cifar11"}}, "Experiment: data.dataset: must be"),
    ],
)
def test_bad_settings_are_refused_as_those_of_a_file(changes, message):
    with pytest.raises(ConfigError) as error:
        Experiment(**SETTINGS | changes)
    assert str(error.value).startswith(message)


def test_a_bad_name_leaves_no_folder(experiment, tmp_path):
    with pytest.raises(ConfigError, match=r"run name .\.\./up"):
        experiment.run(tmp_path / "runs", name="../up")
    assert not (tmp_path / "runs").exists()


def test_missing_images_leave_no_folder(experiment, tmp_path):
    published = experiment.with_settings(data={"dataset": "cifar10"})
    with pytest.raises(DataError, match="data download"):
        published.run(tmp_path / "runs", data_dir=tmp_path / "nothing")
    assert not (tmp_path / "runs").exists()


def test_a_run_that_diverges_is_kept_and_named(experiment, tmp_path):
    with pytest.raises(DivergedError, match=r"training diverged at step .*; the run is kept in ") as error:
        experiment.with_settings(lam=1e6, eta=1e6).run(tmp_path)
    kept = load_run(str(error.value).rpartition(" ")[2])
    assert kept.status == "diverged"
    assert kept.error.startswith("training diverged")


def test_an_interrupted_run_is_kept_and_can_go_on(experiment, run, tmp_path):
    def stop(evaluation):
        if evaluation.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        experiment.run(tmp_path / "runs", watch=stop)
    folder = only_run(tmp_path / "runs")
    assert load_run(folder.path).status == "interrupted"
    assert run("train", "--resume", folder.path, "--no-figures").exit_code == 0
    same(folder, RunFolder(experiment.run(tmp_path / "whole").path))


def test_a_run_may_train_beside_the_main_thread(experiment, tmp_path):
    """Where no signal can be told to wait."""
    runs = []
    thread = threading.Thread(target=lambda: runs.append(experiment.run(tmp_path)))
    thread.start()
    thread.join()
    assert runs[0].status == "finished"


def test_metrics_are_the_columns_of_the_table(stored):
    rows = RunFolder(stored.path).read_metrics()
    assert stored.metrics["epoch"].tolist() == [0, 1, 2, 3]
    for name, column in stored.metrics.items():
        assert column.tolist() == [row[name] for row in rows]
    assert stored.batch_losses.shape == (9,)
    assert stored.final["train"]["cost"] == stored.metrics["train_cost"][-1]
    assert stored.final["test"]["accuracy"] == np.mean(stored.predictions.predicted == stored.predictions.labels)


def test_metrics_are_a_data_frame_where_there_is_pandas(stored, monkeypatch):
    frame = stored.frame()
    assert frame["validation_accuracy"].tolist() == stored.metrics["validation_accuracy"].tolist()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(CifarLinearError, match="pip install pandas"):
        stored.frame()


def test_a_run_predicts_what_it_predicted(stored):
    test = Experiment(**SETTINGS).dataset().test
    found = stored.predict(test.images)
    np.testing.assert_array_equal(found.predicted, stored.predictions.predicted)
    np.testing.assert_allclose(found.probabilities, stored.predictions.probabilities, rtol=1e-5)
    with pytest.raises(ConfigError, match=r"images have the shape \(60, 7\); \(n, 3072\) is needed"):
        stored.predict(test.images[:, :7])


def test_weights_names_and_shapes_belong_together(stored):
    assert repr(stored.class_names[:2]) == "('disc', 'square')"
    classes, features = len(stored.class_names), int(np.prod(stored.image_shape))
    assert {name: array.shape for name, array in stored.parameters.items()} == {
        "W": (classes, features),
        "b": (classes,),
    }


def test_the_best_weights_stand_for_a_run_that_kept_them(experiment, tmp_path):
    run = experiment.with_settings(early_stopping={"patience": 1}, eta=0.3, epochs=8).run(tmp_path)
    best = np.argmin(run.metrics["validation_loss"])
    assert best < len(run.metrics["epoch"]) - 1
    assert run.final["validation"]["loss"] == run.metrics["validation_loss"][best]
    np.testing.assert_array_equal(run.parameters["W"], RunFolder(run.path).read_model(best=True).W)
    images = experiment.dataset().test.images
    np.testing.assert_array_equal(run.predict(images).predicted, run.predictions.predicted)


def test_pictures_are_those_of_the_report(stored, tmp_path):
    write_report(stored_collection(stored), tmp_path)
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == set(stored.figures)
    picture = stored.figures["accuracy"]
    assert picture._repr_png_() == (tmp_path / "figures" / "accuracy.png").read_bytes()
    assert picture.title == "Accuracy"
    assert "validation from" in picture.alt
    assert repr(picture) == f"<Picture Accuracy: {picture.alt}>"


def stored_collection(run):
    from cifar_linear.report.collecting import collect  # noqa: PLC0415  # beside its only use

    return collect([run.path])


def test_a_picture_is_saved_in_the_format_of_its_ending(stored, tmp_path):
    for ending, start in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        stored.figures["cost"].save(tmp_path / f"cost.{ending}")
        assert (tmp_path / f"cost.{ending}").read_bytes().startswith(start)
    with Image.open(tmp_path / "cost.png") as image:
        assert image.width > 300
    with pytest.raises(ConfigError, match=r"ends in \.png, \.pdf or \.svg"):
        stored.figures["cost"].save(tmp_path / "cost.gif")


def test_runs_are_found_by_name_as_on_the_command_line(stored):
    for name in ("stored", "last", stored.path.name):
        assert load_run(name, stored.path.parent).path.samefile(stored.path)
    assert "finished after epoch 3" in repr(load_run(stored.path))
    with pytest.raises(RunError, match="no run or sweep has this name; near it: stored"):
        load_run("sotred", stored.path.parent)
