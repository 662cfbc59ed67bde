"""Which labels of the training images a classifier doubts that was trained without them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from cifar_linear.arrays import Bools, Floats, Images, Labels
from cifar_linear.config.models import Config
from cifar_linear.data.dataset import Dataset
from cifar_linear.data.wrong_labels import with_wrong_labels
from cifar_linear.errors import ConfigError
from cifar_linear.experiments.out_of_fold import out_of_fold
from cifar_linear.figures.images import image_figure
from cifar_linear.figures.style import LONGEST_NAME, shortened
from cifar_linear.nn.confident_learning import confident_classes
from cifar_linear.nn.metrics import area_under_curve, true_class_probability
from cifar_linear.randomness import Purpose, rng_for
from cifar_linear.training.evaluation import Evaluation

COLUMNS = ("train", "given", "given_probability", "suggested", "suggested_probability")
"""The columns of the table; ``train`` is the number of the image among the training images, from 0."""
_FEW = 0.01
"""More wrong labels than one in a hundred are not expected of published images."""


class Doubts(NamedTuple):
    """What out-of-fold probabilities say of labels.

    Attributes:
        images: the training images, (n, d).
        labels: as they are given, (n,).
        class_names: K names.
        probabilities: out of fold, (n, K).
        predicted: the predicted classes, (n,).
        suggested: the confident classes, (n,); a label is doubted where this is another class.
        flipped: which labels are wrong on purpose, (n,); None if none was changed.
    """

    images: Images
    labels: Labels
    class_names: tuple[str, ...]
    probabilities: Floats
    predicted: Labels
    suggested: Labels
    flipped: Bools | None

    @property
    def accuracy(self) -> float:
        """The fraction of the labels that the classifiers agree with."""
        return float((self.predicted == self.labels).mean())

    @property
    def confidence(self) -> Floats:
        """The probability of each image's label, (n,): the lower, the stronger the doubt."""
        return true_class_probability(self.probabilities, self.labels)

    @property
    def doubted(self) -> Labels:
        """The doubted images, the most doubted first, (m,)."""
        doubted = np.flatnonzero(self.suggested != self.labels)
        order: Labels = doubted[np.argsort(self.confidence[doubted], kind="stable")]
        return order

    @property
    def found(self) -> dict[str, Any] | None:
        """How well the doubts rank the labels that are wrong on purpose; None if there are none."""
        if self.flipped is None or not self.flipped.any():
            return None
        count = int(self.flipped.sum())
        first = np.argsort(self.confidence, kind="stable")[:count]
        return {
            "flipped": count,
            "area_under_curve": area_under_curve(-self.confidence, self.flipped),
            "among_as_many": int(self.flipped[first].sum()),
            "by_chance": count * count / len(self.labels),
        }

    def rows(self) -> list[dict[str, Any]]:
        """A row of the table for each doubted image, the most doubted first."""
        given, suggested = self.confidence, true_class_probability(self.probabilities, self.suggested)
        extra = {} if self.flipped is None else {"flipped": self.flipped}
        return [
            {
                "train": int(image),
                "given": self.class_names[self.labels[image]],
                "given_probability": float(given[image]),
                "suggested": self.class_names[self.suggested[image]],
                "suggested_probability": float(suggested[image]),
                **{name: int(column[image]) for name, column in extra.items()},
            }
            for image in self.doubted
        ]


def find_doubts(
    config: Config,
    dataset: Dataset,
    folds: int,
    flip: float,
    watch: Callable[[Evaluation], None],
    check: Callable[[], None],
) -> Doubts:
    """Train a config on all folds but one, in turn, and see which labels of the left-out images it doubts.

    Args:
        config: of the training.
        dataset: its images.
        folds: their number, at least 2.
        flip: which part of the labels is changed first, to see how many of these are found; 0 for none.
        watch: called with each evaluation point.
        check: called before every update; may raise to stop.

    Raises `ConfigError` for more folds than images, `DivergedError` if a training diverges.
    """
    train, flipped = dataset.train, None
    if folds > len(train):
        raise ConfigError(f"{folds} folds need as many training images; there are {len(train)}: choose fewer --folds")
    if flip:
        rng = rng_for(config.seed, Purpose.WRONG_LABELS)
        train, flipped = with_wrong_labels(train, flip, len(dataset.class_names), rng)
    probabilities, predicted = out_of_fold(config, replace(dataset, train=train), folds, watch, check)
    suggested = confident_classes(probabilities, train.labels)
    return Doubts(train.images, train.labels, dataset.class_names, probabilities, predicted, suggested, flipped)


def sentences(doubts: Doubts) -> Iterator[str]:
    """Yield what the numbers say."""
    images, doubted = len(doubts.labels), len(doubts.doubted)
    yield f"out of fold, the model agrees with {100 * doubts.accuracy:.2f} % of {images} labels; it doubts {doubted}"
    if doubts.flipped is None and doubted > 2 * _FEW * images:
        yield (
            f"a model that misses {100 * (1 - doubts.accuracy):.0f} % finds few errors: if one label in a hundred were "
            f"wrong, at most 1 in {doubted / (_FEW * images):.0f} of its doubts would be right"
        )
    if found := doubts.found:
        yield (
            f"of {found['flipped']} labels that were flipped on purpose, {found['among_as_many']} are among as many "
            f"that are doubted most (by chance {found['by_chance']:.0f}); AUC {found['area_under_curve']:.3f}"
        )


def draw_doubts(doubts: Doubts, count: int, image_shape: tuple[int, ...]) -> Figure:
    """Draw the most doubted images, each below its number, its label and the suggested class with probabilities.

    Args:
        doubts: with at least one doubted image.
        count: how many to draw at most.
        image_shape: channels, height, width.
    """
    shown = doubts.rows()[:count]
    titles = [
        f"{row['train']}\n{_said(row['given'], row['given_probability'])}\n"
        f"→ {_said(row['suggested'], row['suggested_probability'])}"
        for row in shown
    ]
    return image_figure([doubts.images[row["train"]] for row in shown], titles, image_shape)


def _said(name: str, probability: float) -> str:
    return f"{shortened(name, LONGEST_NAME)}: {100 * probability:.0f} %"
