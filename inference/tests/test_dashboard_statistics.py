"""The dashboard's statistics against published examples and against SciPy, NumPy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import recall_score

from inference.dashboard.comparison import Cell, Comparison, Source
from inference.dashboard.statistics import TOO_FEW, Fourfold, Share, chi_squared_95, nearest_rank, shift


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_of_a_share_is_the_published_one(hits, total, low, high):
    """R. G. Newcombe, Statistics in Medicine 17:857, 1998, table I, method 3."""
    found = Share(hits, total).interval

    assert found == pytest.approx((low, high), abs=5e-5)
    scipys = stats.binomtest(hits, total).proportion_ci(method="wilson")
    assert found == pytest.approx((scipys.low, scipys.high))


def test_sensitivity_and_specificity_of_a_published_fourfold_table():
    """Liver scans in D. G. Altman and J. M. Bland, BMJ 308:1552, 1994: 0.90 and 0.63."""
    scans = Fourfold(hits=231, misses=27, false_alarms=32, rejections=54)

    assert (scans.sensitivity, scans.specificity) == (Share(231, 258), Share(54, 86))
    assert (round(scans.sensitivity.value, 2), round(scans.specificity.value, 2)) == (0.90, 0.63)
    assert scans.total == 344


@pytest.mark.parametrize("percent", [50, 90, 95])
@pytest.mark.parametrize("total", [1, 2, 19, 20, 21, 100, 101])
def test_percentiles_by_rank_are_numpys(percent, total):
    values = np.sort(np.random.default_rng(total).normal(size=total))

    assert values[nearest_rank(percent, total) - 1] == np.percentile(values, percent, method="inverted_cdf")


def test_the_stability_index_is_the_sum_of_both_relative_entropies():
    reference, sample = [300, 400, 200, 100], [150, 230, 190, 130]
    e, a = (np.array(counts) + 0.5 for counts in (reference, sample))

    assert shift(reference, sample).index == pytest.approx(stats.entropy(e, a) + stats.entropy(a, e))


@pytest.mark.parametrize("degrees", [1, 2, 5, 7, 15])
def test_the_limit_of_chance_is_that_of_chi_squared(degrees):
    assert chi_squared_95(degrees) == pytest.approx(stats.chi2.ppf(0.95, degrees), rel=0.03)
    assert chi_squared_95(0) == 0


def test_equal_distributions_pass_the_limit_of_chance_about_once_in_twenty():
    draw = np.random.default_rng(3)
    shares = [0.05, 0.1, 0.15, 0.2, 0.3, 0.2]
    found = [shift(draw.multinomial(1000, shares), draw.multinomial(300, shares)) for _ in range(400)]

    assert 0.02 < np.mean([one.index > one.chance for one in found]) < 0.08


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        ([50, 50, 0], "no more than chance"),
        ([5200, 4800, 0], "slight"),
        ([6600, 3400, 0], "some: look closer"),
        ([9000, 1000, 0], "marked: find out why"),
        ([10, 9, 0], "too few"),
    ],
)
def test_a_shift_is_told_in_words(sample, words):
    assert shift([50_000, 50_000, 0], sample).words == words


def test_a_share_of_few_says_so():
    assert Share(5, TOO_FEW - 1).is_too_few
    assert not Share(5, TOO_FEW).is_too_few


def cell(ai: str, truth: str, count: int, *, sex="F", read="covid") -> Cell:
    return Cell(pipeline="p 1", age="18 to 39", sex=sex, view="PA", ai=ai, read=read, truth=truth, count=count)


def test_cells_add_up_to_a_matrix_and_to_what_scikit_learn_finds():
    cells = [
        cell("covid", "positive", 30),
        cell("normal", "positive", 6, sex="M"),
        cell("pneumonia", "positive", 4),
        cell("covid", "negative", 5, sex="M"),
        cell("normal", "negative", 55),
    ]
    comparison = Comparison(cells, Source.AI, Source.TRUTH)
    truth = np.repeat([c.truth == "positive" for c in cells], [c.count for c in cells])
    called = np.repeat([c.ai == "covid" for c in cells], [c.count for c in cells])

    covid = comparison.everything.covid

    assert covid.sensitivity.value == pytest.approx(recall_score(truth, called))
    assert covid.specificity.value == pytest.approx(recall_score(truth, called, pos_label=False))
    assert comparison.matrix["positive", "pneumonia"] == 4
    assert [(group.label, group.covid.total) for group in comparison.by("sex")] == [("F", 89), ("M", 11)]


def test_what_says_nothing_is_counted_beside_the_figures():
    comparison = Comparison(
        [
            cell("covid", "positive", 1),
            *(cell(silent, "positive", 1) for silent in ("indeterminate", "refused", "failed", "unfinished")),
            cell("covid", "", 7),
        ],
        Source.AI,
        Source.TRUTH,
    )

    everything = comparison.everything

    assert (everything.covid.total, everything.silent, everything.referenced) == (1, 4, 5)
    assert comparison.without_reference == 7


def test_a_read_that_is_not_diagnostic_is_no_reference_and_other_is_not_covid():
    cells = [cell("covid", "", 2, read="not_diagnostic"), cell("covid", "", 3, read="other")]
    comparison = Comparison(cells, Source.AI, Source.READ)

    assert comparison.without_reference == 2
    assert comparison.everything.covid == Fourfold(false_alarms=3)
