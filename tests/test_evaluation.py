from dataclasses import replace
from threading import Event

import numpy as np
import pytest
from groups import Training, WatchedBatches

from cifar_linear.nn.linear import cost
from cifar_linear.nn.losses import LOSSES
from cifar_linear.nn.parameters import of_run, stacked
from cifar_linear.nn.sgd import descend
from cifar_linear.training.evaluation import evaluate


def test_evaluation_is_the_textbook_figure_on_standardised_images(make_config, dataset):
    """Loss, cost and accuracy, from folded weights and raw pixels in chunks, are those of the plain formulas."""
    training = Training(make_config(dtype="float64"), dataset, lam=[0, 0.5], eta=[0.02, 0.02])
    list(training.evaluations())
    state, objective, split = training.state, training.objective, dataset.validation
    figures = evaluate(state.parameters, split, objective)
    X = training.standardization.apply(split.images)
    W, b = state.parameters["W"], state.parameters["b"]
    np.testing.assert_allclose(figures.cost, cost(X, split.labels, W, b, objective.lam, objective.loss))
    np.testing.assert_allclose(figures.cost - figures.loss, objective.lam * np.sum(W**2, axis=(1, 2)))
    for run in range(2):
        predicted = (X @ W[run].T + b[run]).argmax(axis=1)
        assert figures.accuracy[run] == np.mean(predicted == split.labels)


def test_first_evaluation_is_before_any_update(make_config, dataset):
    training = Training(make_config(init_std=0.0), dataset, lam=[0.1], eta=[0.02])
    first = next(training.evaluations())
    assert (first.epoch, first.step) == (0, 0)
    assert first.train.cost == pytest.approx(np.log(10))


def test_training_goes_on_while_a_point_is_evaluated(make_config, dataset, monkeypatch):
    """The evaluation after epoch 1 is held up until epoch 2 has begun; whoever waited for it would wait for ever."""
    training, begun = Training(make_config(), dataset, lam=[0.1], eta=[0.02]), Event()
    training.batches = WatchedBatches(training.batches, lambda *place: begun.set() if place == (2, 0) else None)

    def held_up(parameters, split, objective):
        if parameters is not first and not begun.wait(60):
            raise TimeoutError
        return evaluate(parameters, split, objective)

    evaluations = training.evaluations()
    first = next(evaluations).state.parameters
    monkeypatch.setattr("cifar_linear.training.evaluation.evaluate", held_up)
    assert [row.step for row in evaluations] == [3, 6, 9]


@pytest.mark.parametrize("broken", [False, True])
def test_training_on_comes_to_what_waiting_comes_to(make_config, dataset, broken):
    """Bit for bit, with a run that diverges, and another whose weights stay finite while its loss does not."""
    softmax = LOSSES["softmax"]

    def infinite_for_large_scores(scores, labels):
        too_large = np.abs(scores).max(axis=-1) > 5.4
        too_large[:, :2] = False  # Of the last run alone.
        return np.where(too_large, np.inf, softmax.values(scores, labels))

    found = []
    for synchronous in (True, False):
        training = Training(make_config(), dataset, lam=[0.1, 1, 0], eta=[0.02, 1e4, 0.02])
        if broken:
            loss = softmax._replace(values=infinite_for_large_scores)
            training.objective = replace(training.objective, loss=loss)
        rows = list(training.evaluations(6, eta_follows=synchronous, average_from=3, record_steps=True))
        figures = [[row.validation.loss, row.step_losses, row.extra["averaged"]] for row in rows]
        kept = [[array[:, row.valid] if array.ndim > 1 else array[row.valid] for array in of_row]
                for row, of_row in zip(rows, figures, strict=True)]  # fmt: skip
        found.append((kept, [training.state.take(run) for run in range(3)], [row.state.take(2) for row in rows]))
    assert found[0][1][2]["end.diverged"] == (9 if broken else -1)
    assert np.isfinite(found[0][1][2]["parameters.W"]).all()
    np.testing.assert_equal(found[0], found[1])


def test_what_stops_training_comes_after_the_points_that_were_reached(make_config, dataset):
    training, steps = Training(make_config(), dataset, lam=[0.1], eta=[0.02]), []

    def check():
        steps.append(training.state.step)
        if len(steps) == 7:
            raise KeyboardInterrupt

    rows = []
    with pytest.raises(KeyboardInterrupt):
        rows.extend(training.evaluations(check=check))
    assert [row.step for row in rows] == [0, 3, 6]


def test_evaluations_within_an_epoch_come_after_the_first_update_and_every_so_many_more(make_config, dataset):
    """Counted over all epochs, so that with 3 updates in an epoch and every second one the epochs differ."""
    training = Training(make_config(), dataset, lam=[0], eta=[0.02])
    rows = list(training.evaluations(3, evaluate_every=2))
    assert [(row.epoch, row.step) for row in rows] == [(0, 0), (1, 1), (1, 3), (2, 5), (3, 7), (3, 9)]
    # 9 is the last update, number 8 from 0.
    rows = list(Training(make_config(), dataset, lam=[0], eta=[0.02]).evaluations(2, evaluate_every=4))
    assert [row.step for row in rows] == [0, 1, 5, 6]


def test_recorded_losses_are_those_of_each_batch_before_its_update(make_config, dataset):
    config = make_config(dtype="float64")
    training, twin = (Training(config, dataset, lam=[0.1, 0], eta=[0.02, 0.05], n_batch=25) for _ in range(2))
    rows, parameters = list(training.evaluations(2, record_steps=True)), stacked([twin.parameters] * 2)
    assert [len(row.step_losses) for row in rows] == [0, 3, 3]
    recorded = np.concatenate([row.step_losses for row in rows])
    expected = []
    for epoch in (1, 2):
        for pixels, labels, _ in twin.batches(epoch):
            X = twin.standardization.apply(pixels)
            expected.append(cost(X, labels, parameters["W"], parameters["b"], 0, twin.objective.loss))
            gradients = twin.objective.gradients(pixels, labels, parameters)
            for run, (gradient, rate) in enumerate(zip(gradients, (0.02, 0.05), strict=True)):
                step = {name: rate * array for name, array in gradient.items()}
                descend(of_run(parameters, run), step)
    np.testing.assert_allclose(recorded, expected, rtol=1e-12)
    np.testing.assert_allclose(training.state.parameters["W"], parameters["W"], rtol=1e-12, atol=1e-16)
