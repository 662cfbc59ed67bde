"""Numbers about probabilities, held against other libraries and against simulated classifiers."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss, top_k_accuracy_score

from cifar_linear.experiments.calibration import sentences as calibration_sentences
from cifar_linear.experiments.classifier import Classifier
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.nn.calibration import brier_score, fitted_temperature, reliability
from cifar_linear.nn.losses import LOSSES, softmax
from cifar_linear.nn.metrics import top_accuracy, wilson
from cifar_linear.runs.record import CalibrationMetrics, SplitCalibration


def drawn(images=600, classes=10, seed=0):
    """Scores, and labels that their probabilities have drawn: a calibrated classifier."""
    rng = np.random.default_rng(seed)
    scores = 2 * rng.normal(size=(images, classes))
    labels = np.array([rng.choice(classes, p=p) for p in softmax(scores)])
    return scores, labels


def test_the_bins_are_those_of_scikit_learn():
    scores, labels = drawn()
    probabilities = softmax(scores)
    correct = probabilities.argmax(axis=1) == labels
    bins = reliability(probabilities.max(axis=1), correct)
    accuracy, confidence = calibration_curve(correct, probabilities.max(axis=1), n_bins=15, strategy="quantile")
    np.testing.assert_allclose(bins.accuracy, accuracy)
    np.testing.assert_allclose(bins.confidence, confidence)
    assert bins.images.tolist() == [40] * 15
    assert bins.error == pytest.approx(np.mean(np.abs(accuracy - confidence)))
    assert bins.over_confidence == pytest.approx(probabilities.max(axis=1).mean() - correct.mean())


def test_fewer_images_than_bins_make_a_bin_each():
    bins = reliability(np.array([0.9, 0.6]), np.array([True, False]))
    assert bins.images.tolist() == [1, 1]
    assert bins.error == pytest.approx((0.1 + 0.6) / 2)


def test_brier_score_and_likelihood_are_those_of_scikit_learn():
    scores, labels = drawn(classes=2)
    p = softmax(scores)
    assert brier_score(p, labels) == pytest.approx(2 * brier_score_loss(labels, p[:, 1]))
    scores, labels = drawn()
    assert LOSSES["softmax"].values(scores, labels).mean() == pytest.approx(log_loss(labels, softmax(scores)))


def test_top_accuracy_is_that_of_scikit_learn_and_ties_go_to_the_first_class():
    scores, labels = drawn()
    for count in (1, 3, 5):
        assert top_accuracy(scores, labels, count) == pytest.approx(top_k_accuracy_score(labels, scores, k=count))
    assert top_accuracy(np.zeros((4, 4)), np.arange(4), 2) == 0.5


def test_the_intervals_are_wilsons():
    _, low, high = wilson(np.array([0, 12, 7]), np.array([10, 40, 7]))
    theirs = [binomtest(k, n).proportion_ci(method="wilson") for k, n in ((0, 10), (12, 40), (7, 7))]
    np.testing.assert_allclose(np.array([low, high]).T, theirs, atol=1e-12)


def test_a_calibrated_classifier_shows_the_error_that_is_said():
    """On average, and the limit is exceeded in about one of forty cases."""
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.1, 1, 3000)
    bins = [reliability(confidence, rng.random(3000) < confidence) for _ in range(1000)]
    expected, limit = bins[0].error_if_calibrated
    errors = np.array([each.error for each in bins])
    assert errors.mean() == pytest.approx(expected, rel=0.02)
    assert 0.01 < (errors > limit).mean() < 0.05


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("true", [0.3, 1, 7])
def test_the_temperature_has_the_lowest_loss(loss, true):
    scores, labels = drawn(classes=2 if loss == "logistic" else 5)
    scores = true * (scores[:, :1] if loss == "logistic" else scores)
    found = fitted_temperature(scores, labels, LOSSES[loss])

    def mean_loss(log):
        return LOSSES[loss].values(scores / np.exp(log), labels).mean()

    theirs = minimize_scalar(mean_loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-9})
    assert np.log(found) == pytest.approx(theirs.x, abs=1e-5)
    if loss == "softmax":
        assert found == pytest.approx(true, rel=0.15)


def test_scores_that_separate_all_images_have_no_lowest_loss_and_a_finite_temperature():
    """Found where rounding leaves nothing of the loss; where it only rises with 1 / T, at the end of the range."""
    scores, softmax_loss = np.array([[1.0, 0.0]]), LOSSES["softmax"]
    found = fitted_temperature(scores, np.array([0]), softmax_loss)
    assert 0 < found < 0.1
    assert softmax_loss.values(scores / found, np.array([0])) < 1e-15
    assert fitted_temperature(scores, np.array([1]), softmax_loss) == pytest.approx(2.0**20)


@pytest.mark.parametrize("changes", [{}, {"early_stopping": {"patience": 100}, "eta": 0.05}], ids=["last", "best"])
def test_a_finished_run_knows_its_calibration_on_the_weights_it_is_judged_by(run, trained, changes):
    folder = trained(**changes)
    stored, dataset = folder.read_calibration(), load_dataset(folder.config())
    best = "early_stopping" in changes
    assert stored.weights == ("best" if best else "last")
    classifier, predictions = Classifier.of(folder, best), folder.read_predictions(folder.read_model(best))
    assert stored.test.plain.nll == pytest.approx(classifier.evaluate(dataset.test).loss, rel=1e-6)
    assert stored.test.plain.brier == pytest.approx(
        brier_score(predictions.probabilities, predictions.labels), rel=1e-5
    )
    scores = classifier.scored(dataset.validation).scores
    assert stored.temperature == fitted_temperature(scores, dataset.validation.labels, classifier.objective.loss)
    told = json.loads(run("evaluate", folder.path, "--json", *["--best"] * best).stdout)
    assert told["temperature"] == stored.temperature
    assert told["calibration"] == stored.test.model_dump()
    tempered = classifier.predict(dataset.test.images, stored.temperature)
    assert stored.test.tempered.brier == pytest.approx(brier_score(tempered.probabilities, predictions.labels))
    np.testing.assert_array_equal(tempered.predicted, predictions.predicted)


def test_a_run_without_test_images_has_a_temperature(trained):
    stored = trained(data={"test": []}).read_calibration()
    assert stored.temperature > 0
    assert stored.test is None


def test_five_classes_have_no_top_5_accuracy(trained):
    folder = trained(data={"classes": [0, 1, 2, 3, 4]})
    assert folder.read_calibration().test.top_5 is None


def test_predict_with_the_temperature_is_less_sure_of_an_over_confident_classifier(run, trained, tmp_path):
    folder = trained(eta=1.0, epochs=10)
    picture = tmp_path / "picture.png"
    Image.new("RGB", (32, 32), (200, 30, 30)).save(picture)
    assert folder.read_calibration().temperature > 1
    (plain,), (tempered,) = (
        json.loads(run("predict", folder.path, picture, "--json", *more).stdout) for more in ([], ["--calibrated"])
    )
    assert next(iter(plain["probabilities"])) == next(iter(tempered["probabilities"]))
    assert max(tempered["probabilities"].values()) < max(plain["probabilities"].values())
    (folder.path / "calibration.json").unlink()
    refused = run("predict", folder.path, picture, "--calibrated")
    assert refused.exit_code == 1
    assert "no calibration.json" in refused.stderr


def test_the_temperature_of_other_weights_is_refused(run, trained, tmp_path):
    folder = trained(early_stopping={"patience": 100})
    picture = tmp_path / "picture.png"
    Image.new("RGB", (32, 32)).save(picture)
    assert run("predict", folder.path, picture, "--calibrated", "--best").exit_code == 0
    refused = run("predict", folder.path, picture, "--calibrated")
    assert refused.exit_code == 1
    assert "its temperature is that of the best weights; add --best" in refused.stderr


def test_runs_of_earlier_versions_are_evaluated_and_reported(run, trained):
    folder = trained()
    before = json.loads(run("evaluate", folder.path, "--json").stdout)
    (folder.path / "calibration.json").unlink()
    assert json.loads(run("evaluate", folder.path, "--json").stdout) == before
    assert run("report", folder.path).exit_code == 0
    assert "Probabilities of the test images" not in (folder.path / "report.md").read_text()
    assert not (folder.path / "figures" / "reliability.png").exists()


def test_a_report_has_the_numbers_and_the_diagram(run, trained):
    folder = trained()
    assert run("report", folder.path).exit_code == 0
    page, of = (folder.path / "report.md").read_text(), folder.read_calibration()
    plain = of.test.plain
    numbers = [f"{plain.nll:.4f}", f"{plain.brier:.4f}", f"{plain.ece:.3f}", f"{plain.ece_if_calibrated:.3f}"]
    assert " | ".join([*numbers, f"{of.temperature:.3g}"]) in page
    assert (folder.path / "figures" / "reliability.png").is_file()


def honest(**changes):
    numbers = {"nll": 1.0, "brier": 0.5, "ece": 0.1, "ece_if_calibrated": 0.01, "ece_limit": 0.02}
    return CalibrationMetrics(**{**numbers, "over_confidence": 0.1, "bins": [], **changes})


def sentences(top_5=0.8, tempered=None, **changes):
    of = SplitCalibration(plain=honest(**changes), tempered=tempered, top_5=top_5)
    return "\n".join(calibration_sentences(of, 2.0 if tempered else None))


def test_each_sentence_is_said_only_of_numbers_that_support_it():
    said = sentences()
    assert "top-5 accuracy 80.00 %" in said
    assert "over-confident: mean confidence is 0.100 over the accuracy" in said
    assert "under" not in said
    assert "nothing speaks against" not in said
    assert "temperature" not in said
    assert "top-5" not in sentences(top_5=None)
    assert "under-confident: mean confidence is 0.100 under the accuracy" in sentences(over_confidence=-0.1)
    within = sentences(ece=0.015, over_confidence=0.015)
    assert "nothing speaks against these probabilities" in within
    assert "over-confident" not in within
    assert "confident:" not in sentences(over_confidence=0.001)
    assert "with temperature 2: NLL 1.0000" in sentences(tempered=honest())


def test_a_damaged_calibration_is_refused_in_a_line(run, trained):
    folder = trained()
    (folder.path / "calibration.json").write_text('{"weights": "last", "temperature": -1, "test": null}')
    result = run("evaluate", folder.path)
    assert result.exit_code == 1
    assert "calibration.json: damaged: temperature: Input should be greater than 0" in result.stderr
