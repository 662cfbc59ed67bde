import numpy as np
from sklearn.metrics import confusion_matrix, precision_score, recall_score

from cifar_linear.nn.metrics import (
    confusion,
    most_confident_mistakes,
    precision_and_recall,
    true_class_probability,
)


def random_predictions():
    rng = np.random.default_rng(3)
    return rng.dirichlet(np.ones(4), 200), rng.integers(0, 4, 200)


def test_confusion_precision_and_recall_agree_with_scikit_learn():
    probabilities, labels = random_predictions()
    predicted = probabilities.argmax(axis=1)
    counts = confusion(predicted, labels, 4)
    np.testing.assert_array_equal(counts, confusion_matrix(labels, predicted))
    precision, recall = precision_and_recall(counts)
    np.testing.assert_allclose(precision, precision_score(labels, predicted, average=None))
    np.testing.assert_allclose(recall, recall_score(labels, predicted, average=None))


def test_class_that_is_never_predicted_or_absent_has_no_figure():
    precision, recall = precision_and_recall(np.array([[2, 0], [0, 0]]))
    np.testing.assert_array_equal(precision, [1, np.nan])
    np.testing.assert_array_equal(recall, [1, np.nan])


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
