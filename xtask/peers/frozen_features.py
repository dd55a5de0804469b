"""What a practitioner gets without Tutor: frozen features of a published EfficientNet-Lite0 at 224
pixels and scikit-learn's logistic regression, on folders with a sub-folder for each class.

    python xtask/peers/frozen_features.py WEIGHTS.safetensors LABELED TEST [C]

`tutor weights fetch efficientnet-lite0` makes the file of weights. C is 0.01 unless it is named.
"""

import sys
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression

weights, labeled, test = sys.argv[1:4]
penalty = float(sys.argv[4]) if len(sys.argv) > 4 else 0.01
net = timm.create_model("tf_efficientnet_lite0", num_classes=0)
state = {k: v for k, v in load_file(weights).items() if not k.startswith("classifier")}
net.load_state_dict(state, strict=False)
net.eval()


def features(folder):
    rows, labels, batch = [], [], []

    def flush():
        if batch:
            pixels = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float()
            with torch.no_grad():
                rows.append(net((pixels - 127) / 128).numpy())
            batch.clear()

    for path in sorted(Path(folder).glob("*/*")):
        image = Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
        batch.append(np.array(image))
        labels.append(path.parent.name)
        if len(batch) == 32:
            flush()
    flush()
    return np.concatenate(rows), np.array(labels)


x, y = features(labeled)
head = LogisticRegression(C=penalty, max_iter=5000).fit(x, y)
x, y = features(test)
guess = head.predict(x)
recalls = [np.mean(guess[y == c] == c) for c in np.unique(y)]
print(f"{len(y)} images: accuracy {100 * np.mean(guess == y):.2f} %, "
      f"balanced {100 * np.mean(recalls):.2f} %")
