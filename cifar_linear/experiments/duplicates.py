"""Which images of a split are nearly the same as training images: table and figure."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from cifar_linear.data.dataset import Dataset, SplitName
from cifar_linear.data.duplicates import Pairs, near_duplicates
from cifar_linear.errors import ConfigError
from cifar_linear.figures.images import image_figure

OTHERS = ("label", "train", "train_label", "similarity", "flipped", "down", "right")
"""The columns of the table behind the first, which has the name of the split."""


def find_duplicates(dataset: Dataset, split: SplitName, threshold: float) -> Pairs:
    """Find the images of a split that are nearly the same as a training image.

    Args:
        dataset: of a config.
        split: the other split.
        threshold: the least similarity, 0 to 1.

    Raises `ConfigError` if the config has no such images.
    """
    if split not in dataset.splits:
        raise ConfigError(f"the config has no {split} images; choose another --split")
    images = dataset.splits[split].images
    return near_duplicates(images, dataset.train.images, dataset.image_shape, threshold)


def rows(pairs: Pairs, dataset: Dataset, split: SplitName) -> list[dict[str, Any]]:
    """A row of the table for each pair, in the order of the split."""
    names, own, others = dataset.class_names, dataset.splits[split].labels, dataset.train.labels
    return [
        {
            split: int(image),
            "label": names[own[image]],
            "train": int(other),
            "train_label": names[others[other]],
            "similarity": round(float(similarity), 4),
            "flipped": int(flipped),
            "down": int(down),
            "right": int(right),
        }
        for image, other, similarity, flipped, down, right in zip(*pairs, strict=True)
    ]


def draw_duplicates(pairs: Pairs, dataset: Dataset, split: SplitName, count: int) -> Figure:
    """Draw pairs side by side, the most similar ones first: the split's image with its label, then the training image.

    Args:
        pairs: at least one.
        dataset: of the same config.
        split: the split that was searched.
        count: how many pairs to draw at most; of more, some are left out evenly, so that the least similar are seen.
    """
    order = np.argsort(-pairs.similarity, kind="stable")
    shown = order[np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))]
    pictures, titles, table = [], [], rows(pairs, dataset, split)
    for row in (table[place] for place in shown):
        pictures += [dataset.splits[split].images[row[split]], dataset.train.images[row["train"]]]
        titles += [
            f"{split} {row[split]}\n{row['label']}",
            f"train {row['train']}, {_percent(row)}\n{row['train_label']}",
        ]
    return image_figure(pictures, titles, dataset.image_shape)


def _percent(row: dict[str, Any]) -> str:
    return f"{100 * row['similarity']:.0f} %"
