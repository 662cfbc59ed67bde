"""Text from the files of others, made safe to print."""


def printable(text: str, *, keep: str = "") -> str:
    r"""Text in which each character that does not print is replaced by its escape sequence in Python.

    Control characters could recolour, retitle or overwrite a terminal; others reverse the direction of writing.

    Args:
        text: names or messages that may come from a file, a folder or a server.
        keep: characters to leave as they are, such as line breaks.

    >>> print(printable("\x1b[31mred"))
    \x1b[31mred
    """
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)
