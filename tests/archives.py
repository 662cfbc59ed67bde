"""Archives as the publishers make them, with a few small images, and a server that gives or withholds them."""

import gzip
import hashlib
import io
import tarfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cifar_files import python2_batch
from mnist_files import idx

from cifar_linear.data import registry
from cifar_linear.data.cifar import CIFAR10, CIFAR100
from cifar_linear.data.mnist import FASHION_MNIST, MNIST
from cifar_linear.data.registry import Archive, Member, Publication

BATCH_IMAGES = 20
TAR = "cifar-10-python.tar.gz"


def tar_of(contents, prefix="cifar-10-batches-py/"):
    """A gzipped tar archive of regular files; a `tarfile.TarInfo` in place of a content is taken as it is."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in contents.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
            else:
                entry = tarfile.TarInfo(prefix + name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def archive_of(name, file, members):
    """What would be published of a file and its members."""
    known = {path: Member(len(content), hashlib.md5(content).hexdigest()) for path, content in members.items()}
    return Archive(name, len(file), hashlib.sha256(file).hexdigest(), known)


def small_cifar(data_set, rng):
    """Small batches of a CIFAR: their contents by name, and the publisher's archive of them."""
    contents = {}
    for name in data_set.images:
        images = rng.integers(0, 256, (BATCH_IMAGES, 3072)).astype("uint8")
        labels = {kind.key: rng.integers(0, len(kind.class_names), BATCH_IMAGES) for kind in data_set.labels.values()}
        contents[name] = python2_batch(images, labels, rows=BATCH_IMAGES)
    prefix = f"{data_set.layouts[0].folder}/"
    return contents, tar_of({"readme.html": b"<html>", **contents}, prefix)


def small_mnist(rng):
    """The four files, unpacked, by name."""
    return {
        f"{part}-{kind}": idx(rng.integers(0, limit, shape).astype("uint8"))
        for part in ("train", "t10k")
        for kind, limit, shape in (
            ("images-idx3-ubyte", 256, (BATCH_IMAGES, 28, 28)),
            ("labels-idx1-ubyte", 10, (BATCH_IMAGES,)),
        )
    }


def publish(monkeypatch, rng):
    """Make small archives the published ones; returns the files that a mirror has, by data set and name."""
    files = {}
    for data_set in (CIFAR10, CIFAR100):
        (archive,), folder = registry.PUBLICATIONS[data_set.name].archives, data_set.layouts[0].folder
        contents, tar = small_cifar(data_set, rng)
        files[data_set.name] = {archive.name: tar}
        small = archive_of(archive.name, tar, {f"{folder}/{name}": content for name, content in contents.items()})
        monkeypatch.setitem(registry.PUBLICATIONS, data_set.name, Publication(folder, (small,), ()))
    for data_set in (MNIST, FASHION_MNIST):
        contents = small_mnist(rng)
        packed = {f"{name}.gz": gzip.compress(content) for name, content in contents.items()}
        files[data_set.name] = packed
        small = (archive_of(f"{name}.gz", packed[f"{name}.gz"], {name: contents[name]}) for name in contents)
        monkeypatch.setitem(registry.PUBLICATIONS, data_set.name, Publication(data_set.folder, tuple(small), ()))
    for data_set in (CIFAR10, CIFAR100, MNIST, FASHION_MNIST):
        for name in data_set.images:
            monkeypatch.setitem(data_set.images, name, BATCH_IMAGES)
    return files


class Mirrors(ThreadingHTTPServer):
    """Mirrors that behave in ways of their own, each a folder: ``address("cut")`` is that of one that breaks off."""

    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.asked, self.closing = files, [], threading.Event()

    def address(self, way, dataset="cifar10"):
        return f"http://127.0.0.1:{self.server_port}/{way}/{dataset}/"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        _, way, dataset, name = self.path.split("/")
        self.server.asked.append(way)
        content = self.server.files[dataset].get(name)
        if way == "missing" or content is None:
            self.send_error(404)
        elif way == "moved":
            self.send_response(302)
            self.send_header("Location", f"/good/{dataset}/{name}")
            self.end_headers()
        elif way == "busy" and self.server.asked.count("busy") < 3:
            self.send_error(503)
        elif way == "stalling":
            self.begin(len(content))
            self.wfile.write(content[:100])
            self.server.closing.wait(20)
        elif way == "trickling":
            self.begin(len(content))
            for i in range(0, len(content), 20_000):
                self.wfile.write(content[i : i + 20_000])
                if self.server.closing.wait(0.05):
                    break
        elif way == "cut":
            self.begin(len(content))
            self.wfile.write(content[: len(content) // 2])
        elif way == "other":
            self.begin(len(content))
            self.wfile.write(bytes(len(content)))
        elif way == "endless":
            self.begin(None)
            while not self.server.closing.is_set():
                self.wfile.write(bytes(10_000))
        else:
            self.begin(len(content))
            self.wfile.write(content)

    def begin(self, size):
        self.send_response(200)
        if size is not None:
            self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def serving(files):
    """A server of mirrors, until the end of the block."""
    server = Mirrors(files)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def content_of(folder):
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != ".lock"
    )
