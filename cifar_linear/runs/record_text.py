"""From the text of a run.json to its record, or to a message that says what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from cifar_linear.config.problems import path_in_file
from cifar_linear.errors import RunError
from cifar_linear.runs.record import FORMATS, Record


def parse_record(content: bytes, path: Path) -> Record:
    """Return the record in a file. Raises `RunError` if it is damaged or of an unsupported version.

    Args:
        content: of the file.
        path: its path, for messages.
    """
    try:
        tree = json.loads(content)
        version = tree["format"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RunError(f"{path}: not the record of a run") from error
    if version not in FORMATS:
        raise RunError(
            f"{path}: written by another version (format {version}, this one reads {' and '.join(map(str, FORMATS))})"
        )
    try:
        return Record.model_validate_json(content)
    except ValidationError as error:
        extra = [each["loc"] for each in error.errors() if each["type"] == "extra_forbidden"]
        if unknown := sorted(".".join(map(str, path_in_file(location, tree)[1:])) for location in extra):
            keys = f"key{'s' if len(unknown) > 1 else ''} {', '.join(unknown)}"
            raise RunError(f"{path}: written by a later version: config has the unknown {keys}") from error
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise RunError(f"{path}: damaged: {key}: {first['msg']}") from error
