"""``cifar-linear predict``: the classes of pictures, by a trained classifier."""

import json
from pathlib import Path

import click

from cifar_linear.cli.options import PATH, best_option, debug_option, example, optimum_option, refuse_both, run_argument
from cifar_linear.cli.printing import printable


@click.command(short_help="Classify PNG or JPEG pictures.", epilog=example("predict mine picture.png --top 2"))
@run_argument
@click.argument("images", type=PATH, nargs=-1, required=True, metavar="IMAGE...")
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="How many classes to name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document with all probabilities.")
@click.option("--calibrated", is_flag=True, help="Divide the scores by the temperature fitted on the validation set.")
@best_option
@optimum_option
@debug_option
def predict(
    run: Path, images: tuple[Path, ...], best: bool, optimum: bool, calibrated: bool, top: int, as_json: bool
) -> None:
    """Name the most probable classes of PNG or JPEG pictures.

    Pictures are squeezed to the size that the run was trained on. Transparent parts become white, and 16 bits per
    channel become 8. For a picture that cannot be read there is an error line; the others are still predicted, and the
    exit code is 3.
    """
    from cifar_linear.data.image_files import read_picture
    from cifar_linear.errors import ConfigError, DataError
    from cifar_linear.experiments.calibration import stored_temperature
    from cifar_linear.experiments.classifier import Classifier
    from cifar_linear.runs.folder import RunFolder

    refuse_both(best, optimum)
    folder = RunFolder(run)
    classifier = Classifier.of(folder, best, optimum)
    if not classifier.takes_pictures:
        raise ConfigError(
            f"{folder.path}: was trained on features, which a picture does not have; make the features of the pictures "
            "as you made those, and in Python: load_run(...).predict(features)"
        )
    temperature = stored_temperature(folder, best, optimum) if calibrated else 1.0
    failed = 0
    document = []
    for path in images:
        try:
            pixels = read_picture(path, classifier.image_shape)
        except DataError as error:
            if len(images) == 1:
                raise
            click.echo(f"error: {printable(str(error))}", err=True)
            failed += 1
            continue
        (probabilities,), (predicted,) = classifier.predict(pixels[None], temperature)
        # Of classes with the same probability by rounding, the predicted one comes first.
        order = sorted(range(len(probabilities)), key=lambda k: (-probabilities[k], k != predicted))
        ranked = [(classifier.class_names[k], float(probabilities[k])) for k in order]
        document.append({"image": str(path), "probabilities": dict(ranked)})
        if not as_json:
            click.echo(printable(f"{path}: " + ", ".join(f"{name} {100 * p:.1f} %" for name, p in ranked[:top])))
    if as_json:
        click.echo(json.dumps(document, indent=2))
    if failed:
        raise DataError(f"{failed} of {len(images)} pictures could not be read")
