"""A commented config to begin with, made from the keys' own descriptions, defaults and examples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from cifar_linear.config.features import FeaturesData
from cifar_linear.config.models import Config
from cifar_linear.config.yaml_tree import as_yaml
from cifar_linear.errors import ConfigError

DatasetName = Literal["cifar10", "cifar100", "mnist", "fashion_mnist", "synthetic", "features"]

_HEAD = """\
# An experiment for cifar-linear. To run it: cifar-linear train FILE
# Every key is here. Lines such as "# key: value" are settings that are off: remove the "# " to use one, and of two
# lines with the same key keep one. `cifar-linear config show FILE` checks the result.
"""
_COMMENTS = 30
"""The column in which comments begin."""


def starter(dataset: DatasetName) -> str:
    """A config file with every key: required ones have an example, the others their default.

    Args:
        dataset: the data set that it is for.
    """
    return _HEAD + "\n".join(_lines(starter_config(dataset))) + "\n"


def write_starter(path: Path, dataset: DatasetName) -> None:
    """Write `starter` to a new file. Raises `ConfigError` if the file exists or cannot be written."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(starter(dataset))
    except FileExistsError as error:
        raise ConfigError(f"{path}: exists already and is not overwritten; choose another name") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error


def starter_config(dataset: DatasetName) -> Config:
    """The config that `starter` writes down."""
    required = {name: _example(field) for name, field in Config.model_fields.items() if field.is_required()}
    # Epochs or steps are required, one of them.
    return Config.model_validate(
        {**required, "epochs": _example(Config.model_fields["epochs"]), "data": _data(dataset)}
    )


def _data(dataset: DatasetName) -> dict[str, Any]:
    """The keys under ``data`` that must be there, with examples."""
    if dataset != "features":
        return {"dataset": dataset}
    fields = FeaturesData.model_fields
    return {"dataset": dataset, **{name: _example(fields[name]) for name in ("train", "validation", "test")}}


def _lines(section: BaseModel, indent: str = "") -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        key, value = field.alias or name, getattr(section, name)
        # Another data set has other keys: it needs a file of its own.
        others = [] if name == "data" else [each for each in _models(field.annotation) if each is not type(value)]
        if isinstance(value, BaseModel) and not others:
            yield _line(indent, f"{key}:", field.description)
            yield from _lines(value, f"{indent}  ")
        elif value is not None:
            yield _line(indent, f"{key}: {_flow(_plain(value))}", _meaning(field))
        elif not others:
            yield _line(f"{indent}# ", f"{key}: {_flow(_example(field))}", _meaning(field))
        for model in others:
            meaning = (model.__doc__ or "").splitlines()[0].replace("``", "'")
            yield _line(f"{indent}# ", f"{key}: {_flow(_example_of(model))}", meaning)


def _line(indent: str, setting: str, comment: str | None) -> str:
    return f"{indent}{setting}".ljust(_COMMENTS) + f"  # {comment}"


def _meaning(field: FieldInfo) -> str:
    """The description of a key, after the values that it may have where there are few."""
    values = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    description = field.description or ""
    if len(values) < 2 or all(value in description for value in values):
        return description
    return f"{', '.join(values[:-1])} or {values[-1]}; {description}"


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that a key may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    else:
        for part in get_args(annotation):
            yield from _models(part)


def _example(field: FieldInfo) -> Any:
    """The first example of a key, else its default, else its only allowed value."""
    if field.examples:
        return field.examples[0]
    return get_args(field.annotation)[0] if field.default is PydanticUndefined else field.default


def _example_of(model: type[BaseModel]) -> dict[str, Any]:
    """A section with the examples and defaults of its keys; those that are off by default stay off."""
    examples = {name: _plain(_example(field)) for name, field in model.model_fields.items()}
    return {name: example for name, example in examples.items() if example is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    return list(value) if isinstance(value, tuple) else value


def _flow(value: Any) -> str:
    """A value on one line."""
    return as_yaml({"key": value}, flow=True).strip()[len("{key: ") : -1]
