"""Golden values of `eval-ssa`: agreement, lines, intervals and percentiles.

    python xtask/peers/golden_ssa.py

Needs krippendorff 0.9.0, statsmodels 0.15.0, scikit-learn 1.9.1, scipy 1.17.1 and numpy 2.4.6.

Writes `statistics.json`. Tables of votes are lists of strings, one for each item, with a digit for
each rater's vote and `-` where there is none. A value that the reference calls undefined is null.
"""

import itertools
import json
import math
import pathlib
import warnings

import krippendorff
import numpy as np
import statsmodels.api as sm
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa
from statsmodels.stats.proportion import proportion_confint

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/eval-ssa/tests/golden"
rng = np.random.default_rng(20200127)


def number(value):
    return float(value) if value is not None and math.isfinite(value) else None


def shown(table):
    return ["".join("-" if np.isnan(v) else str(int(v)) for v in row) for row in table]


def vote_table(items, raters, categories, missing):
    """Votes that lean towards each item's own category."""
    own = rng.integers(0, categories, items)[:, None]
    table = np.where(rng.random((items, raters)) < rng.uniform(0, 0.8), own, rng.integers(0, categories, (items, raters)))
    return np.where(rng.random((items, raters)) < missing, np.nan, table.astype(float))


def pairwise(table):
    equal = total = 0
    for row in table:
        for a, b in itertools.combinations(row[~np.isnan(row)], 2):
            equal, total = equal + (a == b), total + 1
    return equal / total if total else None


def alpha(table):
    try:
        return krippendorff.alpha(reliability_data=table.T, level_of_measurement="nominal")
    except ValueError:
        return None


def agreement():
    cases = []
    for i in range(60):
        items, raters, categories = rng.integers(2, 13), rng.integers(2, 7), rng.integers(2, 4)
        table = vote_table(items, raters, categories, [0, 0.2, 0.5][i % 3])
        if i >= 54:
            table = np.where(np.isnan(table), table, 1.0)
        case = {"votes": shown(table), "pairwise": number(pairwise(table)), "alpha": number(alpha(table))}
        if not np.isnan(table).any():
            counts = np.stack([(table == c).sum(1) for c in range(categories)], 1)
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                case["fleiss"] = number(fleiss_kappa(counts))
        both = table[~np.isnan(table[:, 0]) & ~np.isnan(table[:, 1])]
        if len(both):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                case["cohen"] = number(cohen_kappa_score(both[:, 0], both[:, 1]))
        cases.append(case)
    return cases


def lines():
    cases = []
    for n in [3, 4, 5, 8, 20, 50]:
        x = rng.uniform(10, 18, n)
        y = 1.4 - 0.06 * x + rng.normal(0, 0.05, n)
        fit = stats.linregress(x, y)
        low, high = sm.OLS(y, sm.add_constant(x)).fit().conf_int()[1]
        cases.append({
            "x": x.tolist(), "y": y.tolist(), "slope": fit.slope, "intercept": fit.intercept,
            "r_squared": sm.OLS(y, sm.add_constant(x)).fit().rsquared, "slope_error": fit.stderr,
            "p_value": fit.pvalue, "slope_interval": [low, high],
        })
    return cases


def conversations(n, low=3, high=15):
    """Values of the responses of conversations: 0, 0.5 or 1."""
    chance = rng.beta(4, 2, n)
    return [rng.binomial(2, p, rng.integers(low, high)) / 2 for p in chance]


def units(values):
    return [[float(v.sum()), len(v)] for v in values]


def clustered():
    """Cluster-robust standard error of a mean, and the exact bootstrap of few conversations."""
    cases = []
    for n in [4, 5, 6, 7]:
        values = conversations(n)
        y, groups = np.concatenate(values), np.repeat(np.arange(n), [len(v) for v in values])
        fit = sm.OLS(y, np.ones(len(y))).fit(cov_type="cluster", cov_kwds={"groups": groups})
        sums, counts = np.array(units(values)).T
        drawn = np.array(list(itertools.product(range(n), repeat=n)))
        means = sums[drawn].sum(1) / counts[drawn].sum(1)
        cases.append({
            "units": units(values), "mean": float(y.mean()), "error": float(fit.bse[0]),
            "bootstrap_error": float(means.std()), "percentile": np.percentile(means, [2.5, 97.5]).tolist(),
        })
    return cases


def differences():
    """Intervals by Student's t of one response a unit: paired, and Welch's."""
    cases = []
    for n, m in [(5, 5), (12, 12), (40, 40), (6, 17)]:
        a, b = rng.binomial(2, 0.7, n) / 2, rng.binomial(2, 0.5, m) / 2
        case = {"first": a.tolist(), "second": b.tolist()}
        welch = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
        case["welch"] = [float(welch.low), float(welch.high)]
        if n == m:
            paired = stats.ttest_rel(a, b).confidence_interval()
            case["paired"] = [float(paired.low), float(paired.high)]
        cases.append(case)
    return cases


def percentiles():
    values = np.sort(rng.normal(0, 1, 23))
    at = [0, 0.025, 0.3, 0.5, 0.975, 1]
    return {"values": values.tolist(), "at": at, "expected": np.quantile(values, at).tolist()}


def wilson():
    rows = [(0, 7), (3, 7), (7, 7), (41, 50), (997, 1000)]
    return [[k, n, *map(float, proportion_confint(k, n, method="wilson"))] for k, n in rows]


def entropies():
    """Entropy of 4-grams in nats, for texts of letters that are tokens."""
    texts = ["".join(rng.choice(list("abc"), rng.integers(1, 14))) for _ in range(12)]
    grams = [tuple(t[i:i + 4]) for t in texts for i in range(len(t) - 3)]
    counts = np.unique(np.array(["".join(g) for g in grams]), return_counts=True)[1]
    return {"texts": [" ".join(t) for t in texts], "entropy_4": float(stats.entropy(counts)), "distinct_4": len(counts) / len(grams)}


def main():
    OUT.mkdir(exist_ok=True)
    golden = {
        "agreement": agreement(), "lines": lines(), "clustered": clustered(), "differences": differences(),
        "percentiles": percentiles(), "wilson": wilson(), "entropies": entropies(),
    }
    rows = ",\n".join(
        f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(v) for v in value) + "\n]" if isinstance(value, list)
        else f"{json.dumps(name)}: {json.dumps(value)}" for name, value in golden.items()
    )
    (OUT / "statistics.json").write_text("{\n" + rows + "\n}\n")


if __name__ == "__main__":
    main()
