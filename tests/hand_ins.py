"""Hand-ins of students: honest runs of many kinds, and forgeries that are to be found."""

import json
import shutil
from contextlib import suppress

import numpy as np
import yaml
from folders import stopped_after

from cifar_linear.config.models import Config
from cifar_linear.config.reading import parse_config
from cifar_linear.experiments.classifier import Classifier
from cifar_linear.experiments.dataset_cache import DatasetCache
from cifar_linear.experiments.final_evaluation import evaluate_on_test
from cifar_linear.experiments.resume import resume_run, resumed_config
from cifar_linear.experiments.run import run_group
from cifar_linear.runs.folder import RunFolder
from cifar_linear.storage.npz import packed, unpacked

KINDS = {
    "plain": {},
    "penalty": {"lambda": 0.1},
    "jumping": {"eta": 0.1},
    "sigmoid": {"loss": "sigmoid_bce", "eta": 0.01},
    "column": {"bias": "column", "lambda": 0.5},
    "step decay": {"decay": {"kind": "step", "every": 2, "factor": 0.5}},
    "plateau": {"decay": {"kind": "plateau", "patience": 1, "factor": 0.5}, "eta": 0.02},
    "cosine": {"decay": {"kind": "cosine"}},
    "momentum": {"momentum": 0.9},
    "averaging": {"averaging": {"from_epoch": 2}},
    "early stopping": {"early_stopping": {"patience": 1}, "eta": 0.02},
    "flips": {"augmentation": {"flip": 0.5, "shift": 1}},
    "double precision": {"dtype": "float64"},
    "evaluated within epochs": {"evaluate": {"per_epoch": 2, "train_images": 50}, "record_steps": True},
    "in order": {"shuffle": False, "drop_last": True},
    "minus one to one": {"data": {"normalize": "minus_one_one"}},
    "centred": {"data": {"normalize": {"center": "channel", "scale": "unit"}}},
    "held out": {"data": {"validation": {"size": 40}}},
    "steps": {"steps": 12, "epochs": None, "evaluate": {"every_steps": 5}, "decay": {"kind": "cosine"}},
}
"""Settings of honest runs, as changes to a base config."""


class Class:
    """Trains runs for the hand-ins of a class.

    Args:
        root: the folder of the hand-ins.
        base: the config that was asked for, as a tree.
        data_dir: folder of the images; None for generated ones.
    """

    def __init__(self, root, base, data_dir=None):
        self.root, self.base = root, base
        self.dataset = DatasetCache(data_dir).of

    def config(self, **changes):
        tree = {**self.base, **changes, "data": {**self.base["data"], **changes.get("data", {})}}
        return parse_config(
            yaml.safe_dump({key: value for key, value in tree.items() if value is not None}).encode(), ""
        )

    def folder(self, name):
        folder = RunFolder(self.root / name)
        folder.path.mkdir(parents=True)
        return folder

    def train(self, name, watch=lambda _: None, **changes):
        """A run of the base config with changes."""
        config = self.config(**changes)
        folder = self.folder(name)
        run_group([config], [folder], self.dataset(config), watch)
        return folder

    def together(self, names, settings):
        """Runs of a sweep: in one pass, so that sums are rounded otherwise."""
        configs = [self.config(**changes) for changes in settings]
        folders = [self.folder(name) for name in names]
        run_group(configs, folders, self.dataset(configs[0]), lambda _: None)
        return folders

    def rounded_otherwise(self, name, **changes):
        """A run as another machine would give it: trained beside another one, and recorded as if alone."""
        mine, other = self.together([name, f"{name}-beside"], [changes, {**changes, "eta": 0.5 * self.base["eta"]}])
        shutil.rmtree(other.path)
        rewrite(mine, record={"runs_in_pass": 1, "place_in_pass": 0})
        return mine

    def resumed(self, name, evaluations, **changes):
        """A run that was stopped after some evaluations and resumed."""
        with suppress(KeyboardInterrupt):
            self.train(name, stopped_after(evaluations), **changes)
        return self._continued(name)

    def lengthened(self, name, epochs, **changes):
        """A run that was trained for fewer epochs and then for more."""
        self.train(name, **{**changes, "epochs": epochs})
        return self._continued(name, f"epochs={self.base['epochs']}")

    def _continued(self, name, *overrides):
        folder = RunFolder(self.root / name)
        with folder.locked():
            config = resumed_config(folder, overrides)
            resume_run(folder, config, self.dataset(config), lambda _: None, lambda: None)
        return folder

    def copy(self, folder, name):
        return RunFolder(shutil.copytree(folder.path, self.root / name))


def rewrite(folder, record=None, rows=None, config=None):
    """Change a folder consistently: record, every row (a function of number and row), config in both places."""
    path = folder.path / "run.json"
    tree = json.loads(path.read_text())
    tree.update(record or {})
    if config:
        changed = merged(yaml.safe_load(folder.read_config()), config)
        changed = parse_config(yaml.safe_dump(changed).encode(), "").to_tree()
        folder.write_config(yaml.safe_dump(changed, sort_keys=False))
        tree["config"] = changed
    path.write_text(json.dumps(tree))
    if rows:
        checkpoint = folder.read_checkpoint()
        changed = [rows(number, dict(row)) for number, row in enumerate(checkpoint.rows)]
        set_rows(folder, [row for row in changed if row])


def set_rows(folder, rows):
    """Replace all rows, in metrics.csv, checkpoint.npz and run.json."""
    folder.write_checkpoint(folder.read_checkpoint()._replace(rows=rows))
    folder.write_metrics(rows)
    path = folder.path / "run.json"
    tree = json.loads(path.read_text())
    for split in ("train", "validation"):
        tree["metrics"][split] = {name: rows[-1][f"{split}_{name}"] for name in ("loss", "cost", "accuracy")}
    tree["epoch"], tree["step"] = int(rows[-1]["epoch"]), int(rows[-1]["step"])
    path.write_text(json.dumps(tree))


def merged(tree, changes):
    """A tree with changes at any level; None takes a key out."""
    changed = {k: merged(tree[k], v) if isinstance(v, dict) and k in tree else v for k, v in changes.items()}
    return {key: value for key, value in {**tree, **changed}.items() if value is not None}


def set_weights(folder, parameters, dataset):
    """Put weights into all files, with the last metrics that they have: those of an honest evaluation."""
    folder.write_model(folder.read_model()._replace(parameters=parameters))
    checkpoint = folder.read_checkpoint()
    state = {f"parameters.{name}": array for name, array in parameters.items()}
    folder.write_checkpoint(checkpoint._replace(arrays={**checkpoint.arrays, **state}))
    reevaluate(folder, dataset)


def reevaluate(folder, dataset):
    """Write the metrics, predictions and calibration that the weights of a folder have on images."""
    found = Classifier.of(folder)
    last = {
        f"{split}_{name}": value
        for split in ("train", "validation")
        for name, value in found.evaluate(dataset.splits[split]).model_dump().items()
    }
    rows = [dict(row) for row in folder.read_checkpoint().rows]
    set_rows(folder, [*rows[:-1], {**rows[-1], **last}])
    evaluate_on_test(folder, dataset.test, dataset.validation)


def arrays(path, **changes):
    """Change arrays of an .npz file."""
    content = unpacked(path.read_bytes())
    path.write_bytes(packed({**content, **{name: change(content[name]) for name, change in changes.items()}}))


def honest_hand_ins(course, kinds=tuple(KINDS)):
    """Hand-ins in which nothing is wrong."""
    for seed, kind in enumerate(kinds, start=1000):
        course.train(f"honest-{kind.replace(' ', '-')}", **{**KINDS[kind], "seed": seed})
    course.resumed("honest-resumed", 2, seed=1100)
    course.resumed("honest-resumed-penalty", 1, seed=1101, **{"lambda": 0.1})
    course.lengthened("honest-lengthened", 1, seed=1102)
    course.rounded_otherwise("honest-other-machine", seed=1103)
    course.rounded_otherwise("honest-other-machine-jumping", seed=1104, eta=0.1)
    course.together(
        [f"honest-sweep/{name}" for name in "abc"], [{"lambda": lam, "seed": 1105} for lam in (0, 0.1, 1.0)]
    )
    course.train("honest-same-seed-1", seed=1106)
    course.rounded_otherwise("honest-same-seed-2", seed=1106)
    with suppress(KeyboardInterrupt):
        course.train("honest-stopped", stopped_after(2), seed=1107)


FORGERIES = {}
"""Functions that forge a hand-in, and the check that must find it; some are found by others as well."""


def forgery(check):
    """Enter a function under its name."""

    def enter(function):
        FORGERIES[function.__name__.replace("_", "-")] = function, check
        return function

    return enter


def forged_hand_ins(course, names=None):
    """Make forgeries, and return the check that must find each."""
    forger = Forger(course)
    for name in names or FORGERIES:
        forger.name = f"forged-{name}"
        FORGERIES[name][0](forger)
    return {name: FORGERIES[name][1] for name in names or FORGERIES}


class Forger:
    """Makes the folders that are forged; ``victim`` is an honest run that others copy from."""

    def __init__(self, course):
        self.course, self.name = course, ""
        self._seeds = iter(range(2000, 3000))
        self.victim = course.train("victim", seed=1999)
        self.images = course.dataset(course.config(seed=1999))

    def new(self, **changes):
        return self.course.train(self.name, **{"seed": next(self._seeds), **changes})

    def donor(self, **changes):
        """An honest run that is not handed in."""
        folder = self.course.train("donor", **{"seed": next(self._seeds), **changes})
        path = self.course.root.parent / "donor"
        shutil.rmtree(path, ignore_errors=True)
        return RunFolder(folder.path.rename(path))

    def claimed(self, **trained):
        """A run trained in another way, with the config and the fingerprints of an honest one of the same seed."""
        seed = next(self._seeds)
        honest, folder = self.donor(seed=seed), self.new(**{"seed": seed, **trained})
        record = json.loads((honest.path / "run.json").read_text())
        folder.write_config(honest.read_record().config.to_yaml())
        rewrite(folder, record={"config": record["config"], "data": record["data"]})
        return folder

    def copy(self):
        return RunFolder(shutil.copytree(self.victim.path, self.course.root / self.name))


@forgery("metrics")
def test_accuracy(make):
    folder = make.new()
    metrics = json.loads((folder.path / "run.json").read_text())["metrics"]
    rewrite(folder, record={"metrics": {**metrics, "test": {**metrics["test"], "accuracy": 0.99}}})


@forgery("files")
def one_number_of_the_table(make):
    path = make.new().path / "metrics.csv"
    lines = path.read_text().splitlines()
    lines[2] = lines[2].replace(lines[2].split(",")[5], "1.0", 1)
    path.write_text("\n".join(lines) + "\n")


@forgery("metrics")
def better_everywhere(make):
    losses = {f"{split}_{name}": 0.9 for split in ("train", "validation") for name in ("loss", "cost")}
    rewrite(make.new(), rows=lambda n, row: {**row, **(losses if n else {})})


@forgery("curves")
def impossible_loss(make):
    wrong = {"validation_accuracy": 0.0, "validation_loss": 0.1}
    rewrite(make.new(), rows=lambda n, row: {**row, **(wrong if n == 1 else {})})


@forgery("curves")
def part_of_an_image(make):
    rewrite(make.new(), rows=lambda n, row: {**row, "validation_accuracy": row["validation_accuracy"] - 0.00037})


@forgery("curves")
def no_start(make):
    rewrite(make.new(), rows=lambda n, row: row if n else None)


@forgery("curves")
def hidden_evaluation(make):
    rewrite(make.new(), rows=lambda n, row: None if n == 1 else row)


@forgery("files")
def foreign_weights(make):
    make.new().write_model(make.donor().read_model())


@forgery("again")
def foreign_weights_everywhere(make):
    """Better ones, of a longer training, with their own metrics at the end of an honest curve."""
    folder = make.new()
    set_weights(folder, make.donor(epochs=make.course.base["epochs"] + 2).read_model().parameters, make.images)


@forgery("copies")
def other_name(make):
    make.copy()


@forgery("copies")
def one_byte(make):
    folder = make.copy()
    arrays(folder.path / "model.npz", W=lambda W: np.where(np.arange(W.size).reshape(W.shape) == 5, W + 1e-3, W))


@forgery("copies")
def other_seed_claimed(make):
    folder = make.copy()
    rewrite(folder, config={"seed": 77}, rows=lambda n, row: {**row, "seconds": 1.01 * row["seconds"]})
    rewrite(folder, record={"created": "2026-01-01T00:00:00+00:00"})


@forgery("copies")
def scaled_weights(make):
    folder = make.copy()
    rewrite(folder, config={"seed": 78}, rows=lambda n, row: {**row, "seconds": 1.02 * row["seconds"]})
    set_weights(folder, {name: 1.5 * array for name, array in folder.read_model().parameters.items()}, make.images)


@forgery("metrics")
def swapped_test_set(make):
    make.claimed(data={"test": ["data_batch_3"]})


@forgery("asked")
def test_images_from_training(make):
    make.new(data={"test": ["data_batch_3"]})


@forgery("start")
def trained_on_test(make):
    """Evaluated honestly at the end."""
    reevaluate(make.claimed(data={"train": ["test_batch"], "test": []}), make.images)


@forgery("start")
def trained_on_test_as_well(make):
    reevaluate(make.claimed(data={"train": ["data_batch_1", "test_batch"], "test": []}), make.images)


@forgery("metrics")
def tuned_on_test(make):
    """The best weights are those with the lowest loss on test images."""
    make.claimed(data={"validation": ["test_batch"], "test": ["data_batch_2"]})


@forgery("images")
def validated_on_test(make):
    folder = make.new(data={"validation": ["test_batch"], "test": ["data_batch_2"]})
    rewrite(folder, config={"data": {"validation": ["data_batch_2"], "test": ["test_batch"]}})


@forgery("selection")
def selected_on_test(make):
    """Of a sweep, only a setting was evaluated on the test set that is not the best on validation images."""
    seed, root = next(make._seeds), make.course.root / make.name
    grid = {"base": make.course.config(seed=seed).to_tree(), "grid": {"eta": [1e-6, make.course.base["eta"]]}}
    for cell, eta in enumerate(grid["grid"]["eta"]):
        folder = make.course.train(f"{make.name}/{cell}", seed=seed, eta=eta)
        if cell:
            metrics = json.loads((folder.path / "run.json").read_text())["metrics"]
            rewrite(folder, record={"metrics": {name: metrics[name] for name in ("train", "validation")}})
            (folder.path / "predictions.npz").unlink()
    (root / "sweep.yaml").write_text(yaml.safe_dump(grid))


@forgery("preprocessing")
def mean_of_the_test_images(make):
    folder = make.new()
    mean = make.images.test.images.mean(axis=0) / 255
    arrays(folder.path / "model.npz", mean=lambda _: mean)
    reevaluate(folder, make.images)


@forgery("asked")
def fewer_epochs(make):
    make.new(epochs=make.course.base["epochs"] - 1)


@forgery("curves")
def more_epochs_claimed_than_trained(make):
    folder = make.new(epochs=make.course.base["epochs"] - 1)
    rewrite(folder, config={"epochs": make.course.base["epochs"]})


@forgery("start")
def other_rate(make):
    eta = make.course.base["eta"]
    rewrite(make.claimed(eta=2 * eta), rows=lambda n, row: {**row, "eta": eta})


@forgery("start")
def other_lambda(make):
    make.claimed(**{"lambda": 10 * make.course.base["lambda"]})


@forgery("start")
def other_seed(make):
    make.claimed(seed=4000)


@forgery("files")
def predictions(make):
    folder = make.new()
    stored = folder.read_predictions(folder.read_model())
    folder.write_predictions(stored._replace(predicted=stored.labels))


@forgery("readable")
def without_weights(make):
    (make.new().path / "model.npz").unlink()


def base_config(**changes):
    """A config for generated images that trains in a blink."""
    tree = {
        "data": {"dataset": "synthetic", "images_per_batch": 200},
        "lambda": 0.01,
        "eta": 0.003,
        "n_batch": 20,
        "epochs": 3,
    }
    return Config.model_validate(merged(tree, changes)).to_tree()
