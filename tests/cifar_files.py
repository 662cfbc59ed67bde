"""Files of CIFAR-10 and CIFAR-100 made by hand, byte for byte in the published forms."""

import struct


def python2_batch(images, labels, rows=10_000, columns=3072):
    """A batch as Python 2 pickled it: text as byte strings, the array through numpy.core.multiarray.

    Each image has a file name, which the pickle notes for later use. Labels are given by their keys: CIFAR-10 has
    ``labels``, CIFAR-100 has ``fine_labels`` and ``coarse_labels``.
    """

    def text(content):
        return b"U" + bytes([len(content)]) + content

    items = b"".join(
        text(key.encode()) + b"](" + b"".join(b"K" + bytes([int(label)]) for label in of_images) + b"e"
        for key, of_images in labels.items()
    )
    names = b"".join(
        text(b"some_picture_s_%06d" % i) + b"r" + struct.pack("<I", 10 + i)
        for i in range(len(next(iter(labels.values()))))
    )
    items += text(b"batch_label") + text(b"a batch") + text(b"filenames") + b"](" + names + b"e"
    shape = b"M" + struct.pack("<H", rows) + b"M" + struct.pack("<H", columns) + b"\x86"
    dtype_state = b"(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R" + dtype_state
    content = b"T" + struct.pack("<i", images.size) + images.tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
    state = b"(K\x01" + shape + dtype + b"\x89" + content + b"tb"
    return b"\x80\x02}(" + items + text(b"data") + array + state + b"u."
