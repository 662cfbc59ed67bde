"""The three parsers of files from outside, fed with what nobody has thought of.

In the suite some hundred inputs each, the same ones always; `make fuzz` takes new ones for about ten minutes.
"""

import gzip

import numpy as np
import pytest
import scipy.io
import yaml
from cifar_files import python2_batch
from hypothesis import given
from hypothesis import strategies as st
from mnist_files import idx

from cifar_linear.config.models import Config
from cifar_linear.config.reading import parse_config
from cifar_linear.data.cifar import CIFAR10
from cifar_linear.data.mnist import MNIST
from cifar_linear.errors import ConfigError, DataError

IMAGES = 2
CONFIG = """\
data: {dataset: synthetic, images_per_batch: 60, validation: {size: 20}}
loss: softmax  # a comment
lambda: 1e-3
eta: 0.003
n_batch: 20
epochs: 3
augmentation:
  flip: 0.5
decay: {kind: step, every: 2, factor: .5}
evaluate: {per_epoch: 2}
seed: 0x10
"""


@st.composite
def mutated(draw, original, pieces=()):
    """A content with bytes changed, cut out, put in or repeated, and with pieces of the format put in."""
    content = bytearray(original)
    for _ in range(draw(st.integers(1, 8))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 20)))
        new = draw(st.binary(max_size=8) | (st.sampled_from(pieces) if pieces else st.nothing()))
        match draw(st.sampled_from(["change", "cut", "insert", "repeat", "end"])):
            case "change":
                content[start : start + len(new)] = new
            case "cut":
                del content[start:end]
            case "insert":
                content[start:start] = new
            case "repeat":
                content[start:start] = content[start:end] * draw(st.integers(1, 50))
            case "end":
                del content[start:]
    return bytes(content)


YAML_PIECES = [
    b": ",
    b"- ",
    b"{",
    b"[",
    b"]",
    b"}",
    b"&a ",
    b"*a",
    b"!!int ",
    b"!!python/name:os",
    b"<<: ",
    b"? ",
    b"|\n",
]
YAML_PIECES += [b"\n", b"  ", b"'", b'"', b"# ", b"---\n", b"...\n", b"%YAML 1.1\n", b"0x", b"1e999", b".nan", b".inf"]
KEYS = [*(field.alias or name for name, field in Config.model_fields.items()), "dataset", "size", "kind", "flip", "a.b"]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["step", "cifar10"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=10,
)


def outcome(read):
    """What a reader gives, else the message with which it refuses."""
    try:
        return read(), None
    except (ConfigError, DataError) as error:
        return None, str(error)


def read_or_refuse(content, overrides=()):
    """A config is one that gives itself again, or is refused by a message."""
    config, message = outcome(lambda: parse_config(content, "config.yaml", overrides))
    assert message or parse_config(config.to_yaml().encode(), "again.yaml") == config


@given(mutated(CONFIG.encode(), YAML_PIECES) | st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_a_config_or_refused(content):
    read_or_refuse(content)


@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=12), st.lists(st.text(max_size=20), max_size=3))
def test_any_values_are_a_config_or_refused(tree, overrides):
    base = Config.model_validate(
        {"data": {"dataset": "synthetic"}, "lambda": 0, "eta": 1, "n_batch": 1, "epochs": 1}
    ).to_tree()
    read_or_refuse(yaml.safe_dump({**base, **tree}).encode(), overrides)


def batch_arrays():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (IMAGES, 3072), dtype=np.uint8), rng.integers(0, 10, IMAGES)


def python_batch():
    images, labels = batch_arrays()
    return python2_batch(images, {"labels": labels}, rows=IMAGES)


def binary_batch():
    images, labels = batch_arrays()
    return np.column_stack([labels.astype(np.uint8), images]).tobytes()


@pytest.fixture(scope="module")
def few_images():
    """Batches of two images and data sets of two digits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CIFAR10.images, "data_batch_1", IMAGES)
        patch.setitem(MNIST.images, "train", IMAGES)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory, few_images):
    return tmp_path_factory.mktemp("fuzz")


def read_batch_or_refuse(folder, name, content):
    """Images and labels in the package's types, or a message that names the file."""
    path = folder / name
    path.write_bytes(content)
    found, message = outcome(lambda: CIFAR10.source(folder).read("data_batch_1"))
    path.unlink()
    if message:
        assert str(path) in message
        return
    images, labels = found
    assert (images.shape, images.dtype) == ((IMAGES, 3072), np.uint8)
    assert (labels.shape, labels.dtype) == ((IMAGES,), np.intp)
    assert ((labels >= 0) & (labels < 10)).all()


OPCODES = [bytes([code]) for code in range(0x28, 0x99)]
OPCODES += [b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"cnumpy.core.multiarray\n_reconstruct\n", b"cos\nsystem\n"]
OPCODES += [b"U\x04data", b"U\x06labels", b"\x80\x02", b"K\x01", b"J\xff\xff\xff\xff", b"q\x00", b"h\x00"]


@given(mutated(python_batch(), OPCODES) | st.lists(st.sampled_from(OPCODES), max_size=40).map(b"".join) | st.binary())
def test_any_bytes_are_a_python_batch_or_refused(folder, content):
    read_batch_or_refuse(folder, "data_batch_1", content)


@given(mutated(binary_batch()) | st.binary())
def test_any_bytes_are_a_binary_batch_or_refused(folder, content):
    read_batch_or_refuse(folder, "data_batch_1.bin", content)


@pytest.fixture(scope="module")
def matlab_batch(tmp_path_factory):
    images, labels = batch_arrays()
    path = tmp_path_factory.mktemp("mat") / "data_batch_1.mat"
    scipy.io.savemat(path, {"data": images, "labels": labels.astype(np.uint8)[:, None]}, do_compression=False)
    return path.read_bytes()


@given(st.data())
def test_any_bytes_are_a_matlab_batch_or_refused(folder, matlab_batch, data):
    read_batch_or_refuse(folder, "data_batch_1.mat", data.draw(mutated(matlab_batch) | st.binary()))


def images_idx():
    return idx(np.arange(IMAGES * 784).reshape(IMAGES, 28, 28).astype(np.uint8))


def labels_idx():
    return idx(np.array([3, 9], np.uint8))


@given(mutated(images_idx()) | st.binary(), mutated(labels_idx()) | st.just(labels_idx()), st.booleans(), st.booleans())
def test_any_bytes_are_digits_or_refused(folder, images, labels, packed, spoilt):
    """Plain and gzipped, and with the gzip itself spoilt."""
    raw = folder / "raw"
    raw.mkdir(exist_ok=True)
    suffix = ".gz" if packed else ""
    paths = [raw / f"train-{kind}-ubyte{suffix}" for kind in ("images-idx3", "labels-idx1")]
    for path, content in zip(paths, (images, labels), strict=True):
        written = gzip.compress(content, mtime=0) if packed else content
        path.write_bytes(written[: len(written) - 3] if packed and spoilt else written)
    found, message = outcome(lambda: MNIST.source(folder).read("train"))
    for path in paths:
        path.unlink()
    if message:
        assert str(raw) in message
        return
    assert [array.shape for array in found] == [(IMAGES, 784), (IMAGES,)]
    assert found[1].max() < 10
