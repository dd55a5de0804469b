"""Golden values for `data_pipeline::text::Terms`, `train::TruncatedSvd` and `train::Logistic` on
sparse rows: scikit-learn's `TfidfVectorizer`, `TruncatedSVD` and `LogisticRegression`.

    python xtask/peers/golden_terms.py crates/data-pipeline/tests/golden crates/train/tests/golden
"""

import json
import sys
from pathlib import Path

import numpy as np
import sklearn
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

assert sklearn.__version__ == "1.9.1", sklearn.__version__

texts = [
    "It was a film; a good film, and a long film.",
    "It was a BAD film.<br />It was long, too long!",
    "Ça va? L'été_1 was good -- naïve, but good.",
    "a I !",
    "long film 2001 was good",
    "ΣΟΦΟΣ ὀδυσσεύς: ein großes Buch, good film",
]
shown = ["a good long film", "nothing of this", "", "good GOOD good film film was"]
cases = []
for words, least in [(1, 1), (2, 1), (2, 2), (3, 1)]:
    made = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, words), min_df=least).fit(texts)
    rows = made.transform(shown).tocsr()
    rows.sort_indices()
    each = [
        [[int(c), float(v)] for c, v in zip(row.indices, row.data)]
        for row in (rows[i] for i in range(len(shown)))
    ]
    names = made.get_feature_names_out().tolist()
    cases.append({"words": words, "texts": least, "names": names, "rows": each})
whole = {"texts": texts, "shown": shown, "cases": cases}
golden = json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
Path(sys.argv[1], "terms.json").write_text(golden, encoding="utf-8")

rng = np.random.default_rng(1)
dense = np.where(rng.random((30, 40)) < 0.2, rng.normal(size=(30, 40)), 0).round(3)
# Singular values that are well apart, so that vectors are determined.
dense[:, 0] *= 8
dense[:, 1] *= 5
dense[:, 2] *= 3
dense = dense.astype(np.float32).astype(np.float64)
svd = TruncatedSVD(3, algorithm="arpack").fit(dense)
score = dense @ rng.normal(size=40) + rng.normal(size=30)
y = np.digitize(score, np.quantile(score, [0.4, 0.7]))
fitted = LogisticRegression(C=2.0, tol=1e-10, max_iter=100_000).fit(dense, y)
whole = {
    "x": dense.tolist(),
    "y": y.tolist(),
    "values": svd.singular_values_.tolist(),
    "projected": svd.transform(dense).tolist(),
    "c": 2.0,
    "weight": fitted.coef_.tolist(),
    "bias": fitted.intercept_.tolist(),
}
Path(sys.argv[2], "sparse.json").write_text(json.dumps(whole) + "\n")
