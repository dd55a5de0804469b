"""A baseline without Tutor: scikit-learn's logistic regression on frozen features of a published
EfficientNet-Lite0 at 224 pixels, for folders with a sub-folder for each class.

    python xtask/peers/frozen_features.py WEIGHTS LABELED TEST [LABELED TEST ...] [--c C]

`tutor weights fetch efficientnet-lite0` makes WEIGHTS, a safetensors file. C is 0.01 unless it is
named. The features of a picture that is in several splits are computed once.
"""

import argparse
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression

parser = argparse.ArgumentParser()
parser.add_argument("weights")
parser.add_argument("folders", nargs="+")
parser.add_argument("--c", type=float, default=0.01)
arguments = parser.parse_args()
if len(arguments.folders) % 2:
    parser.error("each LABELED needs its TEST")

net = timm.create_model("tf_efficientnet_lite0", num_classes=0)
state = {k: v for k, v in load_file(arguments.weights).items() if not k.startswith("classifier")}
net.load_state_dict(state, strict=False)
net.eval()
known = {}


def features(folder):
    paths = sorted(Path(folder).glob("*/*"))
    new = [path.resolve() for path in paths if path.resolve() not in known]
    for i in range(0, len(new), 32):
        images = [Image.open(path).convert("RGB") for path in new[i : i + 32]]
        images = [np.array(image.resize((224, 224), Image.Resampling.BICUBIC)) for image in images]
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
        with torch.no_grad():
            known.update(zip(new[i : i + 32], net((pixels - 127) / 128).numpy()))
    rows = np.stack([known[path.resolve()] for path in paths])
    return rows, np.array([path.parent.name for path in paths])


for labeled, test in zip(arguments.folders[::2], arguments.folders[1::2]):
    head = LogisticRegression(C=arguments.c, max_iter=5000).fit(*features(labeled))
    x, y = features(test)
    guess = head.predict(x)
    recalls = [np.mean(guess[y == c] == c) for c in np.unique(y)]
    print(f"{test}: {len(y)} images: accuracy {100 * np.mean(guess == y):.2f} %, "
          f"balanced {100 * np.mean(recalls):.2f} %", flush=True)
