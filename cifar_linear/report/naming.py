"""Labels of settings in sentences."""

from collections.abc import Sequence

MOST_NAMED = 4
"""Labels that a sentence names; it counts the others."""


def some(labels: Sequence[str]) -> str:
    """List a few labels, and how many more there are.

    >>> some(list("abcdefg"))
    'a; b; c; d; and 3 more'
    """
    more = len(labels) - MOST_NAMED
    return "; ".join(labels[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")


def spoken(label: str) -> str:
    """Return a label of two settings without its comma, which in a sentence would look like one of the sentence.

    >>> spoken("lambda 0, eta 0.1")
    'lambda 0 with eta 0.1'
    """
    return label.replace(", ", " with ") if label.count(", ") == 1 else label


def either(labels: Sequence[str]) -> str:
    """Name two or more settings as alternatives; what all of them share is said once.

    >>> either(["lambda 0, eta 0.1", "lambda 1, eta 0.1"])
    'lambda 0 or lambda 1, with eta 0.1'
    >>> either(["lambda 0, eta 0.1", "lambda 1, eta 0.2"])
    'lambda 0 with eta 0.1, or lambda 1 with eta 0.2'
    """
    parts = [label.split(", ") for label in labels]
    if len({len(label) for label in parts}) == 1:
        shared = [part for part in parts[0] if all(part in label for label in parts)]
        own = [", ".join(part for part in label if part not in shared) for label in parts]
        if shared and all(own) and not any(", " in part for part in own):
            return f"{_joined_by('or', own)}, with {_joined_by('and', shared)}"
    return _joined_by("or", [spoken(label) for label in labels])


def both(labels: Sequence[str]) -> str:
    """List a few settings in a sentence, and how many more there are.

    >>> both(["lambda 0, eta 0.1", "lambda 1, eta 0.2"])
    'lambda 0 with eta 0.1, and lambda 1 with eta 0.2'
    """
    more = len(labels) - MOST_NAMED
    named = [spoken(label) for label in labels[:MOST_NAMED]] + ([f"{more} more"] if more > 0 else [])
    return _joined_by("and", named)


def _joined_by(word: str, parts: Sequence[str]) -> str:
    """Join parts of a sentence; those that hold commas themselves are kept apart by semicolons."""
    *most, last = parts
    between = "; " if any(", " in part for part in parts) else ", "
    long = between == "; " or any(" with " in part for part in parts)
    return f"{between.join(most)}{between if long else ' '}{word} {last}" if most else last
