"""The keys under ``data``: images, and how they are split and normalised."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from cifar_linear.config.section import Section, conflict

BatchName = Literal["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]
_BatchNames = Annotated[tuple[BatchName, ...], Field(strict=False, min_length=1)]
PartName = Literal["train", "t10k"]
_PartNames = Annotated[tuple[PartName, ...], Field(strict=False, min_length=1)]
HalfName = Literal["train", "test"]
_HalfNames = Annotated[tuple[HalfName, ...], Field(strict=False, min_length=1)]


class HeldOut(Section):
    """Validation images drawn from the training images with the seed, class balance kept."""

    size: int = Field(ge=1, examples=[200], description="images to hold out; the others are for training")


def _kind_of_validation(value: object) -> str | None:
    if isinstance(value, (dict, HeldOut)):
        return "held_out"
    return "batches" if isinstance(value, (list, tuple)) else None


class Centering(Section):
    """A mean of the training images is subtracted from their pixels."""

    center: Literal["all", "channel"] = Field(description="all: one mean of all pixels; channel: one of each channel")
    scale: Literal["unit", "raw"] = Field("unit", description="unit: pixels from 0 to 1; raw: pixels from 0 to 255")


def _kind_of_normalize(value: object) -> str | None:
    return "center" if isinstance(value, (dict, Centering)) else "word" if isinstance(value, str) else None


_WORD_OR_CENTERING = Discriminator(
    _kind_of_normalize,
    custom_error_type="no_normalize",
    custom_error_message="Input should be a word or {center: all}",
)
_BATCHES_OR_SIZE = Discriminator(
    _kind_of_validation,
    custom_error_type="neither",
    custom_error_message="Input should be a list of batches or {size: n}",
)
_TRAIN = "published batches for training"
_VALIDATION = "batches for choosing settings, or {size: n} images held out of the training images"
_TEST = "batches for the final evaluation, used once; [] for none"


class _BatchedData(Section, ABC):
    """Splits made of published batches. Each data set names its batches."""

    dataset: str
    image_shape: ClassVar[tuple[int, int, int]] = (3, 32, 32)
    limit: int | None = Field(
        None, ge=1, examples=[1000], description="use only the first images of each split, at most this number"
    )
    classes: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False, min_length=2)] | None = Field(
        None, examples=[[2, 3]], description="then keep only images with these labels, renumbered in this order"
    )
    normalize: Annotated[
        Annotated[Literal["standardize", "minus_one_one", "center"], Tag("word")] | Annotated[Centering, Tag("center")],
        _WORD_OR_CENTERING,
    ] = Field(
        "standardize",
        description="standardize: per dimension, with the training images' mean and standard deviation; "
        "minus_one_one: x / 127.5 - 1; center: minus the mean of all training pixels; {center: channel, scale: raw}",
    )

    if TYPE_CHECKING:
        train: tuple[str, ...]
        validation: tuple[str, ...] | HeldOut
        test: tuple[str, ...]

    @abstractmethod
    def images_in(self, batch: str) -> int:
        """Images in one published batch."""

    @property
    def published_classes(self) -> int:
        """The number of classes, before ``classes`` selects some of them."""
        return 10

    @property
    def class_count(self) -> int:
        """The number of classes."""
        return len(self.classes) if self.classes else self.published_classes

    @property
    def training_images(self) -> int:
        """The number of training images, before ``classes`` selects some of them."""
        published = sum(map(self.images_in, self.train))
        held_out = self.validation.size if isinstance(self.validation, HeldOut) else 0
        return min(published, self.limit or published) - held_out

    @model_validator(mode="after")
    def _splits_are_disjoint(self) -> Self:
        seen: set[str] = set()
        for split in ("train", "validation", "test"):
            names = getattr(self, split)
            for name in () if isinstance(names, HeldOut) else names:
                if name in seen:
                    raise conflict(split, f"{name} is used more than once; the splits must not share images")
                seen.add(name)
        if isinstance(self.validation, HeldOut) and self.training_images < 1:
            most = self.training_images + self.validation.size
            raise conflict("validation", f"size must leave images to train on: it must be below {most}")
        return self

    @model_validator(mode="after")
    def _classes_are_labels_and_distinct(self) -> Self:
        most = self.published_classes - 1
        if self.classes and max(self.classes) > most:
            raise conflict("classes", f"names {max(self.classes)}; the labels are 0 to {most}")
        if self.classes and len(set(self.classes)) < len(self.classes):
            raise conflict("classes", "names a class more than once")
        return self


class _SixBatches(_BatchedData, ABC):
    """The batches of CIFAR-10, or of the generated images in the same shape."""

    train: _BatchNames = Field(("data_batch_1",), description=_TRAIN)
    validation: Annotated[
        Annotated[_BatchNames, Tag("batches")] | Annotated[HeldOut, Tag("held_out")], _BATCHES_OR_SIZE
    ] = Field(("data_batch_2",), description=_VALIDATION)
    test: Annotated[tuple[BatchName, ...], Field(strict=False)] = Field(("test_batch",), description=_TEST)


class _FromFolder(_BatchedData, ABC):
    """A data set that lies in the data folder."""

    folder: str | None = Field(
        None, min_length=1, examples=["data"], description="the data folder, unless an option or variable names one"
    )


class Cifar10Data(_SixBatches, _FromFolder):
    """CIFAR-10, from the data folder."""

    dataset: Literal["cifar10"] = Field(description="which images")

    def images_in(self, batch: str) -> int:  # noqa: ARG002  # all of one size
        """As published."""
        return 10_000


class Cifar100Data(_FromFolder):
    """CIFAR-100, from the data folder: 50 000 images in ``train``, 10 000 in ``test``."""

    dataset: Literal["cifar100"] = Field(description="which images")
    labels: Literal["fine", "coarse"] = Field("fine", description="fine: 100 classes; coarse: 20 groups of five each")
    train: _HalfNames = Field(("train",), description=_TRAIN)
    validation: Annotated[
        Annotated[_HalfNames, Tag("batches")] | Annotated[HeldOut, Tag("held_out")], _BATCHES_OR_SIZE
    ] = Field(HeldOut(size=5_000), description=_VALIDATION)
    test: Annotated[tuple[HalfName, ...], Field(strict=False)] = Field(("test",), description=_TEST)

    @property
    def published_classes(self) -> int:
        """As published."""
        return 100 if self.labels == "fine" else 20

    def images_in(self, batch: str) -> int:
        """As published."""
        return {"train": 50_000, "test": 10_000}[batch]


class _TwoParts(_FromFolder, ABC):
    """A data set in the form of MNIST: 60 000 grey images in ``train``, 10 000 in ``t10k``."""

    image_shape: ClassVar[tuple[int, int, int]] = (1, 28, 28)

    train: _PartNames = Field(("train",), description=_TRAIN)
    validation: Annotated[
        Annotated[_PartNames, Tag("batches")] | Annotated[HeldOut, Tag("held_out")], _BATCHES_OR_SIZE
    ] = Field(HeldOut(size=10_000), description=_VALIDATION)
    test: Annotated[tuple[PartName, ...], Field(strict=False)] = Field(("t10k",), description=_TEST)

    def images_in(self, batch: str) -> int:
        """As published."""
        return {"train": 60_000, "t10k": 10_000}[batch]


class MnistData(_TwoParts):
    """MNIST, from the data folder: 60 000 images in ``train``, 10 000 in ``t10k``."""

    dataset: Literal["mnist"] = Field(description="which images")


class FashionMnistData(_TwoParts):
    """Fashion-MNIST, from the data folder: 60 000 images of clothes in ``train``, 10 000 in ``t10k``."""

    dataset: Literal["fashion_mnist"] = Field(description="which images")


class SyntheticData(_SixBatches):
    """Generated images in the shape of CIFAR-10; nothing is read from disk."""

    dataset: Literal["synthetic"] = Field(description="which images")
    images_per_batch: int = Field(1000, ge=10, le=100_000, description="size of each of the six batches")
    seed: int = Field(
        0, ge=0, le=2**63 - 1, description="of the generated images; independent of the seed of the training"
    )

    def images_in(self, batch: str) -> int:  # noqa: ARG002  # all of one size
        """As configured."""
        return self.images_per_batch


BatchedData = Cifar10Data | Cifar100Data | MnistData | FashionMnistData | SyntheticData
"""Data sets in batches, published or generated."""
