"""Numbers as people read them."""


def percent(fraction: float | None) -> str:
    """An accuracy as people read it; a dash for none.

    >>> percent(0.83136), percent(None)
    ('83.14 %', '-')
    """
    return "-" if fraction is None else f"{100 * fraction:.2f} %"


def counted(count: int, what: str) -> str:
    """A count with its noun.

    >>> counted(1, "epoch"), counted(3, "epoch")
    ('1 epoch', '3 epochs')
    """
    return f"{count} {what}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """A time as people read it.

    >>> duration(1.26), duration(42.3), duration(90), duration(3000), duration(7200)
    ('1.3 s', '42 s', '1 min 30 s', '50 min 0 s', '2 h 0 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 120:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{seconds:.1f} s" if seconds < 20 else f"{rest} s" if not minutes else f"{minutes} min {rest} s"
