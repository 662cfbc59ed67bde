import numpy as np
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score

from cifar_linear.nn.metrics import (
    class_metrics,
    confusion,
    most_confident_mistakes,
    true_class_probability,
    wilson,
)


def random_predictions():
    rng = np.random.default_rng(3)
    return rng.dirichlet(np.ones(4), 200), rng.integers(0, 4, 200)


def test_confusion_precision_recall_and_f1_agree_with_scikit_learn():
    probabilities, labels = random_predictions()
    predicted = probabilities.argmax(axis=1)
    counts = confusion(predicted, labels, 4)
    np.testing.assert_array_equal(counts, confusion_matrix(labels, predicted))
    for part, score in zip(class_metrics(counts), (precision_score, recall_score, f1_score), strict=True):
        np.testing.assert_allclose(part.value, score(labels, predicted, average=None))


def test_class_that_is_never_predicted_or_absent_has_no_figure():
    for part in class_metrics(np.array([[2, 0], [0, 0]])):
        np.testing.assert_array_equal(part.value, [1, np.nan])
        assert np.isnan([part.low[1], part.high[1]]).all()


def test_wilson_intervals_are_those_of_the_equation():
    """The ends are the fractions p for which the observed one is z standard deviations away."""
    right, n = np.array([0, 1, 8, 50, 10]), np.array([7, 3, 10, 100, 10])
    fraction, low, high = wilson(right, n)
    np.testing.assert_allclose(fraction, right / n)
    for p in (low, high):
        away = np.abs(fraction - p)
        np.testing.assert_allclose(away, 1.959963984540054 * np.sqrt(p * (1 - p) / n), atol=1e-12)
    assert (low[0], high[4]) == (0, 1)
    assert ((low <= fraction) & (fraction <= high)).all()
    mirrored = wilson(n - right, n)
    np.testing.assert_allclose(mirrored.low, 1 - high)


def test_an_interval_of_f1_covers_the_true_one_about_as_often_as_it_says():
    """Of classes whose precision and recall are known, in a thousand draws of 200 images."""
    rng = np.random.default_rng(0)
    probabilities = np.array([[0.25, 0.05], [0.1, 0.6]])
    truth = 2 * 0.25 / (2 * 0.25 + 0.05 + 0.1)
    draws = rng.multinomial(200, probabilities.ravel(), size=1000).reshape(-1, 2, 2)
    intervals = [class_metrics(counts).f1 for counts in draws]
    covered = np.mean([part.low[0] <= truth <= part.high[0] for part in intervals])
    assert 0.93 < covered < 0.97


def test_most_confident_mistakes_are_the_surest_wrong_ones():
    probabilities, labels = random_predictions()
    predicted = probabilities.argmax(axis=1)
    found = most_confident_mistakes(probabilities, predicted, labels, 10)
    assert (predicted != labels)[found].all()
    sure = probabilities.max(axis=1)
    assert (np.diff(sure[found]) <= 0).all()
    wrong = np.flatnonzero(predicted != labels)
    assert sure[found].min() >= np.sort(sure[wrong])[-10]
    assert most_confident_mistakes(np.eye(4), np.arange(4), np.arange(4), 10).size == 0


def test_true_class_probability_is_that_of_the_label():
    probabilities, labels = random_predictions()
    assert true_class_probability(probabilities, labels)[7] == probabilities[7, labels[7]]
