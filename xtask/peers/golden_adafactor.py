"""Golden arrays of `torch`: ten steps of Adafactor from its equations (Shazeer & Stern 2018, arXiv
1804.04235; the constants and details of tensor2tensor) in float64.

    python xtask/peers/golden_adafactor.py # numpy 2.4.6, safetensors 0.8.0
"""

import json
import pathlib

import numpy as np
from safetensors.numpy import save_file

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/torch/tests/golden"
SHAPES = {"matrix": (5, 7), "cube": (3, 4, 6), "depthwise": (4, 5, 1), "vector": (9,), "zeros": (3, 2)}
# Meena's schedule, sped up so that both of its parts are seen.
LRS = [min(0.3, (t + 1) ** -0.5) for t in range(10)]
CASES = {
    "default": {"kind": "adafactor"},
    "momentum": {"kind": "adafactor", "beta1": 0.9, "decay": 0.5},
    "unscaled": {"kind": "adafactor", "scaled": False, "clip": 0.5, "eps": 1e-3},
}


def rms(x):
    return np.sqrt(np.mean(x**2))


class Adafactor:
    def __init__(self, decay=0.8, eps=1e-30, least_scale=1e-3, clip=1.0, beta1=0.0, scaled=True):
        self.decay, self.eps, self.least_scale, self.clip, self.beta1, self.scaled = decay, eps, least_scale, clip, beta1, scaled
        self.rows = self.columns = self.squares = self.mean = 0.0

    def step(self, w, g, lr, t):
        beta2 = 1 - (t + 1) ** -self.decay
        s = g**2 + self.eps
        if w.ndim >= 2:
            self.rows = beta2 * self.rows + (1 - beta2) * s.mean(-1)
            self.columns = beta2 * self.columns + (1 - beta2) * s.mean(-2)
            r = self.rows / self.rows.mean(-1, keepdims=True)
            u = g / np.sqrt(r)[..., None] / np.sqrt(self.columns)[..., None, :]
        else:
            self.squares = beta2 * self.squares + (1 - beta2) * s
            u = g / np.sqrt(self.squares)
        u = u / max(1.0, rms(u) / self.clip)
        step = u * lr * (max(self.least_scale, rms(w)) if self.scaled else 1.0)
        if self.beta1 > 0:
            self.mean = self.beta1 * self.mean + (1 - self.beta1) * step
            step = self.mean
        return w - step


def main():
    rng = np.random.default_rng(4)
    start = {n: rng.standard_normal(s).astype(np.float32) * (n != "zeros") for n, s in SHAPES.items()}
    # Gradients whose rows and columns differ in size.
    grads = {}
    for n, s in SHAPES.items():
        sizes = np.exp(rng.standard_normal((1, *s[:-1], 1)) + rng.standard_normal((1, *([1] * (len(s) - 1)), s[-1])))
        grads[n] = (rng.standard_normal((10, *s)) * sizes).astype(np.float32)
    arrays = {f"start/{n}": w for n, w in start.items()} | {f"grad/{n}": g for n, g in grads.items()}
    for case, config in CASES.items():
        constants = {k: v for k, v in config.items() if k != "kind"}
        for n in SHAPES:
            optimizer, w = Adafactor(**constants), start[n].astype(np.float64)
            for t, lr in enumerate(LRS):
                w = optimizer.step(w, grads[n][t].astype(np.float64), lr, t)
            arrays[f"{case}/{n}"] = w
    meta = {"cases": json.dumps({"lr": LRS, "configs": CASES})}
    save_file({n: np.ascontiguousarray(a) for n, a in arrays.items()}, OUT / "adafactor.safetensors", meta)


main()
