"""Files that somebody sent in bad faith, and what reads them."""

import gzip
import io
import os
import pickle
import re
import struct
import tarfile
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np

from cifar_linear.config.reading import read_config
from cifar_linear.data.archives import members_of
from cifar_linear.data.cifar import CIFAR10
from cifar_linear.data.image_files import read_picture
from cifar_linear.data.mnist import MNIST
from cifar_linear.data.registry import PUBLICATIONS
from cifar_linear.errors import CifarLinearError
from cifar_linear.nn.layers import Conv, Flatten, Linear, ReLU
from cifar_linear.nn.network import Network
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.tables import COLUMNS

MiB = 2**20
NETWORK = Network((Conv(4, 3), ReLU(), Flatten(), Linear(10)), (3, 32, 32))


class Call:
    """Unpickles to a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def pickles(trace):
    """Contents of a batch, by name; those that run anything leave a file ``trace``."""
    touch = f"touch {trace}"
    return {
        "os.system": pickle.dumps(Call(os.system, touch), protocol=4),
        "eval": pickle.dumps({b"data": Call(eval, f"open({str(trace)!r}, 'w')"), b"labels": []}, protocol=4),
        "getattr": pickle.dumps({b"data": [Call(getattr, Call(__import__, "os"), "system")]}, protocol=4),
        "numpy function": pickle.dumps({b"data": Call(np.fromfile, str(trace)), b"labels": []}, protocol=4),
        "object array": pickle.dumps({b"data": np.array([Call(os.system, touch)], object)}, protocol=4),
        "by its own instruction": b"cos\nsystem\n(S'" + touch.encode() + b"'\ntR.",
        "instance": b"(S'" + touch.encode() + b"'\nios\nsystem\n.",
        "submodule": pickle.dumps(Call(np.testing.assert_equal, 1, 2), protocol=4),
        "state of a class": b"\x80\x02cnumpy\nndarray\n(N}U\x08as_bytesNstb.",
        "extension": b"\x80\x02\x82\x01.",
        "persistent": b"\x80\x02U\x01aQ.",
        "huge memo": b"\x80\x02}r\xff\xff\xff\x1f.",
        "many lists": b"\x80\x02" + b"]" * (60 * MiB) + b".",
        "many marks": b"\x80\x02" + b"(" * (60 * MiB) + b".",
        "deep tuples": b"\x80\x02" + b"(" * 200_000 + b"t" * 200_000 + b".",
        "promised bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"abc.",
        "promised array": bytes.fromhex("80049600000000010000002864616163"),  # 4 GiB, which a fuzzer found
        "promised frame": b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"abc.",
        "long number": b"\x80\x02I" + b"9" * (50 * MiB) + b"\n.",
        "pairs of pairs": b"\x80\x02K\x01q\x00" + b"h\x00h\x00\x86q\x00" * 60 + b".",
    }


def matlab_bomb():
    """A compressed variable of three billion zeros."""

    def element(kind, content):
        return struct.pack("<II", kind, len(content)) + content + b"\0" * (-len(content) % 8)

    size = 3 * 10**9
    head = element(6, struct.pack("<II", 9, 0)) + element(5, struct.pack("<2i", 10_000, 300_000)) + element(1, b"data")
    head += struct.pack("<II", 2, size)
    packer = zlib.compressobj(1)
    packed = packer.compress(struct.pack("<II", 14, len(head) + size) + head)
    packed += packer.compress(bytes(64 * MiB)) + packer.flush()
    start = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x100) + b"IM"
    return start + struct.pack("<II", 15, len(packed)) + packed


def tars():
    """Archives of CIFAR-10, by name."""

    def entry(name, size=0, kind=tarfile.REGTYPE):
        made = tarfile.TarInfo(name)
        made.size, made.type = size, kind
        return made.tobuf(tarfile.USTAR_FORMAT)

    batch = "cifar-10-batches-py/data_batch_1"
    negative = bytearray(entry(batch))
    negative[124:136] = (-512).to_bytes(12, "big", signed=True)
    negative[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(negative))[0]
    return {
        "digits for a header": entry("x", 2 * MiB, tarfile.XHDTYPE) + b"1" * 2 * MiB + entry(batch),
        "negative size": bytes(negative) * 300_000,
        "sparse": entry(batch, 0, tarfile.GNUTYPE_SPARSE) + bytes(100 * MiB),
        "sparse map": entry("x", 100, tarfile.XHDTYPE)
        + b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n".ljust(512, b"\0")
        + entry(batch, 100 * MiB)
        + b"999999999\n" * (10 * MiB),
        "endless zeros": bytes(200 * MiB),
        "surplus member": entry("bomb", 5 * 10**9) + bytes(200 * MiB),
        "extended header": entry("x", 20 * MiB, tarfile.XHDTYPE) + b"20 comment=abcdefgh\n" * MiB,
        "long name": entry("x", 20 * MiB, tarfile.GNUTYPE_LONGNAME) + bytes(20 * MiB),
        "many members": entry("x") * 300_000,
        "cut": entry("cifar-10-batches-py/data_batch_1", 1000) + b"abc",
    }


def arrays():
    """Contents of model.npz, by name."""

    def zipped(parts, how=zipfile.ZIP_STORED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", how, compresslevel=1) as file:
            for name, content in parts.items():
                file.writestr(name, content)
        return buffer.getvalue()

    def npy(header):
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header.encode().ljust(117) + b"\n"

    names = [f"{name}.npy" for name in ("W", "b", "mean", "std", "class_names", "image_shape")]
    objects = io.BytesIO()
    np.save(objects, np.array([Call(os.system, "true")], object), allow_pickle=True)
    huge = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }")
    return {
        "compressed zeros": zipped(dict.fromkeys(names, bytes(20 * MiB)), zipfile.ZIP_DEFLATED),
        "object arrays": zipped(dict.fromkeys(names, objects.getvalue())),
        "promised shape": zipped(dict.fromkeys(names, huge)),
        "code for a header": zipped(dict.fromkeys(names, npy("__import__('os').system('true')"))),
        "many arrays": zipped({str(i): b"" for i in range(100_000)}),
        "no archive": b"PK\x03\x04" + bytes(1000),
    }


def yamls(trace):
    """Configs, by name."""
    laughs = b"".join(b"a%d: &a%d [%s]\n" % (i, i, b",".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 12))
    return {
        "laughs": b"a0: &a0 [x]\n" + laughs,
        "python object": f'eta: !!python/object/apply:os.system ["touch {trace}"]'.encode(),
        "python name": b"eta: !!python/name:os.system",
        "deep list": b"[" * 100_000,
        "deep mapping": b"{a: " * 50_000,
        "long": b"a: b\n" * (12 * MiB),
        "long number": b"eta: " + b"9" * (MiB - 10),
        "binary": bytes(range(256)) * 1000,
    }


def png(width, height, pixels, bits=8, colour=2):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def pictures():
    return {"50 000 x 50 000": png(50_000, 50_000, b""), "truncated": png(3000, 3000, bytes(1000))}


def run_files():
    """Files of a run folder that are not arrays, by name and kind."""
    return {
        ("deep record", "run.json"): b"[" * MiB,
        ("large record", "run.json"): b'{"format":1,"x":[' + b"[]," * (20 * MiB) + b"[]]}",
        ("many rows", "metrics.csv"): ",".join(COLUMNS).encode() + b"\n" + b"1,1,1,1,1,1,1,1,1,1\n" * (3 * MiB),
        ("wide field", "metrics.csv"): b"a" * (60 * MiB),
    }


READERS = {
    "data_batch_1": lambda path: CIFAR10.source(path.parent).read("data_batch_1"),
    "data_batch_1.mat": lambda path: CIFAR10.source(path.parent).read("data_batch_1"),
    "train-images-idx3-ubyte.gz": lambda path: MNIST.source(path.parent).read("train"),
    "cifar-10-python.tar.gz": lambda path: list(members_of(path, PUBLICATIONS["cifar10"].archives[0])),
    "model.npz": lambda path: RunFolder(path.parent).read_model(),
    "checkpoint.npz": lambda path: RunFolder(path.parent).read_checkpoint(),
    "introspection.npz": lambda path: RunFolder(path.parent).read_introspection(NETWORK, 100),
    "run.json": lambda path: RunFolder(path.parent).read_record(),
    "metrics.csv": lambda path: RunFolder(path.parent).read_metrics(),
    "config.yaml": read_config,
    "picture.png": lambda path: read_picture(path, (3, 32, 32)),
}
"""What reads a file of that name."""


def contents(trace):
    """Every hostile file: its name, what is hostile in it, and its content."""
    yield from (("data_batch_1", name, content) for name, content in pickles(trace).items())
    yield "data_batch_1.mat", "bomb", matlab_bomb()
    head = struct.pack(">HBB3I", 0, 8, 3, 60_000, 28, 28)
    yield "train-images-idx3-ubyte.gz", "bomb", gzip.compress(head + bytes(100 * MiB), 1)
    yield from (("cifar-10-python.tar.gz", name, gzip.compress(content, 1)) for name, content in tars().items())
    for name, content in arrays().items():
        yield "model.npz", name, content
        yield "checkpoint.npz", name, content
        yield "introspection.npz", name, content
    yield from ((file, name, content) for (name, file), content in run_files().items())
    yield from (("config.yaml", name, content) for name, content in yamls(trace).items())
    yield from (("picture.png", name, content) for name, content in pictures().items())


def write_all(root, trace):
    """Each file in a folder of its own; gives what is hostile in it, by path."""
    written = {}
    for i, (file, name, content) in enumerate(contents(trace)):
        path = root / str(i) / file
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        written[path] = name
    return written


def _peak():
    """MiB that this process has had at most; unlike what getrusage tells, without those of its parent."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024


def outcomes(paths, answer):
    """Read files in a process that has done nothing else: the refusal of each, and the peak of memory so far in MiB."""
    told = []
    for path in paths:
        started = time.perf_counter()
        try:
            READERS[path.name](path)
        except CifarLinearError as error:
            message = str(error)
        else:
            message = None
        told.append((message, _peak(), time.perf_counter() - started))
    answer.send(told)
