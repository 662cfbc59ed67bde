import numpy as np
import pytest

from cifar_linear.experiments.classifier import Classifier
from cifar_linear.experiments.final_evaluation import evaluate_on_test
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.resume import resume_run, resumed_config
from cifar_linear.experiments.run import run_group
from cifar_linear.nn.linear import Linear
from cifar_linear.nn.losses import LOSSES
from cifar_linear.nn.metrics import confusion
from cifar_linear.runs.folder import RunFolder


@pytest.fixture(params=LOSSES)
def saturated(request, make_config, tmp_path):
    """A run whose scores are so large that float32 probabilities of several classes are all 1."""
    data = {"images_per_batch": 200} | ({"classes": [2, 3]} if request.param == "logistic" else {})
    config = make_config(loss=request.param, eta=100, epochs=5, data=data)
    folder, dataset = RunFolder.create(tmp_path, "run"), load_dataset(config)
    run_group([config], [folder], dataset, lambda _: None)
    return folder, dataset


def test_stored_predictions_are_those_that_the_accuracy_counts(saturated):
    """The class with the largest score, also where probabilities are equal after rounding."""
    folder, dataset = saturated
    predictions = folder.read_predictions(folder.read_model())
    counts = confusion(predictions.predicted, predictions.labels, len(dataset.class_names))
    assert counts.trace() / counts.sum() == folder.read_record().metrics["test"].accuracy
    assert (predictions.predicted != predictions.labels)[predictions.mistakes].all()
    again = Classifier.of(folder).predict(dataset.test.images)
    np.testing.assert_array_equal(again.predicted, predictions.predicted)


def test_probabilities_alone_would_not_tell(trained):
    """What the test above is about does occur: the first of equal probabilities is another class."""
    folder = trained(loss="sigmoid_bce", eta=100, epochs=5, data={"images_per_batch": 200})
    predictions = folder.read_predictions(folder.read_model())
    assert (predictions.probabilities.argmax(axis=1) != predictions.predicted).any()


def test_predictions_of_earlier_versions_are_read(saturated):
    """They hold probabilities alone: the class with the largest of them counts."""
    folder, _ = saturated
    stored = dict(np.load(folder.path / "predictions.npz"))
    del stored["predicted"]
    np.savez(folder.path / "predictions.npz", **stored)
    found = folder.read_predictions(folder.read_model())
    np.testing.assert_array_equal(found.predicted, stored["probabilities"].argmax(axis=1))


def test_a_failed_evaluation_on_the_test_set_is_recorded(make_config, tmp_path, monkeypatch):
    """The run has finished; its record says what is missing and why, until going on has mended it."""
    config = make_config()
    folder, dataset = RunFolder.create(tmp_path, "run"), load_dataset(config)

    def no_memory(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "scored", no_memory)
        with pytest.raises(MemoryError):
            run_group([config], [folder], dataset, lambda _: None)
    record = folder.read_record()
    assert record.status == "finished"
    assert record.error == "not evaluated on the test set: MemoryError; train --resume does it"
    record = resume_run(folder, resumed_config(folder, ()), dataset, lambda _: None, lambda: None)
    assert (record.error, "test" in record.metrics) == (None, True)


@pytest.mark.parametrize(("best", "test_images"), [(False, 60), (True, 120)], ids=["last", "best and last"])
def test_every_image_is_scored_once_for_all_that_follows_from_its_scores(
    make_config, tmp_path, monkeypatch, best, test_images
):
    """Predictions, metrics, temperature and calibration; the last weights are a classifier of their own."""
    config = make_config(early_stopping={"patience": 100} if best else None)
    folder, dataset = RunFolder.create(tmp_path, "run"), load_dataset(config)
    run_group([config], [folder], dataset, lambda _: None, test=False)
    scored, scores = [], Linear.scores

    def counted(self, pixels, parameters):
        found = scores(self, pixels, parameters)
        scored.append(len(found))
        return found

    monkeypatch.setattr(Linear, "scores", counted)
    evaluate_on_test(folder, dataset.test, dataset.validation)
    assert sum(scored) == test_images + len(dataset.validation)
