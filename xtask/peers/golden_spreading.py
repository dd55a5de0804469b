"""Golden values for `ssl_core::spreading`: labels spread over nearest neighbours, by dense matrices
in float64 (Zhou et al. 2004 on the graph of Iscen et al. 2019, section 3.2).

    python xtask/peers/golden_spreading.py crates/ssl-core/tests/golden
"""

import json
import sys
from pathlib import Path

import numpy as np

assert np.__version__ == "2.4.6", np.__version__

rng = np.random.default_rng(5)
n, width, classes = 60, 6, 3
centres = rng.normal(size=(classes, width))
truth = rng.integers(classes, size=n)
x = (centres[truth] + 0.7 * rng.normal(size=(n, width))).round(4)
labels = [int(truth[i]) if i % 9 == 0 else None for i in range(n)]
# One that is like hardly any other.
x[7] = -10 * x.mean(0).round(4)

unit = x / np.linalg.norm(x, axis=1, keepdims=True)
cosines = unit @ unit.T
given = np.zeros((n, classes))
for i, label in enumerate(labels):
    if label is not None:
        given[i, label] = 1

cases = []
for neighbours, alpha in [(1, 0.5), (5, 0.9), (12, 0.99), (200, 0.3)]:
    affinity = np.zeros((n, n))
    for i in range(n):
        others = [j for j in range(n) if j != i]
        for j in sorted(others, key=lambda j: -cosines[i, j])[:neighbours]:
            affinity[i, j] = max(cosines[i, j], 0) ** 3
    whole = affinity + affinity.T
    degree = whole.sum(1)
    scale = np.where(degree > 0, 1 / np.sqrt(np.where(degree > 0, degree, 1)), 0)
    spread = scale[:, None] * whole * scale[None, :]
    z = np.linalg.solve(np.eye(n) - alpha * spread, given)
    cases.append({"neighbours": neighbours, "alpha": alpha, "z": z.tolist()})
whole = {"x": x.tolist(), "labels": labels, "classes": classes, "cases": cases}
Path(sys.argv[1], "spreading.json").write_text(json.dumps(whole) + "\n")
