"""What is checked, what a flag proves, and what no flag proves."""

from typing import NamedTuple


class Check(NamedTuple):
    """A question about a run.

    Attributes:
        name: in tables.
        question: that it answers.
        proves: what follows from a flag.
        leaves_open: what neither a flag nor its absence proves.
    """

    name: str
    question: str
    proves: str
    leaves_open: str


class Flag(NamedTuple):
    """Something that does not fit.

    Attributes:
        check: name of the check.
        evidence: what was found and what was expected, in words and with both numbers.
    """

    check: str
    evidence: str


CHECKS = (
    Check(
        "readable",
        "Is there a whole run of this program?",
        "A file is missing, damaged, a link, or not of this program; the other checks of the run could not be made.",
        "How that came about: a broken upload looks the same as a change by hand.",
    ),
    Check(
        "asked",
        "Does the config have the settings that were asked for?",
        "A setting is another one, or a run was not handed in. Seed, number of threads and what is recorded are free.",
        "Whether the run was trained with its config: see start and again.",
    ),
    Check(
        "files",
        "Do the files of the folder agree with each other?",
        "A file was changed or exchanged after training: they are written together, from the same numbers.",
        "Which of them was changed. All of them changed alike agree.",
    ),
    Check(
        "curves",
        "Can these curves exist?",
        "No classifier has these numbers: too low a cross-entropy for the accuracy, a fraction of an image, a penalty "
        "that differs between the splits, a missing start, or another learning rate than the config's.",
        "Whether curves that can exist were measured.",
    ),
    Check(
        "images",
        "Are the images those of the course?",
        "By its own record, the run used other images, or images in another role, than its config and the data folder "
        "of this check give.",
        "Whether the record is true; and another decoder of the same JPEG pictures gives other images as well.",
    ),
    Check(
        "metrics",
        "Do the weights have the metrics that are recorded?",
        "They do not, beyond what rounding allows: metrics or weights were exchanged.",
        "Where the weights come from.",
    ),
    Check(
        "preprocessing",
        "Do mean and standard deviation belong to the training images?",
        "The pixels were standardised with other numbers than the config says.",
        "Why: a mistake in a changed program and a wrong folder look the same.",
    ),
    Check(
        "start",
        "Does training with this config and seed begin like this?",
        "The first weights, the images, their order or the step were others: the run was not trained with its config "
        "by this program.",
        "What happened after the first evaluation. Of a network only the untrained start is computed.",
    ),
    Check(
        "test",
        "Are the test images as new to the classifier as the validation images?",
        "Its loss on test images is lower than on validation images by more than five standard errors: test images "
        "were trained on, or the two sets differ in difficulty.",
        "A little training on test images: it takes about a tenth of the gap between training and validation loss.",
    ),
    Check(
        "again",
        "Does training again give the same run? (a sample)",
        "It does not, by far more than single instead of double precision changes: the run is not that of its config.",
        "Runs that were not drawn. Where rounding alone changes the result, as at a rate that is too large, nothing.",
    ),
    Check(
        "copies",
        "Is a run in another hand-in as well?",
        "Measured times agree in every digit, or weights are the same or multiples of each other though the configs "
        "differ: the one was made from the other, or both from a third.",
        "Who copied from whom. The same config with the same seed gives the same weights to everybody: give every "
        "student a seed, or equal weights prove nothing.",
    ),
    Check(
        "selection",
        "Was the setting of a sweep selected on validation images?",
        "Only settings that are not the best on validation images were evaluated on the test set.",
        "What else was tried: runs that were not handed in leave no trace.",
    ),
)
"""All checks, in the order of the page."""
