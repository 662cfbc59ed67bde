"""Doubtful labels: folds that leak nothing, confident learning against cleanlab, and what the command says."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from cleanlab.count import compute_confident_joint, get_confident_thresholds
from groups import Training
from PIL import Image
from sklearn.metrics import roc_auc_score

from cifar_linear.data.dataset import Split, folds
from cifar_linear.data.wrong_labels import with_wrong_labels
from cifar_linear.errors import DivergedError
from cifar_linear.experiments.doubts import COLUMNS, Doubts, sentences
from cifar_linear.experiments.out_of_fold import out_of_fold
from cifar_linear.nn.confident_learning import confident_classes, thresholds
from cifar_linear.nn.losses import softmax
from cifar_linear.nn.metrics import area_under_curve
from cifar_linear.nn.standardization import Standardization
from cifar_linear.randomness import Purpose, rng_for


def noisy(images=400, classes=5, wrong=0.1, seed=0):
    """Probabilities that know the true classes somewhat, and labels some of which are wrong."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, images)
    probabilities = softmax(rng.normal(size=(images, classes)) + 1.5 * np.eye(classes)[true])
    changed = rng.random(images) < wrong
    return probabilities, np.where(changed, (true + rng.integers(1, classes, images)) % classes, true), changed


@pytest.mark.parametrize("count", [2, 3, 7])
def test_folds_are_of_one_size_and_so_are_their_classes(count):
    labels = np.random.default_rng(0).integers(0, 4, 61)
    found = folds(labels, count, np.random.default_rng(1))
    assert np.ptp(np.bincount(found, minlength=count)) <= 1
    for label in range(4):
        assert np.ptp(np.bincount(found[labels == label], minlength=count)) <= 1
    assert not np.array_equal(found, folds(labels, count, np.random.default_rng(2)))


@pytest.mark.parametrize("seed", range(5))
def test_thresholds_are_those_of_cleanlab(seed):
    probabilities, labels, _ = noisy(seed=seed)
    np.testing.assert_allclose(thresholds(probabilities, labels), get_confident_thresholds(labels, probabilities))


@pytest.mark.parametrize("seed", range(5))
def test_doubted_labels_are_those_of_cleanlab(seed):
    """But where the most probable class is not considered: cleanlab takes it all the same, the paper does not."""
    probabilities, labels, _ = noisy(seed=seed)
    _, theirs = compute_confident_joint(labels, probabilities, calibrate=False, return_indices_of_off_diagonals=True)
    considered = probabilities >= thresholds(probabilities, labels)
    differing = (considered.sum(axis=1) > 1) & ~considered[np.arange(400), probabilities.argmax(axis=1)]
    ours = np.flatnonzero(confident_classes(probabilities, labels) != labels)
    assert set(ours) ^ set(theirs) <= set(np.flatnonzero(differing))
    assert len(ours) > 20 > differing.sum()


@pytest.mark.parametrize("seed", range(5))
def test_confident_classes_are_those_of_the_paper(seed):
    """Image by image: the most probable of the classes that reach their threshold."""
    probabilities, labels, _ = noisy(images=60, seed=seed)
    limits = [probabilities[labels == k, k].mean() for k in range(5)]
    for p, label, found in zip(probabilities, labels, confident_classes(probabilities, labels), strict=True):
        reached = [k for k in range(5) if p[k] >= limits[k]]
        assert found == (max(reached, key=lambda k: p[k]) if reached else label)


def test_a_class_without_images_is_never_suggested():
    probabilities = np.array([[0.1, 0.2, 0.7], [0.2, 0.1, 0.7]])
    np.testing.assert_array_equal(thresholds(probabilities, np.array([0, 1])), [0.1, 0.1, np.inf])
    assert 2 not in confident_classes(probabilities, np.array([0, 1]))


@pytest.mark.parametrize("digits", [1, 9])
def test_the_area_under_the_curve_is_that_of_scikit_learn(digits):
    """With ties, too."""
    rng = np.random.default_rng(0)
    positive = rng.random(200) < 0.2
    scores = np.round(rng.random(200) + 0.2 * positive, digits)
    assert area_under_curve(scores, positive) == pytest.approx(roc_auc_score(positive, scores))


def nothing(*_):
    pass


NETWORK = {
    "kind": "network",
    "layers": [{"conv": {"filters": 2, "kernel": 5, "stride": 3}}, "relu", "flatten", "linear"],
}


@pytest.mark.parametrize(
    "changes",
    [{}, {"early_stopping": {"patience": 2}}, {"model": NETWORK}, {"augmentation": {"flip": 0.5, "shift": 1}}],
    ids=["linear", "early stopping", "network", "augmented"],
)
def test_no_probability_depends_on_the_label_of_its_own_fold(make_config, dataset, changes):
    """With other labels in one fold its probabilities stay, bit for bit, and those of the others change."""
    config, train = make_config(**changes), dataset.train
    before, _ = out_of_fold(config, dataset, 3, nothing, nothing)
    own = folds(train.labels, 3, rng_for(config.seed, Purpose.FOLDS)) == 1
    labels = np.where(own, (train.labels + 1) % 10, train.labels)
    after, _ = with_folds(config, replace(dataset, train=replace(train, labels=labels)), train.labels)
    np.testing.assert_array_equal(after[own], before[own])
    assert (after[~own] != before[~own]).any(axis=1).all()


def with_folds(config, dataset, labels):
    """The same, with the folds of other labels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cifar_linear.experiments.out_of_fold.folds", lambda _, count, rng: folds(labels, count, rng))
        return out_of_fold(config, dataset, 3, nothing, nothing)


def test_the_folds_of_a_group_are_trained_as_each_alone_on_the_other_images(make_config, dataset):
    """With all images in one batch, a training on the images outside a fold: the same probabilities, to rounding."""
    config = make_config(dtype="float64", n_batch=60, epochs=5, lam=0.1)
    found, _ = out_of_fold(config, dataset, 3, nothing, nothing)
    fold = folds(dataset.train.labels, 3, rng_for(config.seed, Purpose.FOLDS))
    seen = Standardization.of(dataset.train.images)
    for number in range(3):
        others = replace(dataset, train=dataset.train.part(fold != number))
        alone = Training(config, others, [0.1], [config.eta], n_batch=40)
        alone.objective = replace(alone.objective, model=replace(alone.model, standardization=seen))
        list(alone.evaluations(epochs=5))
        scores = alone.objective.model.scores([dataset.train.images.astype(float)], alone.state.parameters)[:, 0]
        np.testing.assert_allclose(found[fold == number], softmax(scores)[fold == number], rtol=1e-9)


def test_a_fold_that_diverges_is_named(make_config, dataset):
    with pytest.raises(DivergedError, match=r"without fold 1 diverged at step \d+; try a smaller eta"):
        out_of_fold(make_config(eta=1e5, lam=100), dataset, 3, nothing, nothing)


def doubts(images=1000, doubted=400, right=0.4, flipped=None, class_names=("cat", "dog")):
    """Doubts of so many labels, where the model is right about a part."""
    labels = np.zeros(images, int)
    suggested = np.where(np.arange(images) < doubted, 1, 0)
    predicted = np.where(np.arange(images) < right * images, 0, 1)
    p = np.linspace(0, 1, images)
    probabilities = np.stack([p, 1 - p], axis=1)
    pixels = np.zeros((images, 12), np.uint8)
    return Doubts(pixels, labels, class_names, probabilities, predicted, suggested, flipped)


def said(**changes):
    return "\n".join(sentences(doubts(**changes)))


def test_how_few_errors_a_poor_model_finds_is_computed_from_its_own_numbers():
    told = said()
    assert "the model agrees with 40.00 % of 1000 labels; it doubts 400" in told
    assert "a model that misses 60 % finds few errors: if one label in a hundred were wrong, at most 1 in 40" in told
    assert "a model that misses 70 % finds few errors" in said(right=0.3, doubted=300)
    assert "at most 1 in 30 of its doubts" in said(right=0.3, doubted=300)
    for changes in ({"doubted": 20, "right": 0.98}, {"flipped": np.arange(1000) < 50}):
        assert "few errors" not in said(**changes)


def test_how_many_flipped_labels_are_found_is_said_only_where_some_were_flipped():
    told = said(flipped=np.arange(1000) < 50)
    assert "of 50 labels that were flipped on purpose, 50 are among as many that are doubted most" in told
    assert "(by chance 2); AUC 1.000" in told
    assert "flipped" not in said()


def test_labels_are_made_wrong_at_random_and_never_stay():
    split = Split(np.zeros((900, 4), np.uint8), np.arange(900) % 3)
    changed, wrong = with_wrong_labels(split, 0.2, 3, np.random.default_rng(0))
    assert wrong.sum() == 180
    np.testing.assert_array_equal(changed.labels != split.labels, wrong)
    moves = np.bincount(((changed.labels - split.labels) % 3)[wrong], minlength=3)
    assert moves[0] == 0
    assert moves[1:].min() > 70
    assert not with_wrong_labels(split, 0, 3, np.random.default_rng(0))[1].any()


def table(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_flipped_labels_are_doubted_first(run, small_config, tmp_path):
    """Of generated images, most of which the model gets right."""
    sheet = tmp_path / "found.png"
    changes = ("data.images_per_batch=600", "epochs=10", "lambda=0.3")
    words = (word for change in changes for word in ("--set", change))
    result = run("data", "doubts", small_config, *words, "--flip", "0.05", "--json", "-o", sheet)
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["found"]["flipped"] == 30
    assert told["found"]["area_under_curve"] > 0.9
    assert told["found"]["among_as_many"] > 10 > 5 * told["found"]["by_chance"]
    rows = table(tmp_path / "found.csv")
    assert [int(row["train"]) for row in rows] == [row["train"] for row in told["doubts"]]
    confidences = [float(row["given_probability"]) for row in rows]
    assert confidences == sorted(row["given_probability"] for row in told["doubts"])
    with Image.open(sheet) as drawn:
        assert drawn.width > 500


def test_the_sheet_names_labels_and_suggestions(run, small_config, tmp_path):
    sheet = tmp_path / "sheet.svg"
    result = run("data", "doubts", "--config", small_config, "--folds", 2, "--count", 3, "-o", sheet)
    assert result.exit_code == 0, result.stderr
    assert "out of fold, the model agrees with" in result.stdout
    first = table(tmp_path / "sheet.csv")[0]
    drawn = sheet.read_text()
    assert f"<!-- {first['given']}: {100 * float(first['given_probability']):.0f} % -->" in drawn
    assert f"<!-- → {first['suggested']}: {100 * float(first['suggested_probability']):.0f} % -->" in drawn


def test_without_a_doubt_the_table_is_empty_and_there_is_no_sheet(run, small_config, tmp_path, monkeypatch):
    monkeypatch.setattr("cifar_linear.experiments.doubts.confident_classes", lambda _, labels: labels)
    result = run("data", "doubts", small_config, "-o", tmp_path / "sheet.png")
    assert result.exit_code == 0, result.stderr
    assert "it doubts 0" in result.stdout
    assert (tmp_path / "sheet.csv").read_text() == ",".join(COLUMNS) + "\n"
    assert not (tmp_path / "sheet.png").exists()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ((), 2, "missing CONFIG"),
        (("{config}", "-o", "nowhere/sheet.png"), 2, "there is no folder nowhere"),
        (("{config}", "-o", "sheet.txt"), 2, "ends in .png, .pdf or .svg"),
        (("{config}", "--folds", "1"), 2, "not in the range"),
        (("{config}", "--flip", "0.5"), 2, "not in the range"),
        (("{config}", "--set", "data.limit=4", "--set", "n_batch=2"), 2, "5 folds need as many training images"),
        (("{config}", "--set", "eta=1e5", "--set", "lambda=100", "-o", "{folder}/s.png"), 4, "diverged at step"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_is_refused_in_a_line(run, small_config, tmp_path, options, code, message):
    words = [word.format(config=small_config, folder=tmp_path) for word in options]
    result = run("data", "doubts", *words)
    assert result.exit_code == code
    assert message in result.stderr
    assert not list(tmp_path.glob("*.csv"))
