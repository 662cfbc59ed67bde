"""How far the gradients of batches disagree, and which learning rate that allows."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cifar_linear.arrays import Doubles, Floats
from cifar_linear.nn.curvature import Gradient, curvature_along, dot


class GradientNoise(NamedTuple):
    """What the gradients g_B of single batches have in common at some parameters.

    Attributes:
        agreement: |g|^2 / E|g_B|^2 with the gradient g of all images: 1 if all batches agree, near 0 if they have
            nothing in common.
        useful_rate: the rate above which a step along g_B raises the cost on average, 2 |g|^2 / E[g_B^T H g_B]; None
            where no rate does, since the cost is not curved along the gradients.
    """

    agreement: float
    useful_rate: float | None


def gradient_noise(
    of_all: Mapping[str, Floats],
    of_batches: Sequence[Mapping[str, Floats]],
    curved: Gradient,
    parameters: Mapping[str, Doubles],
) -> GradientNoise:
    """Compare the gradients of single batches with that of all images, and with the curvature.

    Args:
        of_all: the gradient of the cost on all images, by name.
        of_batches: gradients of at least one batch.
        curved: gradients of the cost whose curvature H is meant.
        parameters: where all of them are taken.
    """
    common, squares = dot(of_all, of_all), [dot(each, each) for each in of_batches]
    bends = [
        square * curvature_along(curved, parameters, each)
        for each, square in zip(of_batches, squares, strict=True)
        if square
    ]
    bend = float(np.mean(bends)) if bends else 0.0
    agreement = min(1.0, common / float(np.mean(squares))) if bends else 1.0
    return GradientNoise(agreement, 2 * common / bend if bend > 0 else None)
