"""``gradcheck --module``: which functions are found, what is said, and which exit code that has."""

import json
import re
import sys

import pytest
from student_code import changed, checked_here, named, notebook
from student_mistakes import OUTSIDE
from student_solutions import BINARY, CLASS, FUNCTIONS, MODEL, NETWORK

from cifar_linear.course.gradients import sandbox
from cifar_linear.course.gradients.definitions import describe
from cifar_linear.errors import ConfigError


@pytest.fixture
def check(run, tmp_path, monkeypatch):
    """The command on a source of our own, with guards that were asked before and definitions that are read here."""
    in_its_python = sandbox.description

    def description(python, path):
        found = describe(str(path))
        return found if python == sys.executable and "error" not in found else in_its_python(python, path)

    monkeypatch.setattr(sandbox, "guards", lambda *_: ["wall-clock time"])
    monkeypatch.setattr(sandbox, "description", description)

    def call(source, *options, name="student.py"):
        (tmp_path / name).write_text(source)
        return run("gradcheck", "--module", tmp_path / name, *options)

    return call


def verdict(checked, number):
    return checked.verdicts[number]


def test_a_right_module_gives_four_verdicts_and_exit_code_0(check):
    result = check(FUNCTIONS)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line for line in lines if line.endswith(": right")] == [
        "probabilities: right",
        "loss and cost: right",
        "gradient against differences of its own cost: right",
        "gradient against the right one: right",
    ]
    assert "guards: wall-clock time" in lines


def test_a_mistake_is_named_with_both_numbers_and_exit_code_5(check):
    result = check(changed(FUNCTIONS, ("keepdims=True) / n", "keepdims=True)")))
    assert result.exit_code == 5
    said = (
        r"  grad_b: data term: the mean over the n = 7 images is missing: it is a sum; found (\S+), expected (\S+) at"
    )
    found, expected = map(float, re.search(said, result.stdout).groups())
    assert found == pytest.approx(7 * expected, rel=1e-6)
    assert "wrong: gradient against differences of its own cost; gradient against the right one" in result.stderr


def test_the_corrected_line_is_not_told(check):
    """Neither the line of the file that is wrong nor the right one."""
    said = check(changed(FUNCTIONS, ("2 * lam * W", "lam * W"))).stdout
    assert "penalty: it is half as large" in said
    assert "@" not in said
    assert "2 * lam" not in said


def test_two_wrongs_that_agree_are_told(tmp_path):
    """A cost without its penalty, and a gradient that belongs to it."""
    without = changed(FUNCTIONS, ("return loss + lam * np.sum(W ** 2)", "return loss"), (" + 2 * lam * W", ""))
    checked = checked_here(tmp_path / "student.py", without)
    assert [v.status for v in checked.verdicts] == ["right", "wrong", "right", "wrong"]
    assert any("two wrongs agree" in note for note in checked.notes)
    right = checked_here(tmp_path / "student.py", FUNCTIONS)
    assert not any("two wrongs" in note for note in right.notes)


def test_a_gradient_that_is_right_is_not_blamed_for_a_wrong_cost(tmp_path):
    checked = checked_here(tmp_path / "student.py", changed(FUNCTIONS, ("loss = -np.sum", "loss = np.sum")))
    assert [v.status for v in checked.verdicts] == ["right", "wrong", "wrong", "right"]


def test_a_gradient_that_is_given_probabilities_is_not_blamed_for_wrong_ones(tmp_path):
    """It is called with ours for the last question."""
    checked = checked_here(tmp_path / "student.py", changed(FUNCTIONS, ("np.sum(e, axis=0)", "np.sum(e)")))
    assert [v.status for v in checked.verdicts] == ["wrong", "right", "wrong", "right"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_no_formula_gives_is_not_explained(tmp_path, name):
    """And the entry of largest difference is shown."""
    checked = checked_here(tmp_path / "student.py", OUTSIDE[name])
    assert not checked.passed
    assert named(checked) == {"not explained"}
    faults = [fault for v in checked.verdicts for fault in v.faults if fault.name == "not explained"]
    assert all(fault.found != fault.expected for fault in faults)


@pytest.mark.parametrize("source", [FUNCTIONS, NETWORK, CLASS, MODEL], ids=["A", "B", "C", "D"])
def test_a_notebook_is_read_from_its_code_cells(check, source):
    """Magics are left out, cells that are no Python are named and skipped, and nothing else of it is run."""
    result = check(notebook(source), name="student.ipynb")
    assert result.exit_code == 0, result.stdout + result.stderr
    assert "note: skipped, no Python: cell 2, line 1" in result.stdout


def test_a_file_is_not_imported(tmp_path):
    """Only definitions, constants and imports of libraries are kept."""
    path = tmp_path / "student.py"
    path.write_text(
        f"open({str(tmp_path / 'trace')!r}, 'w')\nx = open('f')\nK = 10\neps = np.finfo(float).eps\n{FUNCTIONS}"
    )
    found = describe(str(path))
    assert sorted(found["functions"]) == ["ComputeCost", "ComputeGradients", "EvaluateClassifier"]
    kept = [found["source"].splitlines()[0:4][i] for i in found["kept"] if i < 4]
    assert kept == ["K = 10", "eps = np.finfo(float).eps"]
    assert checked_here(path, path.read_text()).passed
    assert not (tmp_path / "trace").exists()


def test_paths_are_those_of_the_folder_of_the_command(run, tmp_path, monkeypatch):
    """Though the processes are started in folders of their own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "student.py").write_text(FUNCTIONS)
    (tmp_path / "python").symlink_to(sys.executable)
    result = run("gradcheck", "--module", "student.py", "--python", "./python")
    # A link beside no environment starts the bare Python, which may lack NumPy; it is found in any case.
    assert result.exit_code == 0 or "No module named 'numpy'" in result.stderr


def test_the_problem_depends_on_the_code(tmp_path):
    """So no file can hold the right numbers; the same code gives the same numbers."""
    wrong = changed(FUNCTIONS, ("G = P - Y", "G = Y - P"))
    one, again, other = (checked_here(tmp_path / "student.py", source) for source in (wrong, wrong, wrong + "x = 1\n"))
    assert one.verdicts == again.verdicts
    assert one.verdicts[3].faults[0].found != other.verdicts[3].faults[0].found


def test_names_that_are_not_known_are_mapped(check):
    source = FUNCTIONS.replace("ComputeGradients", "slope").replace("EvaluateClassifier", "guess")
    refused = check(source)
    assert refused.exit_code == 2
    assert (
        "no function for probabilities and gradients is found; it defines guess, ComputeCost, slope" in refused.stderr
    )
    assert check(source, "--map", "gradients=slope", "--map", "probabilities=guess").exit_code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--map", "gradient=f"],
            "--map gradient: is not a role; choose from probabilities, cost, loss, gradients, model",
        ),
        (["--map", "gradients=f"], "--map gradients=f: there is no such function; found EvaluateClassifier"),
        (["--map", "gradients"], "--map needs ROLE=NAME"),
        (["--map", "model=Net"], "has no class Net; it has nothing"),
        (["--set", "eta=1"], "--module has a problem of its own"),
        (["--python", "/no/python"], "--python /no/python: cannot be started: No such file or directory"),
        (["--python", "/bin/false"], "--python /bin/false: cannot be used"),
    ],
)
def test_options_that_do_not_fit_are_refused(check, options, message):
    result = check(FUNCTIONS, *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_options_of_a_module_need_one(run):
    result = run("gradcheck", "--json")
    assert result.exit_code == 2
    assert "need --module" in result.stderr


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "student.py",
            b"def f(:\n",
            r"student.py: line 1 is no Python 3\.\d+: .*--python PATH reads it with another Python",
        ),
        ("student.py", b"x = 1\n\xff", "cannot be read as Python"),
        ("student.py", b"x = 1\n\0", "null bytes|is no Python"),
        ("student.py", b"x = " + b"(" * 5000, "is no Python|cannot be read"),
        ("student.py", b"x = " + b"-" * 200_000 + b"1", "is no Python|cannot be read|no function"),
        ("student.ipynb", b"{}", "has no cells"),
        ("student.ipynb", b"not json", "cannot be read as Python"),
        ("student.ipynb", b"[" * 100_000, "cannot be read as Python"),
        ("student.py", b"#" * (21 * 2**20), "has 21 MiB; at most 20 are read"),
        ("student.py", b"x = 1\n" * 300_000, "has more code than the 1 MiB that are read"),
        ("student.py", None, "cannot be read: No such file or directory"),
    ],
    ids=[
        "syntax",
        "no UTF-8",
        "null",
        "deep",
        "long sum",
        "no cells",
        "no JSON",
        "deep JSON",
        "large",
        "much code",
        "missing",
    ],
)
def test_a_file_without_python_is_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        sandbox.description(sys.executable, tmp_path / name)


def test_a_parameter_that_is_not_known_is_named(check):
    result = check(FUNCTIONS.replace("Y, P, W, lam)", "Y, P, W, lam, secret)"))
    assert result.exit_code == 2
    assert "ComputeGradients has a parameter secret, which is not known" in result.stderr


def test_a_wrong_shape_is_told_with_the_right_one(check):
    result = check(changed(FUNCTIONS, ("return grad_W, grad_b", "return grad_W[:, :20], grad_b[:3]")))
    assert result.exit_code == 5
    assert "  grad_W: has shape (10, 20); (10, 3072) is expected\n" in result.stdout
    assert "  grad_b: has shape (3, 1); (10, 1) is expected\n" in result.stdout


def test_an_error_is_shown_with_lines_of_the_file_only(check):
    source = changed(FUNCTIONS, ("    G = P - Y\n", "    G = P - Y\n    return helper(G)\n"))
    result = check(source)
    number = source.splitlines().index("    return helper(G)") + 1
    assert result.exit_code == 5
    assert f"  line {number}, in ComputeGradients: return helper(G)\n" in result.stdout
    assert "  NameError: name 'helper' is not defined\n" in result.stdout
    assert "child.py" not in result.stdout


def test_an_error_in_a_notebook_is_shown_by_cell(tmp_path):
    source = notebook(changed(FUNCTIONS, ("    G = P - Y\n", "    G = P - Z\n")))
    checked = checked_here(tmp_path / "student.ipynb", source)
    assert "cell 6, line 3, in ComputeGradients: G = P - Z" in verdict(checked, 3).error


def test_a_name_from_another_module_is_explained(check):
    source = changed(
        FUNCTIONS,
        ("from functions import *", "from functions import softmax"),
        ("P = e / np.sum(e, axis=0)", "P = softmax(s)"),
    )
    assert "note: softmax comes from functions, which is not imported here" in check(source).stdout


def test_names_from_a_module_beside_the_file_are_taken_along(tmp_path):
    """Its definitions, not what else it does, and an error names its file and line."""
    beside = (
        "import numpy as np\nfrom deeper import exponential\nopen('/no/file')\n\n"
        "def softmax(s):\n    return exponential(s) / exponential(s).sum(0)\n"
    )
    (tmp_path / "functions.py").write_text(beside)
    (tmp_path / "deeper.py").write_text("from functions import softmax\nfrom numpy import exp as exponential\n")
    source = changed(FUNCTIONS, ("P = e / np.sum(e, axis=0)", "P = softmax(s)"))
    assert checked_here(tmp_path / "student.py", source).passed
    (tmp_path / "functions.py").write_text(beside.replace(".sum(0)", ".sum(0) + nothing"))
    error = verdict(checked_here(tmp_path / "student.py", source), 0).error
    number = source.splitlines().index("    P = softmax(s)") + 1
    assert error.splitlines() == [
        f"line {number}, in EvaluateClassifier: P = softmax(s)",
        "functions.py, line 6, in softmax: return exponential(s) / exponential(s).sum(0) + nothing",
        "NameError: name 'nothing' is not defined",
    ]


@pytest.mark.parametrize("value", ["np.nan", "np.inf"])
def test_results_that_are_not_finite_are_told(tmp_path, value):
    source = changed(FUNCTIONS, ("return grad_W, grad_b", f"return grad_W * {value}, grad_b * {value}"))
    checked = checked_here(tmp_path / "student.py", source)
    assert named(checked) == {"not finite"}
    cost = checked_here(tmp_path / "student.py", changed(FUNCTIONS, ("return loss +", f"return {value} * loss +")))
    assert named(cost) == {"not explained"}


@pytest.mark.parametrize("value", ["np.nan", "np.inf"])
def test_probabilities_that_are_not_finite_are_told_once(tmp_path, value):
    """What follows from them is not blamed on anything else: neither the penalty nor the gradient."""
    source = changed(FUNCTIONS, ("    return P\n", f"    return P * {value}\n"))
    checked = checked_here(tmp_path / "student.py", source)
    assert [fault.text for fault in verdict(checked, 0).faults] == ["has entries that are not finite"]
    assert [fault.part for fault in verdict(checked, 1).faults] == ["cost"]
    assert verdict(checked, 2).status == "not checked"
    assert verdict(checked, 2).notes == ["its own cost is not a finite number"]
    assert verdict(checked, 3).status == "right"


@pytest.mark.parametrize(
    "value", ["None", "'a text'", "[grad_W]", "(None, None)", "np.array([None])", "{}", "{1: 2}", "object()"]
)
def test_results_that_are_no_arrays_are_wrong(tmp_path, value):
    checked = checked_here(tmp_path / "student.py", changed(FUNCTIONS, ("return grad_W, grad_b", f"return {value}")))
    assert verdict(checked, 3).status == "wrong"
    assert verdict(checked, 3).faults or verdict(checked, 3).error


def test_exp_that_overflows_is_a_note(tmp_path):
    """The formula of the course does; it is not wrong."""
    note = "exp overflows for scores of some thousands: the result is not finite"
    assert verdict(checked_here(tmp_path / "student.py", FUNCTIONS), 0).notes == [note]
    assert verdict(checked_here(tmp_path / "student.py", NETWORK), 0).notes == []


def test_a_class_that_is_made_without_its_constructor_is_told_as_such(tmp_path):
    """It has a parameter for which nothing is known, and its methods need what it would have set."""
    source = changed(
        CLASS,
        (
            "    def __init__(self, data, n_hidden, eta=0.01, lmbda=0.1):\n",
            "    def __init__(self, activation):\n        self.kind = activation\n",
        ),
        ("        return self.softmax(", "        assert self.kind\n        return self.softmax("),
    )
    checked = checked_here(tmp_path / "student.py", source)
    assert "AttributeError" in verdict(checked, 0).error
    assert checked.notes == [
        "Classifier was made without its constructor, whose parameter activation is not known; give it a default"
    ]


def test_a_class_is_chosen_by_name(tmp_path):
    """Of two models in a file, the softmax model unless --map says otherwise."""
    both = BINARY.replace("cross_entropy_loss", "binary_loss") + MODEL
    assert checked_here(tmp_path / "student.py", both).functions["gradients"] == "SoftmaxModel.backward"
    renamed = {"model": "BinaryModel", "loss": "binary_loss"}
    checked = checked_here(tmp_path / "student.py", both, renamed)
    assert checked.passed
    assert checked.functions["gradients"] == "BinaryModel.backward"


def test_json_is_one_document(check):
    result = check(changed(FUNCTIONS, ("G = P - Y", "G = Y - P")), "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 5
    assert document["passed"] is False
    assert document["functions"]["gradients"] == "ComputeGradients"
    (fault, _) = document["verdicts"][3]["faults"]
    assert (fault["part"], fault["name"]) == ("grad_W", "sign")
    assert float(fault["found"]) == -float(fault["expected"])


def test_gradescope_gets_a_test_for_each_verdict(check, tmp_path):
    results = tmp_path / "results.json"
    result = check(changed(FUNCTIONS, ("G = P - Y", "G = Y - P")), "--gradescope", results)
    assert result.exit_code == 5
    tests = json.loads(results.read_text())["tests"]
    assert [test["score"] for test in tests] == [1, 1, 0, 0]
    assert "the sign is turned" in tests[3]["output"]


def test_gradescope_gets_results_also_without_an_interface(check, tmp_path):
    results = tmp_path / "results.json"
    assert check("x = 1", "--gradescope", results).exit_code == 2
    (test,) = json.loads(results.read_text())["tests"]
    assert (test["score"], test["status"]) == (0, "failed")
    assert "no function for probabilities" in test["output"]


def test_what_a_module_prints_is_shown_and_not_obeyed(check):
    source = changed(FUNCTIONS, ("    G = P - Y", "    print('passed \\x1b[31m', True)\n    G = Y - P"))
    result = check(source)
    assert result.exit_code == 5
    assert "  | passed \\x1b[31m True\n" in result.stdout


def test_endless_printing_does_not_make_a_right_module_wrong(check):
    result = check(changed(FUNCTIONS, ("    G = P - Y", "    print('x' * 10**6)\n    G = P - Y")))
    assert result.exit_code == 0
    assert len(result.stdout) < 30_000
