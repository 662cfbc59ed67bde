"""The names of the files in a run folder."""

RECORD_FILE = "run.json"
"""The file that identifies a folder as that of a run."""
CONFIG_FILE = "config.yaml"
CHECKPOINT_FILE = "checkpoint.npz"
METRICS_FILE = "metrics.csv"
STEPS_FILE = "steps.csv"
MODEL_FILES = {False: "model.npz", True: "best_model.npz"}
"""The files of the last weights (False) and of the best weights (True)."""
PREDICTIONS_FILE = "predictions.npz"
INTROSPECTION_FILE = "introspection.npz"
CALIBRATION_FILE = "calibration.json"
CERTIFICATE_FILE = "certificate.json"
OPTIMUM_FILE = "optimum.npz"
SENSITIVITY_FILE = "sensitivity.json"

TRAINED = (CONFIG_FILE, CHECKPOINT_FILE, METRICS_FILE, STEPS_FILE, *MODEL_FILES.values(), RECORD_FILE)
"""The files that training writes; the record comes last, since it says what the others are."""
OF_THE_LAST_WEIGHTS = (
    PREDICTIONS_FILE,
    INTROSPECTION_FILE,
    CALIBRATION_FILE,
    CERTIFICATE_FILE,
    OPTIMUM_FILE,
    SENSITIVITY_FILE,
)
"""The files that describe the weights at the end of a training, and are outdated once it goes on."""
FILES = (*TRAINED, *OF_THE_LAST_WEIGHTS)
"""The files of a run other than its report."""
