from itertools import islice

import numpy as np
import pytest
import reference
from groups import EPOCHS, Training, WatchedBatches

from cifar_linear.experiments.assembly import Group
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.nn.losses import LOSSES
from cifar_linear.training.evaluation import evaluate
from cifar_linear.training.history import EvaluatedPoint
from cifar_linear.training.state import State


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
        training.standardization.apply(dataset.train.images),
        dataset.train.labels,
        *training.parameters.values(),
        lam=0.1,
        eta=0.02,
        n_batch=25,
        orders=[training.batches.order(epoch) for epoch in range(1, EPOCHS + 1)],
        score_gradient=twin,
    )
    np.testing.assert_allclose(training.state.parameters["W"][0], W, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(training.state.parameters["b"][0], b, rtol=1e-9, atol=1e-12)
    assert training.state.step == 9


def test_stopping_and_going_on_is_the_same_as_not_stopping(make_config, dataset):
    """Epochs 0 to 3 at once, or 0 to 1 and then 2 to 3 from a copy of the state: the same bits."""
    at_once, stopped = (Training(make_config(), dataset, lam=[0.1], eta=[0.02]) for _ in range(2))
    list(at_once.evaluations())
    first = list(stopped.evaluations(1))
    stopped.state = stopped.state.copy()
    list(stopped.evaluations(3, past=[EvaluatedPoint(row.step, row.validation.loss) for row in first]))
    np.testing.assert_array_equal(at_once.state.parameters["W"], stopped.state.parameters["W"])
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
            ours, theirs = together.state.parameters["W"][run], alone.state.parameters["W"][0]
            np.testing.assert_allclose(ours, theirs, atol=tolerance, rtol=0)


def test_a_diverging_run_keeps_its_last_finite_weights_and_leaves_the_others_alone(make_config, dataset):
    """Weights grow by 2 eta lambda = 2e4 a step until they overflow float32, in the second epoch."""
    training = Training(make_config(), dataset, lam=[0.1, 1], eta=[0.02, 1e4])
    evaluations = list(training.evaluations())
    weights = [evaluation.state.parameters["W"] for evaluation in evaluations]
    alive = [evaluation.valid.tolist() for evaluation in evaluations]
    assert alive == [[True, True], [True, True], [True, False], [True, False]]
    assert training.state.end.diverged.tolist() == [-1, 5]
    np.testing.assert_array_equal(weights[3][1], weights[1][1])
    assert np.isfinite(weights[3]).all()
    alone = Training(make_config(), dataset, lam=[0.1], eta=[0.02])
    list(alone.evaluations())
    np.testing.assert_allclose(training.state.parameters["W"][0], alone.state.parameters["W"][0], atol=1e-5)


def test_training_ends_when_no_run_is_left(make_config, dataset):
    training = Training(make_config(), dataset, lam=[1], eta=[1e4])
    assert len(list(training.evaluations(99))) == 2
    assert not training.state.finite.any()


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
    test = evaluate(training.state.parameters, training.dataset.test, training.objective)
    assert 0.6 < test.accuracy[0] < 0.9
    assert last.train.accuracy[0] > test.accuracy[0] + 0.1


def test_averaged_weights_are_the_mean_of_all_iterates_from_the_first_epoch_named(make_config, dataset):
    """Before that epoch the last weights are evaluated, from then on the mean; the iterates go their way untouched."""
    averaged, plain = (Training(make_config(), dataset, lam=[0.1], eta=[0.05]) for _ in range(2))
    iterates = []

    def note(epoch, _number):
        if epoch >= 2:
            iterates.append(plain.state.parameters["W"][0].astype(np.float64))

    plain.batches = WatchedBatches(plain.batches, note)
    last = list(plain.evaluations())
    mean = list(averaged.evaluations(average_from=2))
    assert [row.extra["averaged"].tolist() for row in mean] == [[0], [0], [3], [6]]
    np.testing.assert_array_equal(averaged.state.parameters["W"], plain.state.parameters["W"])
    # The generator of batches goes on after the update: what it has seen is each iterate.
    np.testing.assert_allclose(averaged.state.outcome()["W"][0], np.mean(iterates, axis=0), rtol=1e-6, atol=1e-9)
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
        assert [row.extra["waited"][run] for row in rows[best : end + 1]] == [0, 1, 2, 3]
        assert state.end.stopped[run] == 3 * end
        assert state.best.loss[run] == losses[best, run]
    np.testing.assert_array_equal(losses[ends[0] :, 0], losses[ends[0], 0])
    from_best = evaluate(state.best.parameters, dataset.validation, training.objective)
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
        np.testing.assert_array_equal(outcome["W"][run], state.parameters["W"][run])
        assert np.abs(outcome["W"][run]).max() > 0
    assert (outcome["W"][1] != state.parameters["W"][1]).any()


@pytest.mark.parametrize("seed", range(8))
def test_the_weights_kept_of_each_run_are_those_of_its_last_evaluation(make_config, dataset, seed):
    """Whenever a run diverges or stops, before, in or after the epoch in which the mean begins: same metrics again."""
    rng = np.random.default_rng(seed)
    lam, eta = np.append(rng.choice([0, 0.1, 1], 4), 1.0), np.append(rng.choice([0.01, 0.5, 1e3, 1e4], 4), 1e4)
    training = Training(make_config(), dataset, lam, eta)
    last = {}
    for row in training.evaluations(6, average_from=int(rng.integers(1, 5)), patience=(None, 4)[seed % 2]):
        last |= {run: (row.train.cost[run], row.validation.cost[run]) for run in np.flatnonzero(row.valid)}
    kept = training.state.outcome()
    found = [evaluate(kept, split, training.objective).cost for split in (dataset.train, dataset.validation)]
    assert (training.state.end.diverged >= 0).any()
    for run, costs in last.items():
        assert (found[0][run], found[1][run]) == costs, run


@pytest.mark.parametrize("every", [None, 2])
@pytest.mark.parametrize("broken_after", range(1, 8))
def test_a_state_taken_apart_and_restored_goes_on_as_if_nothing_had_happened(make_config, dataset, broken_after, every):
    """With a mean, best weights, a run that diverges and one that stops: bit for bit."""
    whole, broken = (Training(make_config(), dataset, lam=[0.1, 1, 0], eta=[0.01, 1e4, 0.5]) for _ in range(2))
    options = {"average_from": 3, "patience": 2, "evaluate_every": every, "record_steps": True}
    expected = list(whole.evaluations(8, **options))
    first = list(islice(broken.evaluations(8, **options), broken_after))
    broken.state = State.restore([broken.state.take(run) for run in range(3)])
    past = [EvaluatedPoint(row.step, row.validation.loss) for row in first]
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


def test_the_course_program_for_two_digits_stops_at_the_same_step_with_the_same_loss(make_config):
    """Logistic regression from zero weights with a column of ones, five evaluations an epoch, early stopping.

    The twin is a loop of a few lines over plain arrays.
    """
    data = {"classes": [2, 3], "images_per_batch": 1200, "normalize": "minus_one_one"}
    config = make_config(
        data=data, lam=0.1, loss="logistic", bias="column", init_std=0, dtype="float64", eta=0.1, n_batch=32,
        epochs=200, shuffle=False, drop_last=True, evaluate={"per_epoch": 5}, early_stopping={"patience": 10},
        record_steps=True,
    )  # fmt: skip
    group = Group.of([config], load_dataset(config))
    state = group.first_state()
    rows = list(group.evaluations(state, group.batches()))
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
    np.testing.assert_allclose([*state.parameters["W"][0, 0], state.parameters["b"][0, 0]], w, rtol=1e-8, atol=1e-12)
