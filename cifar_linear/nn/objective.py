"""What R runs minimise: the mean loss of a model's scores, and a penalty on its parameters."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cifar_linear.arrays import Doubles, Floats, Labels
from cifar_linear.nn.losses import Loss
from cifar_linear.nn.model import Model
from cifar_linear.nn.parameters import Parameters, of_run


@dataclass(frozen=True)
class Objective:
    """The cost of each run: the mean loss plus lam times the sum of squares of the penalised parameters.

    Attributes:
        model: from raw pixels to scores.
        loss: of one image, from its scores.
        lam: penalty strength of each run, (R,).
    """

    model: Model
    loss: Loss
    lam: Doubles

    def gradients(self, pixels: Floats, labels: Labels, parameters: Parameters) -> Iterator[dict[str, Floats]]:
        """Yield the gradient of the cost on one batch of each run, with the shapes of its parameters.

        Args:
            pixels: raw, 0 to 255, (n, d), in the dtype of the parameters.
            labels: (n,).
            parameters: of R runs.
        """
        for run, gradient in enumerate(self.loss_gradients(pixels, labels, parameters)):
            self.add_penalty(gradient, of_run(parameters, run), run)
            yield gradient

    def loss_gradients(
        self, pixels: Floats, labels: Labels, parameters: Parameters, weights: Floats | None = None
    ) -> Iterator[dict[str, Floats]]:
        """Yield the gradient of the mean loss alone.

        The parameters of a run may be changed as soon as its gradient is there: all of them are then in the cache.

        Args:
            pixels: raw, 0 to 255, (n, d), in the dtype of the parameters.
            labels: (n,).
            parameters: of R runs.
            weights: what the loss of each image is multiplied by before the mean over n is taken, (n,); None for 1.
        """
        scores, trace = self.model.forward(pixels, parameters)
        G = self.loss.score_gradient(scores, labels)
        if weights is not None:
            G *= weights[:, None, None]
        G /= len(labels)
        return self.model.backward(G, trace, parameters)

    def add_penalty(self, gradient: Parameters, parameters: Parameters, run: int) -> None:
        """Add 2 lam p to the gradient of each penalised parameter p of one run, in place."""
        double = 2 * self.lam[run]
        if double:
            for name in self.model.penalised:
                gradient[name][...] += gradient[name].dtype.type(double) * parameters[name]

    def mean_loss(
        self, pixels: Floats, labels: Labels, parameters: Parameters, weights: Floats | None = None
    ) -> Doubles:
        """The mean loss of a batch, without the penalty, (R,); the arguments are those of `loss_gradients`."""
        values = self.loss.values(self.model.scores([pixels], parameters), labels)
        if weights is not None:
            values *= weights[:, None]
        mean: Doubles = values.mean(axis=0, dtype=np.float64)
        return mean

    def squares(self, parameters: Parameters) -> Doubles:
        """The sum of squares that lam multiplies in each run's cost, (R,); not finite if a parameter is not."""
        sums = [_squares(parameters[name]) for name in self.model.parameter_shapes if name in self.model.penalised]
        total: Doubles = np.sum(sums, axis=0)
        return total


def _squares(array: Floats) -> Doubles:
    """The sum of squares of each run's part of a parameter, (R,); in double precision of biases, which are few."""
    if array.ndim == 2:  # runs and biases
        of_biases: Doubles = np.sum(array.astype(np.float64) ** 2, axis=1)
        return of_biases
    return np.array([np.vdot(run, run) for run in array], dtype=np.float64)
