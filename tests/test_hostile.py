"""Files that somebody sent in bad faith are refused; nothing in them runs, nothing grows out of all proportion."""

import multiprocessing

import hostile
import pytest


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What a fresh process made of each hostile file, in folder, trace, and outcomes by file and kind."""
    root = tmp_path_factory.mktemp("hostile")
    trace = root / "trace"
    files = hostile.write_all(root, trace)
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=hostile.outcomes, args=(list(files), sending))
    process.start()
    sending.close()
    outcomes = receiving.recv()
    process.join()
    return root, trace, {(path, name): outcome for (path, name), outcome in zip(files.items(), outcomes, strict=True)}


def test_every_hostile_file_is_refused_by_a_message_that_names_it(told):
    _, _, outcomes = told
    assert len(outcomes) >= 50
    assert {(path.name, name) for (path, name), (message, _, _) in outcomes.items() if message is None} == set()
    for (path, _), (message, _, _) in outcomes.items():
        assert str(path) in message


def test_nothing_in_a_hostile_file_was_run_and_nothing_written(told):
    root, trace, outcomes = told
    assert not trace.exists()
    assert {path for path in root.rglob("*") if path.is_file()} == {path for path, _ in outcomes}


def test_no_hostile_file_took_half_a_gibibyte(told):
    _, _, outcomes = told
    assert max(peak for _, peak, _ in outcomes.values()) < 500


def test_each_kind_of_reader_is_tried(told):
    _, _, outcomes = told
    assert {path.name for path, _ in outcomes} == set(hostile.READERS)


@pytest.mark.parametrize(
    ("file", "name", "reason"),
    [
        ("data_batch_1", "os.system", "it asks for posix.system, which no image batch needs; refused"),
        ("data_batch_1", "by its own instruction", "it asks for os.system"),
        ("data_batch_1", "state of a class", "it sets the state of something that is not an array; refused"),
        ("data_batch_1", "many lists", "it has far more parts than an image batch; refused"),
        ("data_batch_1", "promised array", "it has an instruction that no image batch needs; refused"),
        ("data_batch_1", "promised bytes", "it promises more than the file holds"),
        ("data_batch_1.mat", "bomb", "data is uint8 (10000, 300000)"),
        ("cifar-10-python.tar.gz", "surplus member", "it unpacks to more than 49152 bytes besides the expected"),
        ("cifar-10-python.tar.gz", "many members", "it unpacks to more than 49152 bytes besides the expected"),
        ("cifar-10-python.tar.gz", "digits for a header", "it unpacks to more than 49152 bytes besides the expected"),
        ("cifar-10-python.tar.gz", "endless zeros", "it unpacks to more than 49152 bytes besides the expected"),
        ("cifar-10-python.tar.gz", "sparse", "data_batch_1 is not a regular file; refused"),
        (
            "cifar-10-python.tar.gz",
            "negative size",
            "data_batch_1 has -512 bytes, the published file 31035704; refused",
        ),
        ("model.npz", "compressed zeros", "it claims to unpack to more bytes than it has"),
        ("model.npz", "object arrays", "Object arrays cannot be loaded"),
        ("model.npz", "many arrays", "it has more than 100 arrays"),
        ("metrics.csv", "many rows", "steps must increase"),
        ("config.yaml", "laughs", "aliases (*name) are not used in configs"),
        ("config.yaml", "deep list", "nested too deeply for a config"),
    ],
)
def test_why_it_was_refused(told, file, name, reason):
    """For the right reason, not for an accident on the way."""
    _, _, outcomes = told
    (message,) = (message for (path, of), (message, _, _) in outcomes.items() if (path.name, of) == (file, name))
    assert reason in message
