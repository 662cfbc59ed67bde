"""Reads a YAML file with the questions that a report answers, or reports all problems of the file at once."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from cifar_linear.config.conditions import QUANTITIES, numbers_in, parse_condition
from cifar_linear.config.reading import listed, parse_file, validated
from cifar_linear.errors import ConfigError

FigureName = Literal[
    "grid",
    "norms",
    "cost",
    "accuracy",
    "templates",
    "templates-common-scale",
    "filters",
    "patches",
    "maps",
    "saliency",
    "probabilities",
    "reliability",
    "optimum",
    "confusion",
    "classes",
    "mistakes",
]


def problem_of_limits(quantity: str, ends: tuple[float, float]) -> str | None:
    """What is wrong with the limits of an axis; None if they are valid."""
    low, high = ends
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        return f"{quantity} from {low:g} to {high:g}: two numbers, the lower one first"
    if quantity == "accuracy" and not 0 <= low < high <= 1:
        return f"accuracy from {low:g} to {high:g}: accuracies are fractions, 0 to 1"
    return None


class _Section(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Answer(_Section):
    """A paragraph of an answer, which depends on what the runs show."""

    when: str = Field(
        "",
        description="the condition: 'QUANTITY of RUN > NUMBER', '... < FACTOR * QUANTITY of RUN', 'RUN beats RUN', "
        f"joined by ' and '; a quantity is {', '.join(QUANTITIES)}",
    )
    text: str = Field(description="if it holds; {QUANTITY of RUN} is replaced by the number")
    otherwise: str = Field("", description="if it does not hold")

    @field_validator("when")
    @classmethod
    def _is_a_condition(cls, when: str) -> str:
        return _checked(when, parse_condition) if when else when

    @field_validator("text", "otherwise")
    @classmethod
    def _has_known_numbers(cls, text: str) -> str:
        return _checked(text, lambda text: list(numbers_in(text)))


def _checked(text: str, parse: Callable[[str], object]) -> str:
    try:
        parse(text)
    except ValueError as error:
        raise PydanticCustomError("limits", "{message}", {"message": str(error)}) from None
    return text


class Question(_Section):
    """One question, the runs that answer it, and the figures of these runs that are shown."""

    question: str = Field(description="a heading")
    runs: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = Field(
        description="names of runs or sweeps, sweep/cell for a run of a sweep; the newest run of each name"
    )
    figures: Annotated[tuple[FigureName, ...], Field(strict=False)] = Field(
        description="which of the figures of a report of these runs"
    )
    ylim: dict[Literal["cost", "accuracy"], Annotated[tuple[float, float], Field(strict=False)]] = Field(
        default={}, description="limits of the axes of costs (and losses) and of accuracies"
    )
    answer: str = Field("", description="a text for any result, such as how a figure is read")
    answers: Annotated[tuple[Answer, ...], Field(strict=False)] = Field(
        default=(), description="texts that depend on what the runs show, in their order"
    )

    @field_validator("ylim")
    @classmethod
    def _ends_make_an_axis(cls, ylim: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        problems = [problem for quantity, ends in ylim.items() if (problem := problem_of_limits(quantity, ends))]
        if problems:
            raise PydanticCustomError("limits", "{message}", {"message": "; ".join(problems)})
        return ylim


class Questions(_Section):
    """The file of questions."""

    title: str = Field(description="heading of the report")
    questions: Annotated[tuple[Question, ...], Field(strict=False, min_length=1)] = Field(description="in their order")


def read_questions(path: Path) -> Questions:
    """The questions in a YAML file. Raises `ConfigError` with all problems."""
    tree, problems = parse_file(path)
    questions, more = validated(Questions, tree)
    if questions is None or problems:
        raise ConfigError(listed(problems + more))
    return questions
