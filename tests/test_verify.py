import json

import numpy as np
import pytest
from folders import EVERYTHING, stopped_after
from threadpoolctl import threadpool_info, threadpool_limits

from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.resume import resume_run, resumed_config
from cifar_linear.experiments.run import run_group
from cifar_linear.runs.folder import RunFolder

CONFIGS = {
    "plain": {},
    "everything": {"epochs": 6, **EVERYTHING},
    "diverging": {"eta": 1e5, "lambda": 100},
    "stopped early": {"epochs": 200, "eta": 0.05, "early_stopping": {"patience": 1}},
    "no test images": {"data": {"test": []}},
}


@pytest.fixture
def verify(run):
    def call(folder):
        result = run("verify", folder.path, "--json")
        return result.exit_code, json.loads(result.stdout or "{}"), result.stderr

    return call


@pytest.mark.parametrize("name", CONFIGS)
def test_a_run_is_confirmed_bit_for_bit(trained, verify, run, name):
    folder = trained(**CONFIGS[name])
    before = {path: path.read_bytes() for path in folder.path.iterdir()}
    code, told, stderr = verify(folder)
    assert code == 0, stderr
    assert told["confirmed"]
    assert told["epoch"] == folder.read_record().epoch
    assert set(told["differences"].values()) == {None}
    assert ("predictions.npz" in told["differences"]) == ("test" in folder.read_record().metrics)
    assert ("calibration.json" in told["differences"]) == (folder.read_record().status == "finished")
    assert ("best_model.npz" in told["differences"]) == (name in ("everything", "stopped early"))
    assert "the same, bit for bit" in run("verify", folder.path).stdout
    assert {path: path.read_bytes() for path in folder.path.iterdir()} == before


@pytest.mark.parametrize("runs", [2, 5])
def test_runs_of_a_pass_are_confirmed_bit_for_bit(make_config, tmp_path, verify, runs):
    """Whatever the others do: one of them diverges."""
    configs = [make_config(eta=1e5, lam=100)] + [make_config(eta=0.01 * run) for run in range(1, runs)]
    folders = [RunFolder.create(tmp_path, "run") for _ in configs]
    run_group(configs, folders, load_dataset(configs[0]), lambda _: None)
    for folder in folders:
        code, told, stderr = verify(folder)
        assert code == 0, stderr
        assert set(told["differences"].values()) == {None}


@pytest.mark.parametrize("evaluations", [1, 4, 9])
@pytest.mark.parametrize("status", ["interrupted", "running"])
def test_a_run_that_did_not_end_is_confirmed_up_to_where_it_came(make_config, tmp_path, verify, evaluations, status):
    """Within an epoch, too. Of a killed run only the checkpoint counts: its other files may be older."""
    config = make_config(epochs=6, **EVERYTHING)
    folder = RunFolder.create(tmp_path, "run")
    with pytest.raises(KeyboardInterrupt):
        run_group([config], [folder], load_dataset(config), stopped_after(evaluations))
    folder.write_record(folder.read_record().model_copy(update={"status": status}))
    if status == "running":
        (folder.path / "metrics.csv").write_text("")
    code, told, stderr = verify(folder)
    assert code == 0, stderr
    assert told["epoch"] == folder.read_checkpoint().rows[-1]["epoch"]


def test_a_resumed_and_lengthened_run_is_confirmed(trained, verify):
    folder = trained()
    config = resumed_config(folder, ["epochs=5"])
    resume_run(folder, config, load_dataset(config), lambda _: None, lambda: None)
    code, told, _ = verify(folder)
    assert (code, told["epoch"]) == (0, 5)


def changed_model(folder):
    model = folder.read_model()
    folder.write_model(model._replace(parameters={**model.parameters, "W": model.W + np.float32(0.5)}))


def changed_metrics(folder):
    rows = folder.read_metrics()
    rows[2]["validation_accuracy"] += 0.25
    folder.write_metrics(rows)


def changed_record(folder):
    record = folder.read_record()
    better = record.metrics["test"].model_copy(update={"accuracy": 0.99})
    folder.write_record(record.model_copy(update={"metrics": {**record.metrics, "test": better}}))


def changed_config(folder):
    folder.write_config(folder.read_config().decode().replace("eta: 0.01", "eta: 0.02"))


def test_a_missing_file_is_a_difference(trained, verify):
    folder = trained()
    (folder.path / "predictions.npz").unlink()
    code, told, _ = verify(folder)
    assert code == 5
    assert told["differences"]["predictions.npz"].startswith("probabilities has 0 values then, 600 now")


def test_what_earlier_versions_did_not_write_is_no_difference(trained, verify):
    folder = trained()
    (folder.path / "calibration.json").unlink()
    code, told, stderr = verify(folder)
    assert code == 0, stderr
    assert "calibration.json" not in told["differences"]


def test_a_look_inside_a_network_is_compared(trained, verify):
    layers = [{"conv": {"filters": 2, "kernel": 3}}, "relu", "flatten", "linear"]
    folder = trained(model={"kind": "network", "layers": layers}, epochs=1)
    code, told, stderr = verify(folder)
    assert code == 0, stderr
    assert "introspection.npz" in told["differences"]
    inside = folder.read_introspection(folder.config().network(), 60)
    folder.write_introspection(inside._replace(occlusion=inside.occlusion + 1))
    code, told, _ = verify(folder)
    assert code == 5
    assert told["differences"]["introspection.npz"] == "occlusion differs by up to 1"
    (folder.path / "introspection.npz").unlink()
    assert verify(folder)[0] == 0


def changed_epoch(folder):
    folder.write_record(folder.read_record().model_copy(update={"epoch": 2}))


def test_a_config_edited_by_hand_is_found(trained, verify, run):
    folder = trained()
    changed_config(folder)
    code, told, _ = verify(folder)
    assert code == 5
    assert told["changes"] == ["eta was 0.01, config.yaml has 0.02"]
    resumed = run("train", "--resume", folder.path, "--set", "epochs=5")
    assert resumed.exit_code == 2
    assert "eta cannot change when resuming; train a new run instead" in resumed.stderr


def changed_checkpoint(folder):
    checkpoint = folder.read_checkpoint()
    checkpoint.rows[1]["train_loss"] += 1.0
    folder.write_checkpoint(checkpoint)


def changed_calibration(folder):
    calibration = folder.read_calibration()
    folder.write_calibration(calibration.model_copy(update={"temperature": calibration.temperature + 0.5}))


def changed_bin(folder):
    calibration = folder.read_calibration()
    plain = calibration.test.plain
    bins = [plain.bins[0].model_copy(update={"images": plain.bins[0].images + 2}), *plain.bins[1:]]
    test = calibration.test.model_copy(update={"plain": plain.model_copy(update={"bins": bins})})
    folder.write_calibration(calibration.model_copy(update={"test": test}))


@pytest.mark.parametrize(
    ("change", "part", "difference"),
    [
        (changed_model, "model.npz", "W differs by up to 0.5"),
        (changed_metrics, "metrics.csv", "validation_accuracy differs by up to 0.25"),
        (changed_record, "final metrics, test", "accuracy differs by up to 0."),
        (changed_epoch, "where it ended", "epoch differs by up to 1"),
        (changed_checkpoint, "metrics of all evaluations", "train_loss differs by up to 1"),
        (changed_calibration, "calibration.json", "temperature differs by up to 0.5"),
        (changed_bin, "calibration.json", "test.plain.bins.0.images differs by up to 2"),
    ],
)
def test_what_differs_is_said(trained, verify, run, change, part, difference):
    folder = trained()
    change(folder)
    code, told, stderr = verify(folder)
    assert code == 5
    assert not told["confirmed"]
    assert [name for name, said in told["differences"].items() if said] == [part]
    assert told["differences"][part].startswith(difference)
    assert "data, versions, BLAS, threads and code are unchanged" in stderr


def test_what_has_changed_around_a_run_is_said(trained, verify):
    folder = trained()
    changed_model(folder)
    record = folder.read_record()
    environment = record.environment
    blas = [library.model_copy(update={"architecture": "Nehalem"}) for library in environment.blas]
    before = {"versions": {**environment.versions, "numpy": "1.0"}, "blas": blas, "commit": "abc"}
    environment = environment.model_copy(update=before)
    folder.write_record(record.model_copy(update={"environment": environment}))
    code, told, stderr = verify(folder)
    assert code == 5
    assert [change.partition(" then, ")[0] for change in told["changes"]] == [
        "numpy 1.0",
        "commit abc",
        f"BLAS architecture {', '.join(['Nehalem'] * len(blas))}",
    ]
    assert all(change in stderr for change in told["changes"])


def test_other_images_are_a_difference(trained, verify):
    folder = trained()
    record = folder.read_record()
    data = record.data.model_copy(update={"sha256": {**record.data.sha256, "validation": "0" * 64}})
    folder.write_record(record.model_copy(update={"data": data}))
    code, _, stderr = verify(folder)
    assert code == 5
    assert "was trained with other validation images than these" in stderr


def test_what_cannot_be_verified_is_told(trained, verify, tmp_path):
    folder = trained()
    with folder.locked():
        code, _, stderr = verify(folder)
        assert code == 1
        assert "still under way; verify it when it has ended" in stderr
    for name in ("checkpoint.npz", "metrics.csv"):
        (folder.path / name).unlink()
    code, _, stderr = verify(folder)
    assert code == 1
    assert "there is nothing to compare" in stderr
    assert verify(RunFolder(tmp_path / "nothing"))[0] == 1


def test_strict_runs_compute_with_one_thread_and_say_so(make_config, tmp_path):
    """However many there are outside, and there they stay."""
    config = make_config(repro="strict")
    assert make_config().repro == "fast"
    weights = []
    for threads in (1, 2):
        folder = RunFolder.create(tmp_path, "run")
        with threadpool_limits(threads, user_api="blas"):
            (record,) = run_group([config], [folder], load_dataset(config), lambda _: None)
            assert {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"} == {threads}
        assert {library.num_threads for library in record.environment.blas} == {1}
        weights.append(folder.read_model().W)
    np.testing.assert_array_equal(*weights)
