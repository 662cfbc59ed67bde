"""Reads a YAML file with the questions that a report answers, or reports all problems of the file at once."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator
from pydantic_core import PydanticCustomError

from cifar_linear.config.conditions import CONDITION, METRICS, TERM
from cifar_linear.config.figure_names import FigureName
from cifar_linear.config.reading import listed, parse_file, validated
from cifar_linear.errors import ConfigError


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


_BRACES = re.compile(r"\{([^{}]*)\}")


def _has_numbers(text: str) -> str:
    """Refuse braces around anything but a metric of a run."""
    for words in _BRACES.findall(text):
        if not TERM.fullmatch(words):
            message = f"{{{words}}}: must be like {{gap of run-a}}, with {', '.join(METRICS)}"
            raise PydanticCustomError("number", "{message}", {"message": message})
    return text


_Text = Annotated[str, AfterValidator(_has_numbers)]


class Claim(_Section):
    """A paragraph that depends on what the runs show."""

    condition: str = Field(
        alias="if",
        description="two sides with < or > between them, each `metric of run` or a number, with * + - and a number",
        examples=["gap of lambda-0 > gap of lambda-1 + 0.01"],
    )
    then: _Text = Field(description="the paragraph if that is so; {metric of run} becomes the number")
    otherwise: _Text = Field("", alias="else", description="the paragraph if it is not so")

    @field_validator("condition")
    @classmethod
    def _compares(cls, condition: str) -> str:
        if not CONDITION.fullmatch(condition):
            message = f"{condition!r}: must be like `gap of run-a > gap of run-b + 0.01`, with {', '.join(METRICS)}"
            raise PydanticCustomError("condition", "{message}", {"message": message})
        return condition


def _kind_of_paragraph(value: object) -> str | None:
    if isinstance(value, (dict, Claim)):
        return "claim"
    return "text" if isinstance(value, str) else None


_TEXT_OR_CLAIM = Discriminator(
    _kind_of_paragraph, custom_error_type="no_paragraph", custom_error_message="Input should be a text or {if, then}"
)
_Paragraph = Annotated[Annotated[_Text, Tag("text")] | Annotated[Claim, Tag("claim")], _TEXT_OR_CLAIM]


def _kind_of_answer(value: object) -> str | None:
    return "text" if isinstance(value, str) else "paragraphs" if isinstance(value, (list, tuple)) else None


_TEXT_OR_LIST = Discriminator(
    _kind_of_answer,
    custom_error_type="no_answer",
    custom_error_message="Input should be a text or a list of paragraphs",
)


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
    answer: Annotated[
        Annotated[str, Tag("text")]
        | Annotated[tuple[_Paragraph, ...], Field(strict=False, min_length=1), Tag("paragraphs")],
        _TEXT_OR_LIST,
    ] = Field("", description="the answer: a text, or paragraphs of which some depend on what the runs show")

    @field_validator("ylim")
    @classmethod
    def _ends_make_an_axis(cls, ylim: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        problems = [problem for quantity, ends in ylim.items() if (problem := problem_of_limits(quantity, ends))]
        if problems:
            raise PydanticCustomError("limits", "{message}", {"message": "; ".join(problems)})
        return ylim

    @property
    def paragraphs(self) -> Sequence[str | Claim]:
        """The answer in paragraphs."""
        return self.answer.strip().split("\n\n") if isinstance(self.answer, str) else self.answer


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
