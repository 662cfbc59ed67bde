"""A hundred linear classifiers on features in one go, and the certificate of the selected one."""

import json

import numpy as np
import pytest
import yaml
from feature_files import data, write
from sklearn.linear_model import LogisticRegression

from cifar_linear.config.models import Config
from cifar_linear.experiments.dataset_cache import DatasetCache
from cifar_linear.experiments.run import run_group
from cifar_linear.runs.folder import RunFolder
from cifar_linear.sweep import groups, probe
from cifar_linear.sweep.groups import groups_of, runs_that_fit
from cifar_linear.sweep.probe import probe_of


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "own").mkdir()
    return write(tmp_path / "own")


@pytest.fixture
def small_grid(monkeypatch):
    monkeypatch.setattr(probe, "LAMBDAS", (0.001, 0.1))
    monkeypatch.setattr(probe, "ETAS", (0.03, 0.3))


def call(run, folder, tmp_path, *arguments):
    return run("probe", folder, "--runs-dir", tmp_path / "runs", "-q", *arguments)


def test_the_grid_has_a_hundred_settings_that_share_a_pass(folder):
    images = DatasetCache(None)
    cells = probe_of(folder, [], images).cells
    assert len(cells) == 100
    assert len(groups_of(cells, images)) == 1


def test_one_setting_is_selected_tested_and_certified(run, folder, tmp_path, small_grid):
    result = call(run, folder, tmp_path, "--json", "--no-figures")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    selected, *others = document["rows"]
    assert selected["selected"]
    assert selected["validation_accuracy"]["mean"] == max(
        row["validation_accuracy"]["mean"] for row in document["rows"]
    )
    assert selected["test_accuracy"]
    assert not any(row["test_accuracy"] for row in others)
    certificate = document["certificate"]
    assert certificate["lower"] <= certificate["upper"] <= certificate["cost"]
    assert "test" not in certificate["optimum"]


def test_of_the_same_accuracy_the_lowest_loss_is_selected(run, folder, tmp_path, small_grid):
    document = json.loads(call(run, folder, tmp_path, "--json", "--no-figures").stdout)
    best = [row for row in document["rows"] if row["validation_accuracy"] == document["rows"][0]["validation_accuracy"]]
    assert len(best) > 1
    assert best[0]["validation_loss"]["mean"] == min(row["validation_loss"]["mean"] for row in best)


def test_the_c_is_that_with_which_scikit_learn_has_the_same_optimum(run, folder, tmp_path, small_grid):
    document = json.loads(call(run, folder, tmp_path, "--json", "--no-figures").stdout)
    stored = RunFolder(next(iter((tmp_path / "runs").rglob("optimum.npz"))).parent).read_optimum()
    X, y = np.load(folder / "train.npy").astype(np.float64), np.load(folder / "train_labels.npy")
    theirs = LogisticRegression(C=document["C"], tol=1e-10, max_iter=10_000).fit((X - stored.mean) / stored.std, y)
    np.testing.assert_allclose(theirs.coef_ - theirs.coef_.mean(axis=0), stored.W - stored.W.mean(axis=0), atol=0.05)


def test_the_page_has_a_heat_map_and_the_distance_to_the_optimum(run, folder, tmp_path, small_grid):
    result = call(run, folder, tmp_path)
    assert result.exit_code == 0, result.output
    page = (tmp_path / "runs" / "own" / "report" / "report.html").read_text()
    assert "Validation accuracy over the grid" in page
    assert "above optimum" in page
    assert "scikit-learn's C for this lambda, 1 / (2 lambda n): " in result.stdout
    assert "proved" in result.stdout


def test_a_second_call_trains_nothing_and_says_the_same(run, folder, tmp_path, small_grid):
    first = call(run, folder, tmp_path, "--no-figures").stdout
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("model.npz")}
    assert call(run, folder, tmp_path, "--no-figures").stdout == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("model.npz")} == before


def test_a_config_gives_the_files_and_what_differs_from_the_built_in_settings(run, folder, tmp_path, small_grid):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"data": data(folder, normalize="l2"), "loss": "sigmoid_bce", "epochs": 2}))
    images = DatasetCache(None)
    (first, *_) = probe_of(path, ["n_batch=20"], images).cells
    config = first.config
    assert (config.loss, config.epochs, config.n_batch, config.data.normalize) == ("sigmoid_bce", 2, 20, "l2")
    assert config.decay.kind == "cosine"
    assert call(run, path, tmp_path, "--no-figures").exit_code == 0


def test_many_settings_are_ten_lines(run, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "LAMBDAS", (0.1, 0.2, 0.3, 0.4))
    monkeypatch.setattr(probe, "ETAS", (0.1, 0.2, 0.3))
    lines = call(run, folder, tmp_path, "--no-figures", "--no-certify").stdout.splitlines()
    assert lines[11] == "and 2 more"


def nothing(folder):
    for path in folder.iterdir():
        path.unlink()
    return [], 3, "holds no train.npy, train.npz, train.safetensors; a probe needs train.npy with train_labels.npy"


def nan(folder):
    np.save(folder / "test.npy", np.full((80, 24), np.nan))
    return [], 3, "test.npy: 80 of 80 rows hold NaN or infinity"


def no_labels(folder):
    (folder / "train_labels.npy").unlink()
    return [], 2, "data.train.labels: missing: only .npz and .safetensors hold labels"


def lambda_set(folder):
    return ["--set", "lambda=1"], 2, "lambda: is in the grid, which decides; leave out one"


def a_network(folder):
    model = "model={kind: network, layers: [flatten, linear]}"
    return ["--set", model], 2, "model: a network of features needs data.image_shape and the list data.class_names"


@pytest.mark.parametrize("change", [nothing, nan, no_labels, lambda_set, a_network])
def test_bad_input_is_refused_before_anything_is_written(run, folder, tmp_path, change):
    arguments, code, said = change(folder)
    result = call(run, folder, tmp_path, *arguments)
    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert not (tmp_path / "runs").exists()


def test_images_are_for_sweep(run, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("data: {dataset: synthetic}")
    result = call(run, path, tmp_path)
    assert result.exit_code == 2
    assert "data.dataset: a probe is of features; sweep is for the others" in result.stderr


# --- how many share a pass ---


def test_how_many_share_a_pass_follows_from_memory():
    """Hundreds of ten classes, a few of a thousand; half as many in double precision."""
    config = Config(data={"dataset": "synthetic"}, lam=0, eta=1, n_batch=10, epochs=1)
    few, many = runs_that_fit(config, 1280, 10), runs_that_fit(config, 1280, 1000)
    assert few > 100
    assert 1 <= many < 10
    double = config.model_copy(update={"dtype": "float64"})
    assert runs_that_fit(double, 1280, 10) == pytest.approx(few / 2, abs=1)
    assert runs_that_fit(config, 10**9, 10) == 1


def test_a_group_that_does_not_fit_is_several(folder, monkeypatch):
    images = DatasetCache(None)
    cells = probe_of(folder, [], images).cells
    monkeypatch.setattr(groups, "runs_that_fit", lambda *_: 30)
    found = groups_of(cells, images)
    assert [len(group) for group in found] == [30, 30, 30, 10]
    assert [cell for group in found for cell in group] == list(cells)


def test_many_cells_are_shared_among_workers_and_few_are_not(folder):
    images = DatasetCache(None)
    cells = probe_of(folder, [], images).cells
    assert [len(group) for group in groups_of(cells, images, workers=2)] == [50, 50]
    assert [len(group) for group in groups_of(cells[:32], images, workers=2)] == [32]


def test_ten_heads_alone_have_the_metrics_that_they_have_among_a_hundred(folder, tmp_path):
    images = DatasetCache(None)
    cells = probe_of(folder, ["epochs=4"], images).cells

    def trained(configs, name):
        folders = [RunFolder.create(tmp_path / name, "run") for _ in configs]
        return run_group(configs, folders, images.of(configs[0]), lambda _: None, test=False)

    configs = [cell.config for cell in cells]
    among, alone = trained(configs, "all")[::10], trained(configs[::10], "ten")
    for theirs, ours in zip(among, alone, strict=True):
        for split, metrics in ours.metrics.items():
            assert metrics.cost == pytest.approx(theirs.metrics[split].cost, rel=1e-4)
            assert metrics.accuracy == pytest.approx(theirs.metrics[split].accuracy, abs=0.02)
