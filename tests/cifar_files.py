"""CIFAR-10 files made by hand, byte for byte in the published forms."""

import struct


def python2_batch(images, labels, rows=10_000, columns=3072):
    """A batch as Python 2 pickled it: text as byte strings, the array through numpy.core.multiarray."""

    def text(content):
        return b"U" + bytes([len(content)]) + content

    items = b"".join(b"K" + bytes([int(label)]) for label in labels)
    shape = b"M" + struct.pack("<H", rows) + b"M" + struct.pack("<H", columns) + b"\x86"
    dtype_state = b"(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R" + dtype_state
    content = b"T" + struct.pack("<i", images.size) + images.tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
    state = b"(K\x01" + shape + dtype + b"\x89" + content + b"tb"
    return b"\x80\x02}(" + text(b"labels") + b"](" + items + b"e" + text(b"data") + array + state + b"u."
