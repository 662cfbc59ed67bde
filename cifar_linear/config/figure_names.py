"""What the figures of a report are called. Apart from the questions that name them: a training needs no questions."""

from typing import Literal

FigureName = Literal[
    "grid",
    "parallel",
    "norms",
    "cost",
    "accuracy",
    "optimum",
    "templates",
    "templates-common-scale",
    "filters",
    "patches",
    "maps",
    "saliency",
    "probabilities",
    "reliability",
    "confusion",
    "classes",
    "mistakes",
]
"""The figures of a report, by the names of their files."""
