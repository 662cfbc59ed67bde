"""What all mappings of a config file have in common."""

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """A mapping of the file: nothing is converted, unknown keys are refused, nothing changes later.

    Python may use the names of the fields (``lam``); files are read by their keys alone (``lambda``).
    """

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", allow_inf_nan=False, validate_by_name=True, validate_by_alias=True
    )


def conflict(key: str, message: str) -> PydanticCustomError:
    """An error of a section: about a key that is valid by itself but not together with the others."""
    return PydanticCustomError("conflict", "{message}", {"key": key, "message": message})


def beside(key: str, message: str) -> PydanticCustomError:
    """An error of a key, about another one beside it."""
    return PydanticCustomError("beside", "{message}", {"key": key, "message": message})
