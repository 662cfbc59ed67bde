"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from cifar_linear.figures.style import Format

PATH = click.Path(path_type=Path, readable=False)
"""A path, unchecked: the code that uses it says what is wrong with it."""
FOLDER = click.Path(path_type=Path, readable=False, file_okay=False)
"""A folder to write into; the command line refuses a file."""
PUBLISHED = ("cifar10", "cifar100", "mnist", "fashion_mnist")
"""The data sets that can be downloaded, here without loading what knows them."""

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
_DEBUG = "cifar_linear.debug"


def _note_debug(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[_DEBUG] = True


def is_debugging(ctx: click.Context) -> bool:
    """Whether --debug was given, before or after the name of the command."""
    return bool(ctx.meta.get(_DEBUG))


def debug_option(function: _Function) -> _Function:
    """--debug, known to every command."""
    return click.option(
        "--debug", is_flag=True, expose_value=False, callback=_note_debug, help="Show the traceback of an error."
    )(function)


def example(words: str) -> str:
    """The end of a command's help: a line to copy, which the page of the command line shows as well."""
    return f"\b\nExample:\n  cifar-linear {words}"


def config_option(required: bool, text: str = "The experiment, a YAML file; - for standard input.") -> _Decorator:
    """--config, with ``text`` as its help."""
    return click.option("-c", "--config", "config_path", type=PATH, metavar="FILE", required=required, help=text)


def config_source(text: str, missing: str | None = None) -> _Decorator:
    """The config, as an argument or as --config; the command gets it, or None, as ``config_path``.

    Args:
        text: the help of the option.
        missing: what the file is, for the error if it is not given; None if the command works without it.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @click.argument("config_argument", metavar="[CONFIG]", required=False, type=PATH)
        @config_option(required=False, text=text)
        @wraps(function)
        def with_config(config_argument: Path | None, config_path: Path | None, **others: Any) -> None:
            if config_argument is not None and config_path is not None:
                raise click.UsageError("CONFIG and --config are two ways to name one file; leave out one of them")
            given = config_path if config_argument is None else config_argument
            if given is None and missing is not None:
                raise click.UsageError(f"missing CONFIG, {missing}")
            function(**others, config_path=given)

        return with_config

    return decorate


def complete_run(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of runs and sweeps; paths, where none begins like this."""
    from cifar_linear.errors import RunError
    from cifar_linear.runs.places import LAST, names

    try:
        known = [LAST, *names(ctx.params.get("runs_dir") or Path("runs"))]
    except RunError:
        known = []
    found = [CompletionItem(name) for name in known if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def run_argument(function: Callable[..., None]) -> Callable[..., None]:
    """RUN and --runs-dir; the command gets the run's folder as ``run``."""

    @click.argument("run", metavar="RUN", shell_complete=complete_run)
    @runs_dir_option
    @wraps(function)
    def with_run(run: str, runs_dir: Path, **others: Any) -> None:
        from cifar_linear.runs.discovery import find_run

        function(**others, run=find_run(runs_dir, run))

    return with_run


def runs_argument(function: _Function) -> _Function:
    """Any number of RUN."""
    return click.argument("runs", nargs=-1, metavar="[RUN]...", shell_complete=complete_run)(function)


def resume_option(function: _Function) -> _Function:
    """--resume, the run to continue."""
    text = "Continue a run that was stopped: a path, a name, or last. --set epochs=N lengthens it."
    return click.option("--resume", metavar="RUN", shell_complete=complete_run, help=text)(function)


def name_option(text: str) -> _Decorator:
    """--name, with ``text`` as its help."""
    return click.option("-n", "--name", help=text)


def seeds_option(function: _Function) -> _Function:
    """--seeds, to repeat."""
    text = "Train with N consecutive seeds, starting at the config's; report mean and 95 % interval."
    return click.option("--seeds", type=click.IntRange(min=2, max=1000), metavar="N", help=text)(function)


class Output(NamedTuple):
    """What a training prints and draws."""

    no_figures: bool
    form: Format
    as_json: bool
    quiet: bool


def output_options(json_text: str) -> _Decorator:
    """--no-figures, --format, --json and --quiet; the command gets them as one `Output`."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @click.option("--no-figures", is_flag=True, help="Leave out the figures and the report.")
        @format_option
        @click.option("--json", "as_json", is_flag=True, help=json_text)
        @quiet_option
        @wraps(function)
        def with_output(no_figures: bool, form: Format, as_json: bool, quiet: bool, **others: Any) -> None:
            function(**others, output=Output(no_figures, form, as_json, quiet))

        return with_output

    return decorate


def quiet_option(function: _Function) -> _Function:
    """--quiet, no progress."""
    return click.option("-q", "--quiet", is_flag=True, help="No progress, only the result.")(function)


def written_after(ctx: click.Context, word: str) -> str:
    """The word that follows another one on the command line, after a space or =; VALUE if none does."""
    words = [part for written in ctx.obj or () for part in written.split("=", 1)]
    return next((value for before, value in pairwise(words) if before == word), "VALUE")


def _with_equals_signs(ctx: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse ``--set eta 1``, before its value is taken for an argument."""
    for override in value:
        if "=" not in override:
            raise click.UsageError(f"--set {override}: write --set {override}={written_after(ctx, override)}", ctx)
    return value


def set_option(function: _Function) -> _Function:
    """--set, changes to the config."""
    return click.option(
        "-s",
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        callback=_with_equals_signs,
        help="Override a key of the config, with dots between levels: --set eta=0.01. May be repeated.",
    )(function)


def runs_dir_option(function: _Function) -> _Function:
    """--runs-dir, also as an environment variable."""
    return click.option(
        "--runs-dir",
        type=PATH,
        envvar="CIFAR_LINEAR_RUNS",
        show_envvar=True,
        default="runs",
        show_default=True,
        metavar="DIR",
        help="The folder of run folders.",
    )(function)


def _figure_file(_ctx: click.Context, _parameter: click.Parameter, path: Path) -> Path:
    """Raise `ConfigError` unless a figure can be written into this file."""
    from cifar_linear.errors import ConfigError
    from cifar_linear.figures.style import format_of

    format_of(path)
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}; make it first, or choose another with -o")
    return path


def figure_option(default: str, what: str, more: str = "") -> _Decorator:
    """-o of a command that draws one figure: the file, as ``output``.

    Args:
        default: the file without the option.
        what: what is written, for the help.
        more: what else the help says.
    """
    text = f"{what} to write: .png, .pdf or .svg, in a folder that exists{more}."
    return click.option(
        "-o",
        "--output",
        type=PATH,
        default=default,
        show_default=True,
        metavar="FILE",
        callback=_figure_file,
        help=text,
    )


def format_option(function: _Function) -> _Function:
    """--format of figures."""
    formats = click.Choice(["png", "pdf", "svg"])
    return click.option(
        "--format", "form", type=formats, default="png", show_default=True, help="Format of the figure files."
    )(function)


def data_dir_option(function: _Function) -> _Function:
    """--data-dir, also as an environment variable."""
    return click.option(
        "--data-dir",
        type=PATH,
        envvar="CIFAR_LINEAR_DATA",
        show_envvar=True,
        metavar="DIR",
        help="The folder of the unpacked data.",
    )(function)


def best_option(function: _Function) -> _Function:
    """--best, the weights with the lowest validation loss."""
    text = "Use the best weights, not the last; a run with early stopping keeps them."
    return click.option("--best", is_flag=True, help=text)(function)


def optimum_option(function: _Function) -> _Function:
    """--optimum, the weights of the certificate."""
    text = "Use the weights of the optimum, which certify has found, not the run's."
    return click.option("--optimum", is_flag=True, help=text)(function)


def refuse_both(best: bool, optimum: bool) -> None:
    """Raise UsageError for --best with --optimum."""
    if best and optimum:
        raise click.UsageError("--best and --optimum are different weights; leave out one of them")


def split_option(default: str) -> _Decorator:
    """--split, one of the three."""
    splits = click.Choice(["train", "validation", "test"])
    return click.option("--split", type=splits, default=default, show_default=True, help="Which images.")
