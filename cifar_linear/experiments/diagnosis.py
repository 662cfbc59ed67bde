"""What an experienced eye would say of a run, each sentence from a number that supports it."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, sqrt

from cifar_linear.experiments.facts import SURE, Facts

_Z = 1.96
_MANY_WRONG, _MUCH_PENALTY, _CLEAR_GAP, _STILL_FALLING, _SLOW = 0.1, 0.5, 0.05, 0.005, 10
_MANY_ERRORS, _SMALL_GAP = 0.1, 0.1
_NOISY = 0.5
"""Of the useful rate. Where training has settled in its noise, eta is that rate: steps gain and lose the same."""
_MANY_DEAD = 0.1


def sentences(facts: Facts) -> Iterator[str]:
    """Yield what the numbers say; nothing where they say nothing."""
    yield from _of_the_rate(facts)
    yield from _of_the_noise(facts)
    if facts.sure and facts.sure[0] * facts.sure[1] > _MANY_WRONG:
        sure, wrong = facts.sure
        yield (
            f"saturation: {100 * sure:.0f} % of the validation images get a probability above {SURE}, and "
            f"{100 * wrong:.0f} % of these are wrong: the scores are too large"
        )
    if facts.penalty_share is not None and facts.penalty_share > _MUCH_PENALTY:
        share = f"{100 * facts.penalty_share:.1f} %"
        yield f"penalty: it is {share} of the training cost; a smaller lambda would fit better"
    for layer, (dead, channels) in (facts.dead or {}).items():
        if dead > _MANY_DEAD * channels:
            yield (
                f"dead: {dead} of the {channels} channels of {layer} are 0 for all validation images that were looked "
                "at: they learn nothing more; a smaller eta or another initialisation keeps them alive"
            )
    if facts.training and facts.validation:
        yield from _of_the_gap(*facts.training, *facts.validation)
    if facts.late_fall is not None and facts.late_fall > _STILL_FALLING and not _too_large(facts):
        yield (
            f"unfinished: the training cost still fell by {100 * facts.late_fall:.1f} % in the last tenth of the "
            "epochs; train longer"
        )
    if facts.sensitivity and facts.sensitivity.depends_on_rounding:
        yield f"rounding: {facts.sensitivity.in_words()}"


def stable_rate(curvature: float, momentum: float = 0.0) -> float:
    """The largest rate with which gradient descent does not move away from a minimum: 2 / curvature.

    With the moving average m <- mu m + (1 - mu) g of the gradients it is (1 + mu) / (1 - mu) times as large.
    """
    return 2 / curvature * (1 + momentum) / (1 - momentum) if curvature > 0 else inf


def _at_start(facts: Facts) -> float:
    return stable_rate(facts.curvature_at_start, facts.momentum)


def _at_end(facts: Facts) -> float:
    """The stable rate at the last weights; infinite before a training."""
    return stable_rate(facts.curvature_at_end or 0, facts.momentum)


def _last_eta(facts: Facts) -> float:
    return facts.eta if facts.eta_at_end is None else facts.eta_at_end


def _too_large(facts: Facts) -> bool:
    return facts.eta > _at_start(facts) or _last_eta(facts) > _at_end(facts)


def _of_the_rate(facts: Facts) -> Iterator[str]:
    start, end, last = _at_start(facts), _at_end(facts), _last_eta(facts)
    if facts.diverged_at is not None:
        why = _why_diverged(facts)
        yield f"diverged at step {facts.diverged_at}" + (f": {why}" if why else "")
        return
    if facts.eta > start:
        yield (
            f"rate: eta {facts.eta:g} is {_times(facts.eta / start)} the largest stable rate at the start, {start:.2g} "
            f"({_formula(facts)}, curvature {facts.curvature_at_start:.3g}): every step overshoots, so that the cost "
            "jumps"
        )
    elif facts.shrinking > 1:
        yield f"rate: eta * lambda is {facts.shrinking:.3g}; above 1 the penalty alone makes W grow"
    if last > end:
        times = _times(last / end)
        yield f"rate: at the end eta is {last:g}, {times} the largest stable rate, {end:.2g}: the cost does not settle"
    stable = min(start, end)
    if facts.eta * _SLOW < stable < inf and facts.shrinking <= 1 and not _limited_by_noise(facts):
        larger = f"{_times(stable / facts.eta)} as large ({stable:.2g})"
        yield f"rate: eta {facts.eta:g} is stable and could be up to {larger}"


def _why_diverged(facts: Facts) -> str | None:
    start, end, last = _at_start(facts), _at_end(facts), _last_eta(facts)
    if facts.shrinking > 1:
        return f"eta * lambda is {facts.shrinking:.3g}, and above 1 the penalty alone makes W grow"
    if facts.eta > start:
        return f"eta {facts.eta:g} is {_times(facts.eta / start)} the largest stable rate at the start, {start:.2g}"
    if last > end:
        return f"eta {last:g} is {_times(last / end)} the largest stable rate at its last finite weights, {end:.2g}"
    return None


def _formula(facts: Facts) -> str:
    return "2 / curvature" if not facts.momentum else "2 / curvature * (1 + momentum) / (1 - momentum)"


def _of_the_noise(facts: Facts) -> Iterator[str]:
    if facts.diverged_at is not None or _too_large(facts):
        return
    for where, eta, noise in (
        ("at the start", facts.eta, facts.noise_at_start),
        ("at the end", _last_eta(facts), facts.noise_at_end),
    ):
        if noise and noise.useful_rate is not None and eta > _NOISY * noise.useful_rate:
            lost = f"{100 * eta / noise.useful_rate:.0f} %" if noise.useful_rate else "all"
            yield (
                f"noise: {where}, batches of {facts.n_batch} images share {100 * noise.agreement:.2g} % of the squares "
                f"of their gradients; with eta {eta:g} their noise takes back {lost} of what a step gains; a smaller "
                "eta, larger batches or the mean of the weights would gain more"
            )


def _limited_by_noise(facts: Facts) -> bool:
    """Whether a much larger rate would only add noise."""
    limits = [noise.useful_rate for noise in (facts.noise_at_start, facts.noise_at_end) if noise]
    return any(limit is not None and limit < _SLOW * facts.eta for limit in limits)


def _of_the_gap(training: float, of_training: int, validation: float, of_validation: int) -> Iterator[str]:
    gap, variance = training - validation, training * (1 - training) / of_training
    half = _Z * sqrt(variance + validation * (1 - validation) / of_validation)
    if gap - half > _CLEAR_GAP:
        yield (
            f"over-fitting: training accuracy is {100 * gap:.1f} ± {100 * half:.1f} points above validation accuracy; "
            "more images, augmentation or a larger lambda would narrow that"
        )
    errors = 1 - training
    if errors - _Z * sqrt(variance) > _MANY_ERRORS and gap + half < _SMALL_GAP * errors:
        yield (
            f"under-fitting: {100 * errors:.1f} ± {100 * _Z * sqrt(variance):.1f} % of the training images are wrong, "
            f"and validation accuracy is only {100 * gap:.1f} ± {100 * half:.1f} points lower: what limits is the "
            "model, its penalty or its training, not the number of images"
        )


def _times(factor: float) -> str:
    return f"{factor:.2g} times" if factor < 100 else f"{factor:.0f} times"
