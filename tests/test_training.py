from itertools import islice
from threading import Event

import numpy as np
import pytest
import reference

from cifar_linear.data.batches import Batches
from cifar_linear.evaluation import evaluate
from cifar_linear.history import Past
from cifar_linear.nn.linear import cost
from cifar_linear.nn.losses import LOSSES
from cifar_linear.nn.objective import Objective
from cifar_linear.nn.sgd import descend
from cifar_linear.nn.standardization import Standardization
from cifar_linear.state import State, Weights
from cifar_linear.training import train
from cifar_linear.unpacking import Group, draw_weights, load_dataset

EPOCHS = 3


class Training:
    """One group on sixty images, as experiment.py would set it up, with the numbers in the test's hands."""

    def __init__(self, config, dataset, lam, eta, n_batch=20):
        self.dataset, self.eta = dataset, lambda _epoch, _losses: np.array(eta, float)
        self.objective = Objective(LOSSES[config.loss], np.array(lam, float), Standardization.of(dataset.train.images))
        self.state = State.first([draw_weights(config, dataset)] * len(lam), config.dtype)
        self.batches = Batches(dataset.train, n_batch=n_batch, shuffle=True, seed=config.seed, dtype=config.dtype)

    def evaluations(self, epochs=EPOCHS, **options):
        splits = self.dataset.train, self.dataset.validation
        return train(self.state, self.objective, self.batches, *splits, eta=self.eta, epochs=epochs, **options)


@pytest.mark.parametrize("loss", LOSSES)
def test_training_agrees_with_the_slow_twin(make_config, dataset, loss):
    """Image by image in float64, with a last partial batch, the weights are the same after three epochs."""
    if loss == "logistic":
        data = {"classes": [3, 5], "images_per_batch": 300}
        config = make_config(dtype="float64", loss=loss, data=data)
        dataset = load_dataset(config)
    else:
        config = make_config(dtype="float64", loss=loss)
    training = Training(config, dataset, lam=[0.1], eta=[0.02], n_batch=25)
    list(training.evaluations())
    formula = {"softmax": "softmax_cross_entropy"}.get(loss, loss)
    twin = getattr(reference, f"{formula}_gradient")
    W, b = reference.train(
        training.objective.standardization.apply(dataset.train.images),
        dataset.train.labels,
        *draw_weights(config, dataset),
        lam=0.1,
        eta=0.02,
        n_batch=25,
        orders=[training.batches.order(epoch) for epoch in range(1, EPOCHS + 1)],
        score_gradient=twin,
    )
    np.testing.assert_allclose(training.state.weights.W[0], W, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(training.state.weights.b[0], b, rtol=1e-9, atol=1e-12)
    assert training.state.step == 9


def test_evaluation_is_the_textbook_figure_on_standardised_images(make_config, dataset):
    """Loss, cost and accuracy, from folded weights and raw pixels in chunks, are those of the plain formulas."""
    training = Training(make_config(dtype="float64"), dataset, lam=[0, 0.5], eta=[0.02, 0.02])
    list(training.evaluations())
    state, objective, split = training.state, training.objective, dataset.validation
    figures = evaluate(state.weights, split, objective)
    X = objective.standardization.apply(split.images)
    np.testing.assert_allclose(
        figures.cost, cost(X, split.labels, state.weights.W, state.weights.b, objective.lam, objective.loss)
    )
    np.testing.assert_allclose(figures.cost - figures.loss, objective.lam * np.sum(state.weights.W**2, axis=(1, 2)))
    for run in range(2):
        predicted = (X @ state.weights.W[run].T + state.weights.b[run]).argmax(axis=1)
        assert figures.accuracy[run] == np.mean(predicted == split.labels)


def test_first_evaluation_is_before_any_update(make_config, dataset):
    training = Training(make_config(init_std=0.0), dataset, lam=[0.1], eta=[0.02])
    first = next(training.evaluations())
    assert (first.epoch, first.step) == (0, 0)
    assert first.train.cost == pytest.approx(np.log(10))


def test_stopping_and_going_on_is_the_same_as_not_stopping(make_config, dataset):
    """Epochs 0 to 3 at once, or 0 to 1 and then 2 to 3 from a copy of the state: the same bits."""
    at_once, stopped = (Training(make_config(), dataset, lam=[0.1], eta=[0.02]) for _ in range(2))
    list(at_once.evaluations())
    first = list(stopped.evaluations(1))
    stopped.state = stopped.state.copy()
    list(stopped.evaluations(3, past=[Past(row.step, row.validation.loss) for row in first]))
    np.testing.assert_array_equal(at_once.state.weights.W, stopped.state.weights.W)
    assert at_once.state.step == stopped.state.step


def test_runs_of_a_group_learn_what_they_would_alone(make_config, dataset):
    """Stacked and alone agree to rounding: products of another shape add in another order, no more."""
    lam, eta = [0, 0.1, 1], [0.02, 0.01, 0.005]
    for dtype, tolerance in (("float64", 1e-12), ("float32", 1e-5)):
        together = Training(make_config(dtype=dtype), dataset, lam, eta)
        list(together.evaluations())
        for run in range(3):
            alone = Training(make_config(dtype=dtype), dataset, lam[run : run + 1], eta[run : run + 1])
            list(alone.evaluations())
            np.testing.assert_allclose(together.state.weights.W[run], alone.state.weights.W[0], atol=tolerance, rtol=0)


def test_a_diverging_run_keeps_its_last_finite_weights_and_leaves_the_others_alone(make_config, dataset):
    """Weights grow by 2 eta lambda = 2e4 a step until they overflow float32, in the second epoch."""
    training = Training(make_config(), dataset, lam=[0.1, 1], eta=[0.02, 1e4])
    evaluations = list(training.evaluations())
    weights = [evaluation.state.weights.W for evaluation in evaluations]
    alive = [evaluation.valid.tolist() for evaluation in evaluations]
    assert alive == [[True, True], [True, True], [True, False], [True, False]]
    assert training.state.end.diverged.tolist() == [-1, 5]
    np.testing.assert_array_equal(weights[3][1], weights[1][1])
    assert np.isfinite(weights[3]).all()
    alone = Training(make_config(), dataset, lam=[0.1], eta=[0.02])
    list(alone.evaluations())
    np.testing.assert_allclose(training.state.weights.W[0], alone.state.weights.W[0], atol=1e-5)


def test_training_goes_on_while_a_point_is_evaluated(make_config, dataset, monkeypatch):
    """The evaluation after epoch 1 is held up until epoch 2 has begun; whoever waited for it would wait for ever."""
    training, begun = Training(make_config(), dataset, lam=[0.1], eta=[0.02]), Event()

    class Telling(Batches):
        def __call__(self, epoch, first=0):
            for i, batch in enumerate(super().__call__(epoch, first)):
                yield batch
                if (epoch, i) == (2, 0):
                    begun.set()

    def held_up(weights, split, objective):
        if weights is not first and not begun.wait(60):
            raise TimeoutError
        return evaluate(weights, split, objective)

    training.batches.__class__ = Telling
    evaluations = training.evaluations()
    first = next(evaluations).state.weights
    monkeypatch.setattr("cifar_linear.evaluation.evaluate", held_up)
    assert [row.step for row in evaluations] == [3, 6, 9]


@pytest.mark.parametrize("broken", [False, True])
def test_training_on_comes_to_what_waiting_comes_to(make_config, dataset, monkeypatch, broken):
    """Bit for bit, with a run that diverges, and another whose weights stay finite while its cost does not."""

    def without_end(weights, split, objective):
        figures = evaluate(weights, split, objective)
        if broken and len(seen := costs.setdefault(id(weights), [])) < 2:
            seen.append(weights)  # Kept, so that no other weights get the same address.
            figures.cost[2] = np.inf if len(costs) > 3 else figures.cost[2]
        return figures

    monkeypatch.setattr("cifar_linear.evaluation.evaluate", without_end)
    found = []
    for waits in (True, False):
        costs = {}
        training = Training(make_config(), dataset, lam=[0.1, 1, 0], eta=[0.02, 1e4, 0.02])
        rows = list(training.evaluations(6, eta_follows=waits, average_from=3, record_steps=True))
        figures = [[row.validation.loss, row.step_losses, row.further["averaged"]] for row in rows]
        kept = [[array[:, row.valid] if array.ndim > 1 else array[row.valid] for array in of_row]
                for row, of_row in zip(rows, figures, strict=True)]  # fmt: skip
        found.append((kept, [training.state.take(run) for run in range(3)], [row.state.take(2) for row in rows]))
    assert found[0][1][2]["end_diverged"] == (9 if broken else -1)
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


def test_training_ends_when_no_run_is_left(make_config, dataset):
    training = Training(make_config(), dataset, lam=[1], eta=[1e4])
    assert len(list(training.evaluations(99))) == 2
    assert not training.state.alive.any()


def test_a_rate_that_is_too_large_but_finite_is_no_divergence(make_config, dataset):
    """The cost jumps, as in the required setting with eta 0.1; that is a result, not a failure."""
    training = Training(make_config(), dataset, lam=[0], eta=[50])
    costs = [evaluation.train.cost[0] for evaluation in training.evaluations(19)]
    assert len(costs) == 20
    assert max(costs) > costs[0]


def test_a_linear_classifier_gets_most_synthetic_images_right(make_config):
    """60 to 90 % of the test images, far more of the training images: over-fitting can be seen."""
    config = make_config(data={"images_per_batch": 1000})
    training = Training(config, load_dataset(config), lam=[0.01], eta=[0.003], n_batch=100)
    *_, last = training.evaluations(40)
    test = evaluate(training.state.weights, training.dataset.test, training.objective)
    assert 0.6 < test.accuracy[0] < 0.9
    assert last.train.accuracy[0] > test.accuracy[0] + 0.1


def test_averaged_weights_are_the_mean_of_all_iterates_from_the_first_epoch_named(make_config, dataset):
    """Before that epoch the last weights are evaluated, from then on the mean; the iterates go their way untouched."""
    averaged, plain = (Training(make_config(), dataset, lam=[0.1], eta=[0.05]) for _ in range(2))
    iterates = []

    class Watched(Batches):
        def __call__(self, epoch, first=0):
            for batch in super().__call__(epoch, first):
                yield batch
                if epoch >= 2:
                    iterates.append(plain.state.weights.W[0].astype(np.float64))

    plain.batches.__class__ = Watched
    last = list(plain.evaluations())
    mean = list(averaged.evaluations(average_from=2))
    assert [row.further["averaged"].tolist() for row in mean] == [[0], [0], [3], [6]]
    np.testing.assert_array_equal(averaged.state.weights.W, plain.state.weights.W)
    # The generator of batches goes on after the update: what it has seen is each iterate.
    np.testing.assert_allclose(averaged.state.outcome().W[0], np.mean(iterates, axis=0), rtol=1e-6, atol=1e-9)
    assert mean[1].train == last[1].train
    found = evaluate(averaged.state.outcome(), dataset.train, averaged.objective)
    np.testing.assert_array_equal(mean[3].train.cost, found.cost)
    assert mean[3].train.cost != last[3].train.cost


def test_each_run_of_a_group_stops_on_its_own_and_keeps_its_best_weights(make_config, dataset):
    """The larger lambda settles sooner. A stopped run stays where it is while the other learns on."""
    training = Training(make_config(), dataset, lam=[1, 0.1], eta=[0.05, 0.1])
    rows = list(training.evaluations(99, patience=3))
    state, losses = training.state, np.array([row.validation.loss for row in rows])
    ends = [max(i for i, row in enumerate(rows) if row.valid[run]) for run in range(2)]
    assert ends[0] < ends[1] < 99
    for run, end in enumerate(ends):
        best = int(losses[: end + 1, run].argmin())
        assert end == best + 3
        assert [row.further["waited"][run] for row in rows[best : end + 1]] == [0, 1, 2, 3]
        assert state.end.stopped[run] == 3 * end
        assert state.best.loss[run] == losses[best, run]
    np.testing.assert_array_equal(losses[ends[0] :, 0], losses[ends[0], 0])
    from_best = evaluate(Weights(state.best.W, state.best.b), dataset.validation, training.objective)
    np.testing.assert_allclose(from_best.loss, state.best.loss, rtol=1e-12)
    alone = Training(make_config(), dataset, lam=[1], eta=[0.05])
    assert len(list(alone.evaluations(99, patience=3))) == ends[0] + 1


def test_a_run_that_ends_before_the_mean_begins_keeps_its_own_weights(make_config, dataset):
    """While the mean of the others goes on, the outcome of a stopped and of a diverged run are their last weights."""
    training = Training(make_config(), dataset, lam=[1, 0, 1], eta=[0.05, 0.01, 1e4])
    list(training.evaluations(11, average_from=10, patience=3))
    state, outcome = training.state, training.state.outcome()
    assert state.end.stopped[0] < 9 * 3
    assert state.end.diverged[2] < 9 * 3
    assert state.mean.summed.tolist() == [0, 6, 0]
    for run in (0, 2):
        np.testing.assert_array_equal(outcome.W[run], state.weights.W[run])
        assert np.abs(outcome.W[run]).max() > 0
    assert (outcome.W[1] != state.weights.W[1]).any()


@pytest.mark.parametrize("every", [None, 2])
@pytest.mark.parametrize("broken_after", range(1, 8))
def test_a_state_taken_apart_and_restored_goes_on_as_if_nothing_had_happened(make_config, dataset, broken_after, every):
    """With a mean, best weights, a run that diverges and one that stops: bit for bit."""
    whole, broken = (Training(make_config(), dataset, lam=[0.1, 1, 0], eta=[0.01, 1e4, 0.5]) for _ in range(2))
    options = {"average_from": 3, "patience": 2, "evaluate_every": every, "record_steps": True}
    expected = list(whole.evaluations(8, **options))
    first = list(islice(broken.evaluations(8, **options), broken_after))
    broken.state = State.restore([broken.state.take(run) for run in range(3)])
    past = [Past(row.step, row.validation.loss) for row in first]
    rest = list(broken.evaluations(8, **options, past=past))
    assert len(first + rest) == len(expected)
    for ours, theirs in zip(first + rest, expected, strict=True):
        np.testing.assert_array_equal(ours.valid, theirs.valid)
        np.testing.assert_array_equal(ours.validation.loss[ours.valid], theirs.validation.loss[ours.valid])
        np.testing.assert_array_equal(ours.step_losses[:, ours.valid], theirs.step_losses[:, ours.valid])
    for run in range(3):
        ours, theirs = broken.state.take(run), whole.state.take(run)
        assert ours.keys() == theirs.keys()
        for name, array in ours.items():
            np.testing.assert_array_equal(array, theirs[name], name)


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
    rows = list(training.evaluations(2, record_steps=True))
    assert [len(row.step_losses) for row in rows] == [0, 3, 3]
    recorded = np.concatenate([row.step_losses for row in rows])
    expected = []
    for epoch in (1, 2):
        for pixels, labels in twin.batches(epoch):
            X = twin.objective.standardization.apply(pixels)
            expected.append(cost(X, labels, *twin.state.weights, 0, twin.objective.loss))
            gradients = twin.objective.gradients(pixels, labels, *twin.state.weights)
            for *weights, of_run, rate in zip(*twin.state.weights, gradients, (0.02, 0.05), strict=True):
                descend(*weights, *of_run, rate)
    np.testing.assert_allclose(recorded, expected, rtol=1e-12)
    np.testing.assert_allclose(training.state.weights.W, twin.state.weights.W, rtol=1e-12)


def test_the_course_program_for_two_digits_stops_at_the_same_step_with_the_same_loss(make_config):
    """Logistic regression from zero weights with a column of ones, five evaluations an epoch, early stopping.

    The twin is a loop of a few lines over plain arrays.
    """
    data = {"classes": [2, 3], "images_per_batch": 1200, "normalize": "minus_one_one"}
    config = make_config(
        **{"lambda": 0.1},
        data=data, loss="logistic", bias="column", init_std=0, dtype="float64", eta=0.1, n_batch=32, epochs=200,
        shuffle=False, drop_last=True, evaluate={"per_epoch": 5}, early_stopping={"patience": 10}, record_steps=True,
    )  # fmt: skip
    group = Group.of([config], load_dataset(config))
    state = group.first_state()
    rows = list(group.evaluations(state))
    images = [
        np.hstack([split.images / 127.5 - 1, np.ones((len(split), 1))])
        for split in (group.dataset.train, group.dataset.validation)
    ]
    targets = [(split.labels == 0).astype(float) for split in (group.dataset.train, group.dataset.validation)]
    found = reference.logistic_regression(*images, *targets, lam=0.1, eta=0.1, n_batch=32, epochs=200, patience=10)
    w, stopped_at, validation_losses, batch_losses = found
    assert state.step == stopped_at < 200 * (len(images[0]) // 32)
    # The row before training has no twin.
    np.testing.assert_allclose([row.validation.loss[0] for row in rows[1:]], validation_losses, rtol=1e-9)
    np.testing.assert_allclose(np.concatenate([row.step_losses[:, 0] for row in rows]), batch_losses, rtol=1e-9)
    np.testing.assert_allclose([*state.weights.W[0, 0], state.weights.b[0, 0]], w, rtol=1e-8, atol=1e-12)
