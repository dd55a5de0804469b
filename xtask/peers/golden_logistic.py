"""Golden coefficients for `train::Logistic`: scikit-learn's multinomial logistic regression.

    python xtask/peers/golden_logistic.py crates/train/tests/golden
"""

import json
import sys
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

assert sklearn.__version__ == "1.9.1", sklearn.__version__

rng = np.random.default_rng(0)
# In float64: with float32 scikit-learn stops 0.002 short of the minimum.
x = rng.normal(size=(24, 5)).round(3).astype(np.float32).astype(np.float64)
y = (x[:, 0] + 0.5 * rng.normal(size=24) > 0).astype(int) + (x[:, 1] > 0.8)
cases = []
for c in [0.01, 1.0, 100.0]:
    fitted = LogisticRegression(C=c, tol=1e-10, max_iter=100_000).fit(x, y)
    cases.append({"c": c, "weight": fitted.coef_.tolist(), "bias": fitted.intercept_.tolist()})
whole = {"x": x.tolist(), "y": y.tolist(), "cases": cases}
Path(sys.argv[1], "logistic.json").write_text(json.dumps(whole, indent=1) + "\n")
