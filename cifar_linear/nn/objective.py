"""The objective of R runs: the mean loss of a model's scores plus a penalty on its parameters."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cifar_linear.arrays import Doubles, Examples, Floats, Labels
from cifar_linear.nn.losses import Loss
from cifar_linear.nn.model import Model
from cifar_linear.nn.parameters import Parameters, dtype_of, of_run


@dataclass(frozen=True)
class Objective:
    """The cost of each run: the mean loss plus lam times the sum of squares of the penalised parameters.

    Attributes:
        model: maps raw pixels to scores.
        loss: loss of one image, from its scores.
        lam: penalty strength of each run, (R,).
    """

    model: Model
    loss: Loss
    lam: Doubles

    def gradients(self, pixels: Examples, labels: Labels, parameters: Parameters) -> Iterator[dict[str, Floats]]:
        """Yield the gradient of each run's cost on one batch, with the shapes of that run's parameters.

        Args:
            pixels: raw pixels, 0 to 255, (n, d).
            labels: true classes, (n,).
            parameters: parameters of R runs.
        """
        ones = np.ones(len(self.lam))
        for run, gradient in enumerate(self.loss_gradients(pixels, labels, parameters, ones)):
            self.add_penalty(gradient, of_run(parameters, run), run, 1)
            yield gradient

    def loss_gradients(
        self, pixels: Examples, labels: Labels, parameters: Parameters, factor: Doubles, weights: Floats | None = None
    ) -> Iterator[dict[str, Floats]]:
        """Yield the gradient of each run's mean loss, without the penalty, times a factor.

        The factor may be the learning rate: it is applied to the derivatives by the scores, which are far fewer than
        the parameters. A run's parameters may be updated as soon as its gradient has been yielded: they are in the
        cache then.

        Args:
            pixels: raw pixels, 0 to 255, (n, d).
            labels: true classes, (n,).
            parameters: parameters of R runs.
            factor: factor on the gradient of each run, (R,).
            weights: factor on the loss of each image, before the mean over n is taken, (n,), or (n, R) with one for
                each run; None for 1.
        """
        scores, trace = self.model.forward(pixels, parameters)
        G = self.loss.score_gradient(scores, labels)
        if weights is not None:
            G *= weights.reshape(len(weights), -1, 1).astype(G.dtype)
        G *= (factor / len(labels))[:, None].astype(G.dtype)
        return self.model.backward(G, trace, parameters)

    def add_penalty(self, gradient: Parameters, parameters: Parameters, run: int, factor: float) -> None:
        """Add ``factor`` times 2 lam p to the gradient of each penalised parameter p of one run, in place.

        Args:
            gradient: gradient of one run, which is changed.
            parameters: parameters of the same run.
            run: index of the run, which selects its lam.
            factor: the factor on the gradient.
        """
        double = 2 * self.lam[run] * factor
        if double:
            for name in self.model.penalised:
                gradient[name][...] += gradient[name].dtype.type(double) * parameters[name]

    def mean_loss(
        self, pixels: Examples, labels: Labels, parameters: Parameters, weights: Floats | None = None
    ) -> Doubles:
        """Return the mean loss of each run on a batch, without the penalty, (R,); arguments as in `loss_gradients`."""
        in_dtype = np.asarray(pixels, dtype_of(parameters))
        values = self.loss.values(self.model.scores([in_dtype], parameters), labels)
        if weights is not None:
            values *= weights.reshape(len(weights), -1)
        mean: Doubles = values.mean(axis=0, dtype=np.float64)
        return mean

    def squares(self, parameters: Parameters) -> Doubles:
        """Return the sum of squares of each run's penalised parameters, (R,); not finite if a parameter is not."""
        sums = [_squares(parameters[name]) for name in self.model.parameter_shapes if name in self.model.penalised]
        total: Doubles = np.sum(sums, axis=0)
        return total


def _squares(array: Floats) -> Doubles:
    """Return each run's sum of squares, (R,); for biases, which are few, in double precision."""
    if array.ndim == 2:  # runs and biases
        of_biases: Doubles = np.sum(array.astype(np.float64) ** 2, axis=1)
        return of_biases
    return np.array([np.vdot(run, run) for run in array], dtype=np.float64)
