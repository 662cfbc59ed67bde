"""What is drawn: data, labels, limits."""

import io
from itertools import pairwise

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.image import imread
from matplotlib.text import Text

from cifar_linear.figures.curves import SAME, accuracy_figure, axis_of, cost_figure, norm_figure, overlaid_figure
from cifar_linear.figures.grids import heat_figure, parallel_figure
from cifar_linear.figures.images import image_figure, template_figure
from cifar_linear.figures.layers import split_layers
from cifar_linear.figures.networks import filter_figure, map_figure, patch_figure, saliency_figure
from cifar_linear.figures.predictions import BINS, class_figure, confusion_figure, histogram_figure
from cifar_linear.figures.style import COLOURS, painted, rendered
from cifar_linear.nn.metrics import class_metrics

NAMES = ("frog", "truck", "ship")
ROWS = [
    {
        "epoch": epoch,
        "step": 25 * epoch,
        "train_loss": 2 - 0.1 * epoch,
        "train_cost": 2.5 - 0.2 * epoch,
        "train_accuracy": 0.1 * epoch,
        "validation_loss": 2.1,
        "validation_cost": 2.6,
        "validation_accuracy": 0.09 * epoch,
    }
    for epoch in range(5)
]


def lines(axes):
    return {line.get_label(): line.get_ydata().tolist() for line in axes.get_lines()}


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_cost_figure_shows_loss_and_cost_of_both_splits():
    axes = cost_figure(ROWS, lam=0.1).axes[0]
    assert set(lines(axes)) == {"training cost", "training loss", "validation cost", "validation loss"}
    assert lines(axes)["training cost"] == [row["train_cost"] for row in ROWS]
    assert lines(axes)["training loss"] == [row["train_loss"] for row in ROWS]
    assert axes.get_lines()[0].get_xdata().tolist() == [0, 1, 2, 3, 4]
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.get_lines()}) == 4


def test_without_penalty_loss_and_cost_are_one_line_and_the_figure_says_so():
    axes = cost_figure(ROWS, lam=0).axes[0]
    assert set(lines(axes)) == {"training loss = cost", "validation loss = cost"}
    assert axes.get_title() == SAME


def test_second_axis_counts_update_steps():
    figure = cost_figure(ROWS, lam=0)
    rendered(figure)
    (above,) = figure.axes[0].child_axes
    assert above.get_xlabel() == "update step"
    np.testing.assert_allclose(np.array(above.get_xlim()), 25 * np.array(figure.axes[0].get_xlim()))


def test_accuracy_figure_shows_both_splits_in_other_colours_and_dashes():
    training, validation = accuracy_figure(ROWS).axes[0].get_lines()
    assert validation.get_ydata().tolist() == [row["validation_accuracy"] for row in ROWS]
    assert training.get_color() != validation.get_color()
    assert training.get_linestyle() != validation.get_linestyle()


def test_overlaid_runs_share_an_axis_that_is_logarithmic_when_they_are_far_apart():
    near = overlaid_figure({"": {"a": ROWS, "b": ROWS}}, "cost")
    assert set(lines(near.axes[0])) == {"a", "b"}
    assert near.axes[0].get_ylim() == near.axes[1].get_ylim()
    far = [row | {"train_cost": 100.0} for row in ROWS]
    figures = [overlaid_figure({"": {"a": ROWS, "b": b}}, "cost") for b in (ROWS, far)]
    assert [figure.axes[0].get_yscale() for figure in figures] == ["linear", "log"]
    assert [figure.axes[0].get_ylabel() for figure in figures] == ["cost in nats", "cost in nats, logarithmic"]


def test_runs_that_cannot_be_compared_have_panels_and_axes_of_their_own():
    far = [row | {"train_cost": 100.0} for row in ROWS]
    figure = overlaid_figure({"mnist": {"a": ROWS}, "cifar10": {"b": far}}, "cost")
    assert [axes.get_title() for axes in figure.axes] == [
        "mnist, training", "mnist, validation", "cifar10, training", "cifar10, validation",
    ]  # fmt: skip
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim() != figure.axes[2].get_ylim()


def test_names_at_the_ends_of_lines_do_not_touch():
    """In the order of the lines' ends, in the colours of the lines, also where all lines end at one place."""
    runs = {f"lambda {i}": ROWS for i in range(8)} | {"low": [row | {"validation_cost": 1.0} for row in ROWS]}
    figure = overlaid_figure({"": runs}, "cost")
    rendered(figure)
    names = figure.axes[1].texts
    assert {name.get_text() for name in names} == set(runs)
    assert [name.get_color() for name in names] == [line.get_color() for line in figure.axes[1].get_lines()]
    boxes = [name.get_window_extent() for name in names]
    middles = sorted((box.y0 + box.y1) / 2 for box in boxes)
    line = 1.2 * names[0].get_fontsize() / 72 * figure.dpi
    assert all(above - below >= line for below, above in pairwise(middles))
    assert boxes[-1].y0 == min(box.y0 for box in boxes)


def pictures(figure):
    """Those of a sheet, from left to right and from the top down."""
    (axes,) = figure.axes
    places = {
        (image.get_extent()[3], image.get_extent()[0]): np.asarray(image.get_array()) for image in axes.get_images()
    }
    return [places[place] for place in sorted(places)]


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_template_is_upright_and_in_its_own_colours():
    """A weight at the top left of the red plane is a red pixel at the top left; the lowest weight is black."""
    W = np.zeros((3, 3, 4, 5))
    W[0, 0, 0, 0] = 2
    W[1, 2, 3, 4] = -1
    first, second, third = pictures(template_figure({"run": W.reshape(3, -1)}, NAMES, (3, 4, 5)))
    assert first.shape == (4, 5, 3)
    assert first[0, 0].tolist() == [1, 0, 0]
    assert second[3, 4].tolist() == [1, 1, 0]
    assert not third.any()


def test_common_scale_keeps_strong_templates_apart_from_weak_ones():
    W = np.stack([np.linspace(-4, 4, 12), np.linspace(-1, 1, 12), np.zeros(12)])
    own = pictures(template_figure({"run": W}, NAMES, (3, 2, 2)))
    common = pictures(template_figure({"run": W}, NAMES, (3, 2, 2), common_scale=True))
    assert [picture.max() for picture in own] == [1, 1, 0]
    assert [picture.max() for picture in common] == [1, 0.625, 0.5]


def test_templates_of_several_runs_are_rows_with_class_names_above_and_runs_beside():
    figure = template_figure({"lambda 0": np.eye(3, 12), "lambda 1": np.eye(3, 12)}, NAMES, (3, 2, 2))
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == [*NAMES]
    assert max(text.get_position()[1] for text in axes.texts) <= -0.5
    assert labels(axes.yaxis) == ["lambda 0", "lambda 1"]
    assert axes.yaxis_inverted()
    assert [picture.argmax() for picture in pictures(figure)] == 2 * [0, 3, 6]


def test_templates_of_many_classes_stand_in_lines_of_ten():
    """Each below its name, and all runs of a class below each other."""
    names = [f"class {k}" for k in range(14)]
    figure = template_figure({"a": np.eye(14, 16), "b": np.eye(14, 16)}, names, (1, 4, 4))
    (axes,) = figure.axes
    named = {text.get_text(): text.get_position() for text in axes.texts}
    assert list(named) == names
    for image, name in zip(axes.images, 2 * names, strict=True):
        left, right, bottom, _ = image.get_extent()
        x, y = named[name]
        assert (left + right) / 2 == pytest.approx(x)
        assert y < bottom < y + 2.1
    assert max(x for x, _ in named.values()) == 9
    assert labels(axes.yaxis) == ["a", "b", "a", "b"]


def test_images_are_drawn_in_rows_below_their_titles():
    images = [np.full(12, value, np.uint8) for value in range(12)]
    figure = image_figure(images, [str(i) for i in range(12)], (3, 2, 2))
    assert [picture.max() * 255 for picture in pictures(figure)] == pytest.approx(range(12))
    for i, text in enumerate(figure.axes[0].texts):
        assert text.get_text() == str(i)
        assert text.get_position()[0] == i % 10
    first, last = (figure.axes[0].texts[i].get_position()[1] for i in (0, 10))
    assert first < 0 < last


def test_grey_images_are_drawn_grey():
    (image,) = image_figure([np.arange(4, dtype=np.uint8)], ["7"], (1, 2, 2)).axes[0].get_images()
    assert image.get_array().shape == (2, 2)
    assert image.get_cmap().name == "gray"


def test_histograms_of_runs_share_bins_and_axes_and_tell_counts_and_medians():
    probability, correct = np.array([0.9, 0.8, 0.1, 0.3, 0.2]), np.array([True, True, False, False, False])
    figure = histogram_figure({"a": (probability, correct), "b": (probability[:2], correct[:2])})
    first, second = figure.axes
    assert texts(figure) == [
        *("correct: 2, median 0.850", "wrong: 3, median 0.200", "a"),
        *("correct: 2, median 0.850", "wrong: 0", "b"),
    ]
    assert first.get_ylim() == second.get_ylim()
    assert first.get_xlim() == second.get_xlim() == (0, 1)
    for patch in first.patches:
        np.testing.assert_array_equal(patch.get_data().edges, BINS)


def test_confusion_figure_tells_counts_precision_and_recall():
    """Three of four frogs found; two of the five called frog are none; nothing is called ship."""
    figure = confusion_figure(np.array([[3, 1, 0], [0, 4, 0], [2, 0, 0]]), NAMES)
    said = texts(figure)
    assert [said[i] for i in range(9)] == ["3", "1", "0", "0", "4", "0", "2", "0", "0"]
    assert said[9:15] == ["75 %", "60 %", "100 %", "80 %", "0 %", "-"]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == list(NAMES)


def test_the_words_beside_a_confusion_matrix_of_short_names_are_whole():
    """Names of a digit leave less room than "precision" needs."""
    figure = confusion_figure(np.eye(10, dtype=int), list("0123456789"))
    painted(figure)
    for text in figure.axes[0].texts[-2:]:
        box = text.get_window_extent()
        assert (box.x0 >= 0, box.y0 >= 0, box.x1 <= figure.bbox.x1, box.y1 <= figure.bbox.y1) == (True,) * 4


def test_curves_of_several_seeds_have_a_band():
    """From the lowest to the highest of each point; a run alone has none."""
    seeds = [
        row | {f"{key}_{end}": value + by for key, value in row.items() for end, by in (("low", -1), ("high", 2))}
        for row in ROWS
    ]
    with_band, without = (overlaid_figure({"": {"a": rows}}, "cost") for rows in (seeds, ROWS))
    (band,) = with_band.axes[0].collections
    costs = [row["train_cost"] for row in ROWS]
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((min(costs) - 1, max(costs) + 2))
    assert not without.axes[0].collections


def test_confusion_of_many_classes_has_colours_in_place_of_counts():
    """With a scale beside them, and names and percentages as for few classes."""
    figure = confusion_figure(np.eye(30, dtype=int) * np.arange(30)[:, None], [f"class {k}" for k in range(30)])
    (axes,) = figure.axes
    (scale,) = axes.child_axes
    assert scale.get_ylabel() == "images"
    assert len(axes.texts) == 2 * 30 + 2
    assert labels(axes.xaxis) == labels(axes.yaxis) == [f"class {k}" for k in range(30)]
    assert figure.get_figheight() < 8


@pytest.mark.parametrize("form", ["png", "pdf", "svg"])
def test_the_same_figure_gives_the_same_bytes(form):
    assert rendered(cost_figure(ROWS, 0.1), form) == rendered(cost_figure(ROWS, 0.1), form)


def test_drawing_leaves_matplotlibs_settings_alone():
    before = dict(rcParams)
    rendered(cost_figure(ROWS, 0.1))
    assert dict(rcParams) == before


WITHIN = [{**row, "epoch": epoch, "step": step} for row, epoch, step in zip(ROWS, (0, 1, 1), (0, 1, 4), strict=False)]


def test_evaluations_within_an_epoch_and_single_steps_ask_for_steps_below():
    assert axis_of([ROWS]) == "epoch"
    assert axis_of([ROWS, WITHIN]) == "step"
    assert axis_of([ROWS], [0.5]) == "step"
    line = accuracy_figure(WITHIN).axes[0].get_lines()[1]
    assert line.get_xdata().tolist() == [0, 1, 4]


def test_losses_of_batches_are_shown_as_means_of_blocks_with_their_spread():
    """Of 250 losses at most 100 blocks: three in each, the last smaller; the band is a standard deviation wide."""
    losses = np.random.default_rng(0).random(250)
    axes = cost_figure(ROWS, 0, losses.tolist()).axes[0]
    blocks = axes.get_lines()[0]
    assert blocks.get_label() == "training loss, mean of 3 batches"
    assert blocks.get_xdata().tolist() == [*range(3, 250, 3), 250]
    np.testing.assert_allclose(blocks.get_ydata()[:-1], losses[:249].reshape(83, 3).mean(axis=1))
    (band,) = axes.collections
    edges = band.get_paths()[0].vertices
    upper = edges[np.isclose(edges[:, 0], 3), 1].max()
    assert upper == pytest.approx(losses[:3].mean() + losses[:3].std())


def test_ends_of_an_axis_can_be_set():
    assert cost_figure(ROWS, 0.1, ylim=(0, 9)).axes[0].get_ylim() == (0, 9)
    assert accuracy_figure(ROWS, (0.2, 0.6)).axes[0].get_ylim() == (0.2, 0.6)
    assert overlaid_figure({"": {"a": ROWS}}, "cost", (1, 2)).axes[1].get_ylim() == (1, 2)


def test_norms_are_drawn_over_lambda_with_a_place_for_zero():
    axes = norm_figure({"": {0.1: 4.0, 0: 9.0, 1: 2.0}}).axes[0]
    (line,) = axes.get_lines()
    assert line.get_xdata().tolist() == [0, 0.1, 1]
    assert line.get_ydata().tolist() == [9, 4, 2]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "0.1", "1"]


def test_one_score_for_two_classes_is_one_template():
    figure = template_figure({"a": np.arange(16.0)[None]}, ("2 against 3",), (1, 4, 4))
    assert [text.get_text() for text in figure.axes[0].texts] == ["2 against 3"]


ODD = ("$x^$", r"\$5", "_hidden", "a$b$c")
"""Names that Matplotlib takes for mathematics, or leaves out of a legend, unless told otherwise."""


def shown(figure):
    """Every text of a figure, as it is drawn."""
    rendered(figure)
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and not text.get_parse_math()]


def odd_figures():
    """All figures that hold text from data, each with the texts that it must show."""
    runs = dict.fromkeys(ODD, ROWS)
    names = ODD[:3]
    probability = np.array([0.9, 0.1]), np.array([True, False])
    images = [np.zeros(12, np.uint8)] * len(ODD)
    grid = {name: np.arange(16.0).reshape(4, 4) for name in ODD}
    yield overlaid_figure({"": runs}, "cost"), ODD
    yield norm_figure({name: {0: 1.0, 0.1: 0.5} for name in ODD}), ODD
    yield template_figure({name: np.eye(3, 12) for name in ODD}, names, (3, 2, 2)), ODD
    yield image_figure(images, ODD, (3, 2, 2)), ODD
    yield histogram_figure(dict.fromkeys(ODD, probability)), ODD
    yield confusion_figure(np.eye(3, dtype=int), names), names
    yield heat_figure(grid, (ODD[0], ODD[1]), (ODD, ODD), ODD[3]), ODD


@pytest.mark.parametrize("number", range(7))
def test_text_from_data_is_drawn_as_it_is(number):
    figure, expected = [*odd_figures()][number]
    assert set(expected) <= set(shown(figure))


def test_a_logarithmic_axis_has_plain_numbers():
    many, few = (np.linspace(0, 1, size) for size in (4000, 20))
    figure = histogram_figure({"a": (many, many > 0.5), "b": (few, few > 0.5)})
    assert figure.axes[0].get_yscale() == "log"
    texts = shown(figure)
    assert {"1", "10", "100"} <= set(texts)
    assert not [text for text in texts if "$" in text]


def test_long_names_take_no_room_from_the_axes():
    """They stand below, broken into lines; warnings of Matplotlib's layout are errors here."""
    names = [", ".join(f"setting-{i}.{j} value" for j in range(20)) for i in range(3)]
    figure = norm_figure({name: {0: 9.0, 0.1: 4.0, 1: 2.0} for name in names})
    rendered(figure)
    plot, legend = figure.axes[0].get_window_extent(), figure.legends[0].get_window_extent()
    assert not plot.overlaps(legend)
    assert plot.width > 0.7 * figure.bbox.width
    assert legend.x0 >= 0
    assert legend.x1 <= figure.bbox.x1


def test_the_axis_of_lambda_says_that_it_is_logarithmic():
    def label(*lambdas):
        return norm_figure({"": dict.fromkeys(lambdas, 1.0)}).axes[0].get_xlabel()

    assert label(0, 0.1, 1) == "lambda (logarithmic above 0.1, linear below)"
    assert label(0.1, 1) == "lambda (logarithmic)"


def test_an_axis_of_accuracy_has_percentages_as_text_has_them():
    figure = accuracy_figure(ROWS)
    assert "20 %" in shown(figure)


def test_long_names_of_classes_are_cut():
    """Otherwise nothing of the figure but the names would be left; Matplotlib warns of that, which is an error here."""
    names = [f"class {i} " + 400 * "x" for i in range(3)]
    for figure in (
        confusion_figure(np.eye(3, dtype=int), names),
        template_figure({"run": np.eye(3, 12)}, names, (3, 2, 2)),
        template_figure({"run": np.eye(1, 12)}, [" against ".join(names[:2])], (3, 2, 2)),
    ):
        assert max(map(len, shown(figure))) < 50


def test_penalty_has_a_curve_where_it_is_asked_for():
    axes = cost_figure(ROWS, lam=0.1, penalty=True).axes[0]
    assert lines(axes)["penalty = cost - loss"] == pytest.approx([0.5 - 0.1 * epoch for epoch in range(5)])
    assert "penalty = cost - loss" not in lines(cost_figure(ROWS, lam=0, penalty=True).axes[0])


def test_class_figure_has_a_point_with_its_interval_for_each_number():
    """Wilson's interval is not symmetric, and a class that is never predicted has no precision."""
    metrics = class_metrics(np.array([[5, 1, 0], [2, 6, 0], [1, 3, 0]]))
    axes = class_figure(metrics, NAMES).axes[0]
    assert labels(axes.yaxis) == [*NAMES]
    assert axes.yaxis_inverted()
    for bars, part in zip(axes.containers, metrics, strict=True):
        points, _, (reach,) = bars.lines
        np.testing.assert_array_equal(points.get_xdata(), part.value)
        ends = [segment[:, 0] for segment in reach.get_segments() if len(segment)]
        known = ~np.isnan(part.value)
        np.testing.assert_allclose(ends, np.stack([part.low, part.high], axis=1)[known])
    assert np.isnan(axes.containers[0].lines[0].get_xdata()[2])


def test_filters_are_upright_in_their_own_colours_with_zero_grey():
    """A weight at the top left of the red plane is a red pixel there; each filter has a scale of its own."""
    W = np.zeros((3, 3, 4, 4))
    W[0, 0, 0, 0], W[0, 2, 3, 1] = 2, -1
    W[1, 1, 2, 3] = -0.01
    figure = filter_figure({"before training": W, "after training": -W}, np.array([False, False, True]))
    before, after = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["before training", "after training"]
    first, second, third = (np.asarray(image.get_array()) for image in before.get_images())
    assert first[0, 0].tolist() == [1, 0.5, 0.5]
    assert first[3, 1].tolist() == [0.5, 0.5, 0.25]
    assert first[1, 1].tolist() == [0.5, 0.5, 0.5]
    assert second[2, 3].tolist() == [0.5, 0, 0.5]
    assert (third == 0.5).all()
    assert np.asarray(after.get_images()[0].get_array())[0, 0].tolist() == [0, 0.5, 0.5]


def test_dead_filters_are_framed_and_called_dead():
    figure = filter_figure({"after training": np.ones((18, 1, 3, 3))}, np.arange(18) == 17)
    assert texts(figure) == [*map(str, range(1, 18)), "18 dead"]
    (frame,) = figure.axes[0].patches
    image = figure.axes[0].get_images()[17].get_extent()
    assert frame.get_x() <= image[0] < image[1] <= frame.get_x() + frame.get_width()


def test_patches_stand_beside_their_filters():
    patches = np.zeros((3, 2, 3, 2, 2), np.uint8)
    patches[2, 1, 0, 0, 1] = 255
    figure = patch_figure(np.ones((3, 3, 2, 2)), patches, np.array([False, True, False]))
    assert texts(figure) == ["1", "2", "3"]
    shown = [np.asarray(image.get_array()) for image in figure.axes[0].get_images()]
    assert len(shown) == 9
    assert shown[8][0, 1].tolist() == [1, 0, 0]
    assert [text.get_color() for text in figure.axes[0].texts] == ["black", COLOURS[1], "black"]


def test_maps_are_rows_of_images_and_columns_of_channels():
    maps = np.zeros((2, 3, 4, 5))
    maps[0, 1, 0, 0], maps[1, 1, 3, 4] = -2, 1
    images = np.zeros((2, 12), np.uint8)
    figure = map_figure(images, ["frog", "truck as ship"], (3, 2, 2), maps, np.array([True, False, True]))
    (axes,) = figure.axes
    sheet, *pictures = axes.get_images()
    tiles = np.asarray(sheet.get_array())
    assert tiles.shape == (2 * 4, 3 * 5)
    assert (tiles[0, 5], tiles[7, 9]) == (-1, 0.5)
    assert np.count_nonzero(tiles) == 2
    assert sheet.get_clim() == (-1, 1)
    assert len(pictures) == 2
    assert labels(axes.xaxis) == ["dead", "2", "dead"]
    assert labels(axes.yaxis) == ["frog", "truck as ship"]
    assert [label.get_color() for label in axes.get_xticklabels()] == [COLOURS[1], "black", COLOURS[1]]


def test_saliency_and_occlusion_lie_where_they_are_in_the_image():
    saliency, falls = np.zeros((1, 8, 8)), np.zeros((1, 3, 3))
    saliency[0, 2, 3], falls[0, 0, 2] = 5, -1
    figure = saliency_figure(np.zeros((1, 64), np.uint8), ["seven"], (1, 8, 8), saliency, falls, [float("nan")])
    (axes,) = figure.axes
    image, gradient, covered = axes.get_images()
    assert gradient.get_clim() == (0, 5)
    assert (covered.norm.vmin, covered.norm.vmax) == (-1, 1)
    # The squares begin 0, 2 and 4 pixels from the edge, so that their middles are at 2, 4 and 6 of 8.
    left, right, bottom, top = covered.get_extent()
    middles = left + (np.arange(3) + 0.5) * (right - left) / 3
    of_pixels = gradient.get_extent()
    np.testing.assert_allclose(middles, of_pixels[0] + np.array([2, 4, 6]) / 8 * (of_pixels[1] - of_pixels[0]))
    assert bottom > top
    assert image.get_extent()[:2] == pytest.approx(of_pixels[:2])
    assert texts(figure) == ["-"]


def test_figures_without_any_signal_are_drawn():
    """A network whose filters all are dead: nothing is divided by zero."""
    dead = np.ones(1, bool)
    zeros = np.zeros((1, 1, 8, 8))
    image = np.zeros((1, 64), np.uint8)
    for figure in (
        filter_figure({"after training": zeros}, dead),
        map_figure(image, ["a"], (1, 8, 8), zeros, dead),
        saliency_figure(image, ["a"], (1, 8, 8), zeros[0], np.zeros((1, 3, 3)), [float("nan")]),
    ):
        assert rendered(figure).startswith(b"\x89PNG")


def test_a_sheet_of_images_is_split_into_photographs_and_ink():
    """Together they are the figure; no ink is where an image is, and nothing of an image elsewhere."""
    figure = image_figure([np.full(12, value, np.uint8) for value in (0, 120)], ["dark", "light"], (3, 2, 2))
    png, *layers = split_layers(figure)
    assert png == rendered(figure)
    whole, photographs, ink = (imread(io.BytesIO(layer)) for layer in (png, *layers))
    shown = photographs[..., 3] > 0
    assert 0.3 < shown.mean() < 0.9
    np.testing.assert_array_equal(photographs[shown][:, :3], whole[shown][:, :3])
    assert (ink[shown] == 1).all()
    np.testing.assert_array_equal(ink[~shown][:, :3], whole[~shown][:, :3])


def test_multiples_have_no_holes():
    """Eight histograms are two rows of four; five are below each other."""
    probability = np.array([0.9, 0.1]), np.array([True, False])
    shapes = {}
    for runs in (4, 5, 6, 8):
        figure = histogram_figure({f"run {i}": probability for i in range(runs)})
        shapes[runs] = figure.axes[0].get_subplotspec().get_gridspec().get_geometry()
        assert len(figure.axes) == runs
    assert shapes == {4: (1, 4), 5: (5, 1), 6: (2, 3), 8: (2, 4)}


def test_confusion_figure_has_a_colour_bar():
    bar = confusion_figure(np.array([[3, 1, 0], [0, 4, 0], [2, 0, 0]]), NAMES).axes[0].child_axes[0]
    assert bar.get_ylabel() == "images"
    assert bar.get_ylim() == (0, 4)


def test_settings_are_lines_through_their_values_and_the_best_is_thick_and_on_top():
    lines = [(("0", "a"), 30.0), (("1", "b"), 50.0), (("0.1", "a"), 40.0)]
    figure = parallel_figure(lines, {"lambda": ["0", "0.1", "1"], "loss": ["a", "b"]}, "accuracy")
    (drawn,) = figure.axes[0].collections
    assert [segment.tolist() for segment in drawn.get_segments()] == [
        [[0, 0], [1, 0], [2, 0]],
        [[0, 0.5], [1, 0], [2, 0.5]],
        [[0, 1], [1, 1], [2, 1]],
    ]
    assert np.argmax(drawn.get_linewidths()) == 2
    assert texts(figure) == ["0", "0.1", "1", "a", "b", "30.00", "50.00"]
