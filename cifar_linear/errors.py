"""Errors for users. Each message states what was found, where, what is allowed and what to do."""


class CifarLinearError(Exception):
    """An expected failure. Its text is the complete message; ``exit_code`` is the exit status of the process."""

    exit_code = 1


class ConfigError(CifarLinearError):
    """A config, an override or an argument is invalid."""

    exit_code = 2


class DataError(CifarLinearError):
    """Image data is missing, damaged or not what was expected."""

    exit_code = 3


class RunError(CifarLinearError):
    """A run folder cannot be created, written or read."""

    exit_code = 1


class LeaseLostError(RunError):
    """Another process has taken over the work of this one, which was silent for too long."""


class DivergedError(CifarLinearError):
    """Weights or cost are no longer finite; the run folder keeps the last finite weights."""

    exit_code = 4


class CheckError(CifarLinearError):
    """A check was completed and found a difference."""

    exit_code = 5


def not_enough_memory(error: MemoryError) -> str:
    """Return the message for memory that runs out: what was too large, if known, and what helps."""
    what = f": {error}" if str(error).strip(" ;") else ""
    return f"not enough memory{what}; free some, or use fewer images with data.limit"
