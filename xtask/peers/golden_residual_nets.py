"""Golden arrays of `vision-models`: ResNet and ResNeXt of torchvision's bottlenecks; Conv-Large,
Shake-Shake and PyramidNet in plain PyTorch, written here from the papers; the last two pad as
TensorFlow does in UDA's code.

    python xtask/peers/golden_residual_nets.py # torch 2.11.0, torchvision 0.26.0, safetensors 0.8.0

As golden_vision_models.py, whose functions `record` and `shake` are the same here: a case file
holds images and labels, the logits in evaluation, and of one training step without noise the
logits, a few gradients, the norms of all and the running statistics.
"""

import json
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from torchvision.models.resnet import Bottleneck

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/vision-models/tests/golden"
CLASSES = 7


class ResNet(nn.Module):
    def __init__(self, stem, layers, groups=1, width=64):
        super().__init__()
        self.conv1 = nn.Conv2d(3, stem, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        cin = stem
        for stage, count in enumerate(layers):
            planes, blocks = stem * 2**stage, []
            for i in range(count):
                stride = 2 if stage and not i else 1
                down = None
                if stride != 1 or cin != 4 * planes:
                    down = nn.Sequential(nn.Conv2d(cin, 4 * planes, 1, stride, bias=False), nn.BatchNorm2d(4 * planes))
                blocks.append(Bottleneck(cin, planes, stride, down, groups, width))
                cin = 4 * planes
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(cin, CLASSES)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
        return self.fc(x.mean((2, 3)))


class ConvLarge(nn.Module):
    def __init__(self, width, bias=False, logits=False):
        super().__init__()
        plan = [(1, 3, 1)] * 3 + [(2, 3, 1)] * 3 + [(4, 3, 0), (2, 1, 0), (1, 1, 0)]
        cin, layers = 3, []
        for multiple, kernel, pad in plan:
            cout = multiple * width
            conv = nn.Conv2d(cin, cout, kernel, 1, pad, bias=bias)
            layers.append(nn.ModuleDict({"conv": conv, "bn": nn.BatchNorm2d(cout, eps=1e-5, momentum=0.001)}))
            cin = cout
        self.layers = nn.ModuleList(layers)
        self.fc = nn.Linear(cin, CLASSES)
        self.logits_bn = nn.BatchNorm1d(CLASSES, eps=1e-5, momentum=0.001) if logits else None

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = F.leaky_relu(layer["bn"](layer["conv"](x)), 0.1)
            if i in (2, 5):
                x = F.max_pool2d(x, 2)
        x = self.fc(x.mean((2, 3)))
        return x if self.logits_bn is None else self.logits_bn(x)


class SameConv2d(nn.Conv2d):
    """TensorFlow's SAME padding, as UDA's code has it in all convolutions: with stride 2 an even
    side gets its one row of zeros at the end."""

    def __init__(self, cin, cout, kernel, stride=1):
        super().__init__(cin, cout, kernel, stride, bias=False)

    def forward(self, x):
        k, s = self.kernel_size[0], self.stride[0]
        rows = [max((-(-side // s) - 1) * s + k - side, 0) for side in x.shape[2:]]
        (top, bottom), (left, right) = [(n // 2, n - n // 2) for n in rows]
        return super().forward(F.pad(x, (left, right, top, bottom)))


class Shortcut(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv2d(cin, cout // 2, 1, bias=False)
        self.conv2 = nn.Conv2d(cin, cout // 2, 1, bias=False)
        self.bn = nn.BatchNorm2d(cout)

    def forward(self, x):
        shifted = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        s = self.stride
        return self.bn(torch.cat([self.conv1(x[:, :, ::s, ::s]), self.conv2(shifted[:, :, ::s, ::s])], 1))


class ShakeBlock(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        for branch in "01":
            self.add_module(branch, nn.ModuleDict({
                "conv1": SameConv2d(cin, cout, 3, stride), "bn1": nn.BatchNorm2d(cout),
                "conv2": SameConv2d(cout, cout, 3), "bn2": nn.BatchNorm2d(cout)}))  # fmt: skip
        if cin != cout:
            self.shortcut = Shortcut(cin, cout, stride)

    def forward(self, x):
        out = 0
        for branch in "01":
            b = getattr(self, branch)
            h = b["bn1"](b["conv1"](F.relu(x)))
            out = out + 0.5 * b["bn2"](b["conv2"](F.relu(h)))
        return out + (self.shortcut(x) if hasattr(self, "shortcut") else x)


class ShakeShake(nn.Module):
    def __init__(self, width, blocks):
        super().__init__()
        self.stem = nn.ModuleDict({"conv": nn.Conv2d(3, 16, 3, 1, 1, bias=False), "bn": nn.BatchNorm2d(16)})
        cin, stages = 16, []
        for stage in range(3):
            cout, row = width * 2**stage, []
            for i in range(blocks):
                row.append(ShakeBlock(cin, cout, 2 if stage and not i else 1))
                cin = cout
            stages.append(nn.Sequential(*row))
        self.stages = nn.ModuleList(stages)
        self.fc = nn.Linear(cin, CLASSES)

    def forward(self, x):
        x = self.stem["bn"](self.stem["conv"](x))
        for stage in self.stages:
            x = stage(x)
        return self.fc(F.relu(x).mean((2, 3)))


class PyramidBlock(nn.Module):
    def __init__(self, cin, inner, stride, keep):
        super().__init__()
        self.stride, self.keep = stride, keep
        self.bn1 = nn.BatchNorm2d(cin)
        self.conv1 = nn.Conv2d(cin, inner, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv2 = SameConv2d(inner, inner, 3, stride)
        self.bn3 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, 4 * inner, 1, bias=False)
        self.bn4 = nn.BatchNorm2d(4 * inner)

    def forward(self, x):
        h = self.conv1(self.bn1(x))
        h = self.conv2(F.relu(self.bn2(h)))
        h = self.bn4(self.conv3(F.relu(self.bn3(h))))
        if self.stride == 2:
            # SAME: places beyond the edge do not count.
            ones = torch.ones_like(x[:1, :1])
            odd = [0, x.shape[3] % 2, 0, x.shape[2] % 2]
            x = F.avg_pool2d(F.pad(x, odd), 2) / F.avg_pool2d(F.pad(ones, odd), 2)
        return self.keep * h + F.pad(x, (0, 0, 0, 0, 0, h.shape[1] - x.shape[1]))


class PyramidNet(nn.Module):
    def __init__(self, depth, alpha):
        super().__init__()
        n = (depth - 2) // 9
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        cin, number = 16, 0
        for stage in range(3):
            row = []
            for i in range(n):
                number += 1
                inner = int(16 + number * alpha / (3 * n) + 0.5)
                row.append(PyramidBlock(cin, inner, 2 if stage and not i else 1, 1 - number / (3 * n) * 0.5))
                cin = 4 * inner
            self.add_module(f"layer{stage + 1}", nn.Sequential(*row))
        self.bn_final, self.fc = nn.BatchNorm2d(cin), nn.Linear(cin, CLASSES)

    def forward(self, x):
        x = self.bn1(self.conv1(x))
        for stage in (self.layer1, self.layer2, self.layer3):
            x = stage(x)
        return self.fc(F.relu(self.bn_final(x)).mean((2, 3)))


def case(name, model, shape, config):
    """Weights are multiples of 1/256, kept as bytes: w = (byte - 128) / 256, plus 1 for scales and
    variances."""
    state = {}
    for key, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            continue
        scale = float(tensor.ndim == 1 and key.endswith(("weight", "running_var")))
        if tensor.ndim == 1:
            tensor.copy_(torch.rand_like(tensor) * 0.8 + (0.6 if scale else -0.4))
        steps = ((tensor - scale) * 256).round().clamp(-128, 127)
        tensor.copy_(steps / 256 + scale)
        state[key] = (steps + 128).to(torch.uint8)
    save_file(state, OUT / f"{name}_weights.safetensors")

    pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
    x = pixels.float() / 128 - 1
    labels = torch.randint(0, CLASSES, (len(x),))
    with torch.no_grad():
        eval_logits = model.eval()(x)
    train_logits = model.train()(x)
    F.cross_entropy(train_logits, labels).backward()
    params = dict(model.named_parameters())
    norms = torch.tensor([p.grad.norm().item() for p in params.values()])
    arrays = {"pixels": pixels, "labels": labels, "eval_logits": eval_logits, "train_logits": train_logits.detach()}
    arrays |= {f"after.{n}": b for n, b in model.named_buffers() if b.is_floating_point()} | {"grad_norms": norms}
    # The smallest gradients, spread over the net.
    small = [n for n, p in params.items() if p.numel() <= 1300]
    arrays |= {f"grad.{n}": params[n].grad for n in small[:: max(1, len(small) // 9)]}
    meta = {"case": json.dumps({"config": config, "weights": f"{name}_weights", "params": list(params)})}
    save_file({k: v.contiguous() for k, v in arrays.items()}, OUT / f"{name}.safetensors", metadata=meta)


def main():
    torch.manual_seed(30)
    case("resnet", ResNet(4, (1, 2, 1, 1)), (4, 3, 33, 40), {"kind": "resnet", "layers": [1, 2, 1, 1], "stem": 4})
    case("resnext", ResNet(8, (1, 1, 1, 1), 2, 32), (4, 3, 32, 32),
         {"kind": "resnet", "layers": [1, 1, 1, 1], "stem": 8, "groups": 2, "width_per_group": 32})  # fmt: skip
    # Dropout is off: the step is without noise.
    case("conv_large", ConvLarge(8), (3, 3, 16, 21), {"kind": "conv-large", "width": 8})
    case("conv_large_svhn", ConvLarge(8, True, True), (6, 3, 16, 16),
         {"kind": "conv-large", "width": 8, "conv_bias": True, "logits_norm": True})  # fmt: skip
    case("shake_shake", ShakeShake(6, 2), (4, 3, 11, 14), {"kind": "shake-shake", "width": 6, "blocks": 2})
    case("pyramidnet", PyramidNet(20, 12), (4, 3, 11, 14), {"kind": "pyramidnet", "depth": 20, "alpha": 12})


main()
