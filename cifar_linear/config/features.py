"""The keys under ``data`` for a data set of one's own, in array files."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from cifar_linear.config.datasets import HeldOut
from cifar_linear.config.section import Section, conflict

_OF_SEVERAL = (".npz", ".safetensors")
_Path = Annotated[str, Field(min_length=1)]


class FeatureFiles(Section):
    """Features and labels of one split, in files."""

    features: _Path = Field(
        examples=["train.npy"],
        description=".npy, .npz or .safetensors of float16, float32, float64 or uint8: (n, d), or images "
        "(n, C, H, W) or (n, H, W, C)",
    )
    labels: _Path | None = Field(
        None,
        examples=["train_labels.npy"],
        description="integers or names, (n,): an array file, .csv or .txt; if absent, an array in the same file",
    )
    features_key: str | None = Field(None, description="name of the array in a file of several")
    labels_key: str | None = Field(None, description="name of the array, or the title of the column in a .csv file")

    @model_validator(mode="after")
    def _labels_are_somewhere(self) -> Self:
        if self.labels is None and not self.features.endswith(_OF_SEVERAL):
            raise conflict("labels", f"missing: only {' and '.join(_OF_SEVERAL)} hold labels beside the features")
        return self


def _kind_of_validation(value: object) -> str | None:
    if isinstance(value, dict):
        return "held_out" if "size" in value else "files"
    return "held_out" if isinstance(value, HeldOut) else "files" if isinstance(value, FeatureFiles) else None


class FeaturesData(Section):
    """Features or images of one's own, in array files; relative paths begin at the data folder, or where you are."""

    dataset: Literal["features"] = Field(description="which images")
    folder: str | None = Field(
        None, min_length=1, examples=["data"], description="the data folder, unless an option or variable names one"
    )
    train: FeatureFiles = Field(
        examples=[{"features": "train.npy", "labels": "train_labels.npy"}], description="files for training"
    )
    validation: Annotated[
        Annotated[FeatureFiles, Tag("files")] | Annotated[HeldOut, Tag("held_out")],
        Discriminator(
            _kind_of_validation,
            custom_error_type="no_files",
            custom_error_message="Input should be files or {size: n}",
        ),
    ] = Field(
        examples=[{"size": 5000}],
        description="files for choosing settings, or {size: n} rows held out of the training files",
    )
    test: FeatureFiles | None = Field(
        None,
        examples=[{"features": "test.npy", "labels": "test_labels.npy"}],
        description="files for the final evaluation, used once",
    )
    limit: int | None = Field(
        None, ge=1, examples=[1000], description="use only the first rows of each file, at most this number"
    )
    normalize: Literal["standardize", "center", "l2", "none"] = Field(
        "standardize",
        description="standardize: per dimension, with the training rows' mean and standard deviation; center: minus "
        "that mean; l2: each row divided by its norm; none",
    )
    class_names: Annotated[tuple[str, ...], Field(strict=False, min_length=2)] | _Path | None = Field(
        None,
        examples=[["cat", "dog"]],
        description="names of the classes in the order of their labels, or a text file with one in each line",
    )
    image_shape: Annotated[tuple[int, int, int], Field(strict=False)] | None = Field(
        None,
        examples=[[3, 32, 32]],
        description="channels, height and width of rows that are images: then templates are drawn",
    )

    training_images: ClassVar[None] = None
    """Not known before the files are read."""

    @property
    def class_count(self) -> int | None:
        """The number of classes, if it is known before the files are read."""
        return len(self.class_names) if isinstance(self.class_names, tuple) else None

    @model_validator(mode="after")
    def _names_and_channels(self) -> Self:
        if isinstance(self.class_names, tuple) and len(set(self.class_names)) < len(self.class_names):
            raise conflict("class_names", "names a class more than once")
        if self.image_shape and (self.image_shape[0] not in (1, 3) or min(self.image_shape) < 1):
            raise conflict("image_shape", "must be channels, height and width; channels are 1 or 3")
        return self

    @model_validator(mode="after")
    def _splits_are_disjoint(self) -> Self:
        seen: dict[Any, str] = {}
        for split in ("train", "validation", "test"):
            files = getattr(self, split)
            if isinstance(files, FeatureFiles):
                key = files.features, files.features_key
                if key in seen:
                    raise conflict(split, f"has the features of {seen[key]}; the splits must not share examples")
                seen[key] = split
        return self
