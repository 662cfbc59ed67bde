"""Errors for users. Each message says what was found, where, what is allowed and what to do."""


class CifarLinearError(Exception):
    """An expected failure: its text is the whole message, ``exit_code`` the status of the process."""

    exit_code = 1


class ConfigError(CifarLinearError):
    """A config, an override or an argument that is not what it should be."""

    exit_code = 2


class DataError(CifarLinearError):
    """Image data that is missing, damaged or not what it should be."""

    exit_code = 3


class RunError(CifarLinearError):
    """A run folder that cannot be created, written or read."""

    exit_code = 1


class DivergedError(CifarLinearError):
    """Training left the finite numbers; the last finite weights are kept in the run folder."""

    exit_code = 4


class CheckError(CifarLinearError):
    """A check ran to its end and found a difference."""

    exit_code = 5


def not_enough_memory(error: MemoryError) -> str:
    """What to say when memory runs out: what was too large, if that is known, and what helps."""
    what = f": {error}" if str(error).strip(" ;") else ""
    return f"not enough memory{what}; free some, or use fewer images with data.limit"
