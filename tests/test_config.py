import io
import json
import re
from contextlib import suppress
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from cifar_linear.config.datasets import Cifar10Data, SyntheticData
from cifar_linear.config.models import Config, schema
from cifar_linear.config.questions import read_questions
from cifar_linear.config.reading import parse_config, read_config
from cifar_linear.config.sweeps import read_sweep
from cifar_linear.errors import ConfigError

CONFIGS = Path(__file__).parent.parent / "configs"
GOOD = "data: {dataset: synthetic, images_per_batch: 500}\nlambda: 0\neta: 0.01\nn_batch: 50\nepochs: 4\n"


def parse(text, *overrides):
    return parse_config(text.encode() if isinstance(text, str) else text, "f.yaml", overrides)


def refusal(text, *overrides):
    with pytest.raises(ConfigError) as caught:
        parse(text, *overrides)
    return str(caught.value)


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_example_configs_are_valid_and_name_the_schema(path):
    """For the program and for an editor alike."""
    text = path.read_text()
    first_line = text.splitlines()[0]
    schema_of = first_line.rpartition("/")[2].rpartition("=")[2]
    {"sweep-schema.json": read_sweep, "questions-schema.json": read_questions}.get(schema_of, read_config)(path)
    assert first_line.startswith("# yaml-language-server: $schema=")
    named = json.loads((path.parent / first_line.partition("=")[2]).read_text())
    jsonschema.validate(yaml.safe_load(text), named)


def test_schema_file_is_what_the_program_prints(run):
    assert (CONFIGS / "schema.json").read_text() == run("config", "schema").stdout
    assert json.loads(run("config", "schema").stdout) == schema()
    for kind in ("sweep", "questions"):
        assert (CONFIGS / f"{kind}-schema.json").read_text() == run("config", "schema", f"--{kind}").stdout


def test_the_four_required_settings_differ_in_lambda_and_eta_only():
    configs = [read_config(path) for path in sorted((CONFIGS / "required").glob("*.yaml"))]
    assert {(config.lam, config.eta) for config in configs} == {(0, 0.1), (0, 0.001), (0.1, 0.001), (1, 0.001)}
    assert len({config.model_copy(update={"lam": 0.0, "eta": 1.0}) for config in configs}) == 1
    assert (configs[0].n_batch, configs[0].epochs) == (100, 40)


def test_complete_config_gives_the_same_config_again():
    config = parse(GOOD, "data.validation={size: 50}", "lambda=1e-5", "loss=sigmoid_bce", "dtype=float64")
    assert parse(config.to_yaml()) == config
    assert config.to_tree()["lambda"] == 1e-5


@given(st.text(min_size=1))
@example("1e3")
@example("0x10")
@example("null")
@example(".inf")
@example(" a: b # c")
@example("\ufeff\x85\u2028")
def test_any_folder_survives_the_round_trip(folder):
    """The file runs as it is: what the reader would take for a number is quoted."""
    config = Config(data=Cifar10Data(dataset="cifar10", folder=folder), lam=0.1, eta=0.1, n_batch=1, epochs=1)
    assert parse(config.to_yaml()) == config


def test_lambda_has_a_name_in_python_that_no_file_may_use():
    config = Config(data=SyntheticData(dataset="synthetic"), lam=0.25, eta=0.1, n_batch=1, epochs=1)
    assert (config.lam, config.to_tree()["lambda"]) == (0.25, 0.25)
    lam = GOOD.replace("lambda", "lam")
    assert "f.yaml:2: lam: unknown key; did you mean 'lambda'?" in refusal(lam)
    assert "lambda: missing" in refusal(lam)


def test_defaults_are_filled_in():
    config = parse(GOOD)
    assert (config.loss, config.dtype, config.init_std, config.seed, config.shuffle) == (
        "softmax", "float32", 0.01, 400, True
    )  # fmt: skip
    assert config.data.train == ("data_batch_1",)


@pytest.mark.parametrize(
    ("written", "meant"), [("1e-3", 0.001), ("1E-3", 0.001), (".5", 0.5), ("1", 1.0), ("1.", 1.0), ("+2.5e+1", 25.0)]
)
def test_numbers_are_read_as_people_write_them(written, meant):
    assert parse(GOOD.replace("eta: 0.01", f"eta: {written}")).eta == meant


def test_yaml_1_1_surprises_are_none():
    """``010`` is ten, not eight; ``on`` is a word, not true."""
    assert parse(GOOD.replace("n_batch: 50", "n_batch: 010")).n_batch == 10
    assert 'shuffle: must be true, false or {block: n}, found "on"' in refusal(GOOD + "shuffle: on\n")


BAD_VALUES = [
    ("lambda: -1", "f.yaml:6: lambda: must be greater than or equal to 0, found -1"),
    ("lambda: high", 'f.yaml:6: lambda: must be a number, found "high"'),
    ("lambda: true", "f.yaml:6: lambda: must be a number, found true"),
    ("eta: nan", 'f.yaml:6: eta: must be a number, found "nan"'),
    ("eta: .nan", "f.yaml:6: eta: must be a finite number, found NaN"),
    ("eta: .inf", "f.yaml:6: eta: must be a finite number, found Infinity"),
    ("eta: 0", "f.yaml:6: eta: must be greater than 0, found 0"),
    ("eta:", "f.yaml:6: eta: must be a number, found null"),
    ("n_batch: 0", "f.yaml:6: n_batch: must be greater than or equal to 1, found 0"),
    ("n_batch: true", "f.yaml:6: n_batch: must be a whole number, found true"),
    ("n_batch: '50'", 'f.yaml:6: n_batch: must be a whole number, found "50"'),
    ("epochs: 2.5", "f.yaml:6: epochs: must be a whole number, found 2.5"),
    ("seed: -4", "f.yaml:6: seed: must be greater than or equal to 0, found -4"),
    ("loss: hinge", "f.yaml:6: loss: must be 'softmax', 'sigmoid_bce' or 'logistic', found \"hinge\""),
    ("data: 5", "f.yaml:6: data: must be a mapping of keys, found 5"),
    ("data: {}", "f.yaml:6: data.dataset: missing (which images)"),
    ("data: {dataset: svhn}", "f.yaml:6: data.dataset: must be one of 'cifar10', 'cifar100', 'mnist', "),
    ("data: {dataset: svhn}", "'synthetic', 'features', found \"svhn\""),
    ("data: {dataset: CIFAR10}", "'features', found \"CIFAR10\"; did you mean 'cifar10'?"),
    ("data: {dataset: fashion-mnist}", "'features', found \"fashion-mnist\"; did you mean 'fashion_mnist'?"),
    ("averaging: true", "averaging: must be a mapping of keys, such as {from_epoch: 20}, found true"),
    ("augmentation: true", "augmentation: must be a mapping of keys, found true"),
    ("data: {dataset: cifar10, train: []}", "data.train: must have at least 1 item, not 0, found []"),
    ("data: {dataset: cifar10, train: test_batch}", 'data.train: must be a list, found "test_batch"'),
    ("data: {dataset: cifar10, train: [batch_1]}", "data.train.0: must be 'data_batch_1', 'data_batch_2'"),
    ("data: {dataset: cifar10, validation: 5}", "data.validation: must be a list of batches or {size: n}, found 5"),
    ("data: {dataset: cifar10, train: [7]}", "f.yaml:6: data.train.0: must be 'data_batch_1'"),
    ("data: {dataset: cifar10, validation: {size: 0}}", "data.validation.size: must be greater than or equal to 1"),
    ("data: {dataset: cifar10, validation: {size: 10000}}", "data.validation: size must leave images"),
    ("data: {dataset: cifar10, validation: [test_batch]}", "data.test: test_batch is used more than once"),
    ("data: {dataset: cifar10, images_per_batch: 9}", "images_per_batch: does not apply with the other"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), BAD_VALUES)
def test_bad_value_is_refused_with_its_place_and_what_is_allowed(line, expected):
    key = line.partition(":")[0]
    kept = [other for other in GOOD.splitlines() if not other.startswith(key)]
    text = "\n".join([*kept, *["# padding"] * (5 - len(kept)), line])
    assert expected in refusal(text)


def test_one_class_is_too_few(run, small_config):
    result = run("train", "--config", small_config, "--set", "data.classes=[2]")
    assert result.exit_code == 2
    assert "data.classes: must have at least 2 items" in result.stderr


def test_batch_larger_than_the_data_is_refused_before_any_data_is_read():
    assert refusal(GOOD, "n_batch=501") == "--set n_batch=501: n_batch: is 501, but only 500 images train"
    assert refusal(GOOD, "data.validation={size: 451}") == "f.yaml:4: n_batch: is 50, but only 49 images train"


def test_all_problems_are_reported_at_once_in_the_order_of_the_file():
    text = "lamda: 1\neta: fast\ndata: {dataset: synthetic, trian: []}\neta: 2\nn_batch: 1.5\n"
    assert refusal(text).splitlines() == [
        "7 problems in the config:",
        "  f.yaml:1: lambda: missing (strength of the penalty lambda * sum(W^2))",
        "  f.yaml:1: epochs: missing (passes over the training images; or steps, the updates in all)",
        "  f.yaml:1: lamda: unknown key; did you mean 'lambda'?",
        '  f.yaml:2: eta: must be a number, found "fast"',
        "  f.yaml:3: data.trian: unknown key; did you mean 'data.train'?",
        "  f.yaml:4: eta: repeated; first on f.yaml:2",
        "  f.yaml:5: n_batch: must be a whole number, found 1.5",
    ]


def test_unknown_key_names_the_nearest_known_one_at_any_level():
    assert "did you mean 'n_batch'?" in refusal(GOOD + "nbatch: 3\n")
    assert "did you mean 'data.dataset'?" in refusal(GOOD + "dataset: cifar10\n")
    assert "did you mean 'seed', or the option --seeds 3?" in refusal(GOOD + "seeds: 3\n")
    assert "data.seeds: unknown key; did you mean 'data.seed'?" in refusal(GOOD, "data.seeds=3")


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("batch_size", "n_batch"),
        ("batchSize", "n_batch"),
        ("learning_rate", "eta"),
        ("lr", "eta"),
        ("weight_decay", "lambda"),
        ("l2", "lambda"),
    ],
)
def test_what_other_programs_call_a_key_is_understood(word, key):
    assert f"{word}: unknown key; did you mean '{key}'?" in refusal(GOOD + f"{word}: 3\n")


def test_a_file_that_is_not_there_is_answered_with_one_that_is(tmp_path):
    (tmp_path / "mine.yaml").write_text(GOOD)
    with pytest.raises(ConfigError, match=re.escape(f"there is no such file; did you mean {tmp_path / 'mine.yaml'}?")):
        read_config(tmp_path / "mine.yml")
    with pytest.raises(ConfigError, match="there is no such file; cifar-linear config new writes a config"):
        read_config(tmp_path / "none" / "other.yml")
    assert "known here: data, loss, lambda, eta, n_batch" in refusal(GOOD + "xyzzy: 1\n")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "f.yaml: the file is empty"),
        (b"# only a comment\n", "f.yaml: the file is empty"),
        (b"\x89PNG\r\n\x1a\n\x00", "f.yaml: not a text file in UTF-8 (byte 0)"),
        (b"a: \x00", "f.yaml: not valid YAML: special characters are not allowed"),
        (b"- 1\n- 2\n", "f.yaml:1: a config is a mapping"),
        (b"just words", "f.yaml:1: a config is a mapping"),
        (b"a: [1, 2\nb: 3", "f.yaml:2: not valid YAML"),
        (b"a: 1\n---\nb: 2", "f.yaml:2: not valid YAML"),
        (b"a: &x [1]\nb: *x", "f.yaml:2: not valid YAML: aliases"),
        (b"[" * 5000, "f.yaml: nested too deeply"),
        (b"a: " + b"1" * 2**20, "f.yaml: holds 1048579 bytes"),
        (b"eta: !!python/object/apply:os.system [ls]", "f.yaml:1: eta: tags"),
        (b"? [1, 2]\n: 3", "f.yaml:1: (not a word): unknown key"),
    ],
)
def test_file_that_is_no_config_is_refused_in_a_line(content, expected):
    assert expected in refusal(content)


@given(st.binary(max_size=60))
@example(b"eta: 0x1f")
@example(b"eta: 1" + b"0" * 350)
@example(b"eta: 1" + b"0" * 500)
@example(b"seed: 1" + b"0" * 350)
@example(b"\xef\xbb\xbfeta: 1")
def test_no_content_raises_anything_but_a_config_error(content):
    """Neither by itself nor after a good beginning."""
    for text in (content, GOOD.encode() + content):
        with suppress(ConfigError):
            parse(text)


def test_override_passes_the_same_checks_and_names_itself():
    config = parse(GOOD, "eta=1e-2", "data.train=[data_batch_3, data_batch_4]", "data.validation={size: 100}")
    assert (config.eta, config.data.training_images) == (0.01, 900)
    assert refusal(GOOD, "eta=fast") == '--set eta=fast: eta: must be a number, found "fast"'
    assert refusal(GOOD, "et=1") == "--set et=1: et: unknown key; did you mean 'eta'?"
    assert refusal(GOOD, "eta.x=1") == "--set eta.x=1: eta.x: eta has no keys of its own"
    assert refusal(GOOD, "eta").startswith("--set eta: must be key=value")
    assert "not a text file in UTF-8" in refusal(GOOD, "eta=\udcff")
    assert refusal(GOOD, "eta=[").startswith("--set eta=[")


def test_what_an_override_lacks_names_the_override():
    """Not a line of the file that never mentions the key; where the file chose, its line."""
    lacks = "decay.every: missing (epochs between two cuts of eta)"
    assert refusal(GOOD, "decay.kind=step") == f"--set decay.kind=step: {lacks}"
    plateau = GOOD + "decay:\n  patience: 3\n  kind: plateau\n"
    assert f"--set decay.kind=step: {lacks}" in refusal(plateau, "decay.kind=step")
    assert refusal(GOOD + "decay:\n  factor: 0.5\n  kind: step\n") == f"f.yaml:8: {lacks}"
    assert refusal(GOOD, "decay={kind: step}") == f"--set decay={{kind: step}}: {lacks}"
    wait = "early_stopping.wait=3"
    assert f"--set {wait}: early_stopping.patience: missing" in refusal(GOOD, wait)


@pytest.mark.parametrize(
    "written", ["", "validation: [data_batch_2], ", "validation: {size: 5}, ", "validation: null, "]
)
def test_a_dot_leads_into_what_may_be_a_mapping(written):
    """A list, or nothing, gives way to the mapping that the key belongs to."""
    config = parse(GOOD.replace("{dataset", f"{{{written}dataset"), "data.validation.size=99")
    assert config.data.validation.size == 99
    assert parse(GOOD + "early_stopping:\n", "early_stopping.patience=3").early_stopping.patience == 3
    message = '--set data.train.size=9: data.train: must be a list, found {"size": 9}'
    assert refusal(GOOD, "data.train.size=9") == message


def test_override_may_supply_or_replace_what_is_wrong_in_the_file():
    assert parse(GOOD.replace("eta: 0.01\n", ""), "eta=0.5").eta == 0.5
    assert parse(GOOD.replace("eta: 0.01", "eta: fast"), "eta=0.5").eta == 0.5


def test_a_config_may_come_from_standard_input(monkeypatch):
    """Given as ``-``; a problem is said to be there."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert read_config(Path("-")) == parse(GOOD)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"eta: 1")))
    with pytest.raises(ConfigError, match="standard input:1: lambda: missing"):
        read_config(Path("-"))


def test_missing_file_and_folder_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "no.yaml"):
        with pytest.raises(ConfigError, match=f"{path}: (cannot be read|there is no such file)"):
            read_config(path)


def test_show_prints_the_complete_config(run, tmp_path):
    path = tmp_path / "f.yaml"
    path.write_text(GOOD)
    result = run("config", "show", path, "--set", "seed=9")
    assert result.exit_code == 0
    assert parse(result.stdout).seed == 9
    assert run("config", "show", path, "--set", "seed=x").exit_code == 2
