"""Golden arrays of `torch`: optimisers, layers, losses and bfloat16 autocast, from PyTorch, timm
and numpy.

    python xtask/peers/golden_torch.py   # torch 2.11.0, timm 1.0.9, numpy 2.4.6, safetensors 0.8.0

Optimisers take ten steps in float32 with gradients and learning rates
that are given; RMSProp comes twice, from timm's RMSpropTF in float32 and from TensorFlow's formula
in float64. Losses are float64 numpy.
"""

import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from timm.layers import Conv2dSame
from timm.optim import RMSpropTF
from torch import nn

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/torch/tests/golden"
STEPS = 10
SHAPES = {"conv.weight": (12, 6, 3, 3), "conv.bias": (12,), "norm.weight": (13,)}
LRS = [round(0.1 / (1 + step), 6) for step in range(STEPS)]


def save(name, tensors, cases):
    """One metadata key only: with several their order in the file would be random."""
    tensors = {key: value.detach().contiguous() for key, value in tensors.items()}
    save_file(tensors, OUT / f"{name}.safetensors", metadata={"cases": json.dumps(cases, sort_keys=True)})


def decays(config, name):
    """Whether weight decay touches a tensor, by `decay_on`."""
    role = {"conv.weight": 0, "conv.bias": 1, "norm.weight": 2}[name]
    return role <= {"kernels": 0, "all-but-norm": 1, "all": 2}[config["decay_on"]]


def tensorflow_rmsprop(config, start, grads):
    """w after all steps, and its state, in float64: epsilon in the root, mean square from 1, rate
    in the momentum."""
    w = {name: value.double().numpy().copy() for name, value in start.items()}
    square = {name: np.ones(shape) for name, shape in SHAPES.items()}
    momentum = {name: np.zeros(shape) for name, shape in SHAPES.items()}
    for step, lr in enumerate(LRS):
        for name in w:
            decay = config["weight_decay"] if decays(config, name) else 0.0
            g = grads[name][step].double().numpy() + decay * w[name]
            square[name] = config["decay"] * square[name] + (1 - config["decay"]) * g * g
            momentum[name] = config["momentum"] * momentum[name] + lr * g / np.sqrt(square[name] + config["eps"])
            w[name] = w[name] - momentum[name]
    return w


def optimiser(config, groups):
    """The reference implementation of a recipe's optimiser."""
    match config["kind"]:
        case "sgd":
            return torch.optim.SGD(groups, lr=1.0, momentum=config["momentum"], nesterov=config["nesterov"])
        case "rmsprop":
            return RMSpropTF(
                groups, lr=1.0, alpha=config["decay"], eps=config["eps"], momentum=config["momentum"]
            )
        case "adamw":
            return torch.optim.AdamW(
                groups, lr=1.0, betas=(config["beta1"], config["beta2"]), eps=config["eps"]
            )


def optim():
    torch.manual_seed(1)
    start = {name: torch.randn(shape) for name, shape in SHAPES.items()}
    grads = {name: torch.randn((STEPS, *shape)) * 0.7 for name, shape in SHAPES.items()}
    sgd = {"kind": "sgd", "nesterov": False, "momentum": 0.9, "weight_decay": 0.0, "decay_on": "all"}
    rmsprop = {"kind": "rmsprop", "decay": 0.9, "momentum": 0.9, "eps": 1e-3, "weight_decay": 0.0, "decay_on": "all"}
    adamw = {"kind": "adamw", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0, "decay_on": "all"}
    cases = {
        "sgd-plain": sgd | {"momentum": 0.0},
        "sgd-momentum": sgd | {"weight_decay": 0.01},
        "sgd-nesterov": sgd | {"nesterov": True, "weight_decay": 0.05, "decay_on": "kernels"},
        "rmsprop": rmsprop,
        "rmsprop-decay": rmsprop | {"decay": 0.8, "momentum": 0.5, "weight_decay": 0.02, "decay_on": "all-but-norm"},
        "adamw": adamw,
        "adamw-decay": adamw | {"beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "weight_decay": 0.1, "decay_on": "kernels"},
    }
    tensors = {f"start/{name}": value for name, value in start.items()}
    tensors |= {f"grad/{name}": value for name, value in grads.items()}
    for case, config in cases.items():
        params = {name: nn.Parameter(value.clone()) for name, value in start.items()}
        groups = [
            {"params": [p], "weight_decay": config["weight_decay"] if decays(config, name) else 0.0}
            for name, p in params.items()
        ]
        opt = optimiser(config, groups)
        for step, lr in enumerate(LRS):
            for group in opt.param_groups:
                group["lr"] = lr
            for name, p in params.items():
                p.grad = grads[name][step].clone()
            opt.step()
        tensors |= {f"{case}/{name}": p for name, p in params.items()}
        if config["kind"] == "rmsprop":
            exact = tensorflow_rmsprop(config, start, grads)
            tensors |= {f"{case}-tensorflow/{name}": torch.from_numpy(value) for name, value in exact.items()}
    save("optim", tensors, {"lr": LRS, "configs": cases})


def layers():
    """Convolutions with TensorFlow's padding, and batch norm in both modes: outputs, gradients,
    statistics."""
    torch.manual_seed(2)
    tensors, cases = {}, {}
    for name, kernel, stride, groups, size, bias in [
        ("k3s1", 3, 1, 1, (7, 6), True),
        ("k3s2-even", 3, 2, 1, (8, 6), False),
        ("k3s2-odd", 3, 2, 1, (9, 7), True),
        ("k5s2-mixed", 5, 2, 1, (8, 7), False),
        ("k5s1-depthwise", 5, 1, 4, (6, 5), False),
        ("k3s2-depthwise", 3, 2, 4, (10, 9), True),
        ("k1s2", 1, 2, 1, (6, 5), True),
    ]:
        outputs = 4 if groups == 4 else 5
        conv = Conv2dSame(4, outputs, kernel, stride=stride, groups=groups, bias=bias)
        x = torch.randn(2, 4, *size, requires_grad=True)
        y = conv(x)
        toward = torch.randn_like(y)
        (y * toward).sum().backward()
        cases[name] = {"kernel": kernel, "stride": stride, "groups": groups, "outputs": outputs, "bias": bias}
        case = {"x": x, "y": y, "toward": toward, "x.grad": x.grad}
        case |= {"weight": conv.weight, "weight.grad": conv.weight.grad}
        if bias:
            case |= {"bias": conv.bias, "bias.grad": conv.bias.grad}
        tensors |= {f"{name}/{key}": value for key, value in case.items()}
    norm = nn.BatchNorm2d(4, eps=1e-3, momentum=0.01)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    tensors |= {"bn/weight": norm.weight.detach().clone(), "bn/bias": norm.bias.detach().clone()}
    for step in range(2):
        x = torch.randn(3, 4, 5, 5) * 2 + 1
        x.requires_grad_()
        norm.zero_grad()
        y = norm(x)
        toward = torch.randn_like(y)
        (y * toward).sum().backward()
        tensors |= {f"bn/{key}{step}": value for key, value in {"x": x, "y": y, "toward": toward}.items()}
    tensors |= {"bn/x.grad": x.grad, "bn/weight.grad": norm.weight.grad, "bn/bias.grad": norm.bias.grad}
    tensors |= {"bn/running_mean": norm.running_mean, "bn/running_var": norm.running_var}
    norm.eval()
    tensors["bn/eval"] = norm(x)
    save("layers", tensors, cases)


def losses():
    """Losses per sample in float64 from the plain formulas."""
    rng = np.random.default_rng(3)
    logits = (rng.standard_normal((6, 5)) * 4).astype(np.float32)
    logits[0] = [60, -60, 0, 30, -30]
    labels = rng.integers(0, 5, 6)
    soft = rng.dirichlet(np.full(5, 0.5), 6).astype(np.float32)
    soft[1] = [0, 0, 1, 0, 0]
    z = logits.astype(np.float64)
    log_q = z - z.max(1, keepdims=True)
    log_q = log_q - np.log(np.exp(log_q).sum(1, keepdims=True))
    p = soft.astype(np.float64)
    entropy = -np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0).sum(1)
    smooth = np.full((6, 5), 0.1 / 5)
    smooth[np.arange(6), labels] += 0.9
    expected = {
        "soft_cross_entropy": -(p * log_q).sum(1),
        "cross_entropy": -log_q[np.arange(6), labels],
        "smooth": smooth,
        "smoothed_cross_entropy": -(smooth * log_q).sum(1),
        "kl_divergence": -(p * log_q).sum(1) - entropy,
    }
    tensors = {"logits": logits, "labels": labels, "soft": soft} | expected
    save("loss", {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in tensors.items()}, {})


def autocast():
    """A small net under CPU autocast to bfloat16: logits, loss and gradients."""
    torch.manual_seed(4)
    conv, norm, fc = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8, eps=1e-3), nn.Linear(8, 5)
    x, labels = torch.randn(4, 3, 8, 8), torch.randint(0, 5, (4,))
    with torch.autocast("cpu", torch.bfloat16):
        y = fc(F.silu(norm(conv(x))).mean((2, 3)))
    loss = F.cross_entropy(y.float(), labels)
    loss.backward()
    tensors = {"x": x, "labels": labels, "logits": y, "loss": loss}
    for name, module in {"conv": conv, "fc": fc}.items():
        for key, p in module.named_parameters():
            tensors |= {f"{name}.{key}": p, f"grad/{name}.{key}": p.grad}
    save("autocast", tensors, {})


torch.set_num_threads(1)
OUT.mkdir(parents=True, exist_ok=True)
optim()
layers()
losses()
autocast()
