import os
import signal

import pytest

from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.resume import resume_run, resumed_config
from cifar_linear.experiments.run import run_group
from cifar_linear.runs.folder import RunFolder
from cifar_linear.signals import Interrupted, SafeStop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_after_the_last_safe_point_is_not_lost(number):
    """The work is done, and the caller learns that somebody wants the process to end."""
    done = []

    def work():
        with SafeStop() as stop:
            stop.check()
            os.kill(os.getpid(), number)
            done.append(True)

    with pytest.raises(Interrupted) as raised:
        work()
    assert done
    assert raised.value.exit_code == 128 + number


def test_a_signal_does_not_hide_a_failure():

    def work():
        with SafeStop():
            os.kill(os.getpid(), signal.SIGTERM)
            raise ValueError("the failure")

    with pytest.raises(ValueError, match="the failure"):
        work()


def test_a_signal_that_was_obeyed_is_raised_once():
    with SafeStop() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted):
            stop.check()


def test_a_signal_between_training_and_test_ends_before_the_test_set_is_evaluated(make_config, tmp_path):
    """The run has finished; going on evaluates what is missing."""
    config = make_config()
    dataset, folder, updates = load_dataset(config), RunFolder.create(tmp_path, "run"), []

    def check():
        updates.append(1)
        if len(updates) > 3 * 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_group([config], [folder], dataset, lambda _: None, check)
    record = folder.read_record()
    assert (record.status, "test" in record.metrics) == ("finished", False)
    record = resume_run(folder, resumed_config(folder, ()), dataset, lambda _: None, lambda: None)
    assert "test" in record.metrics
