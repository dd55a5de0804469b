"""FixMatch's training step in PyTorch, as `benches/ssl_step.rs` does it here: same nets, batches,
views, optimiser and EMA model; only the images are drawn with replacement here, which saves
starting workers anew.

Started by `cargo xtask bench ssl --peers`, one process a setting, which take turns:

    python xtask/peers/bench_ssl.py DIR CASE THREADS PRECISION MODE LAYOUT

with float32 or bfloat16, eager or compile, contiguous or channels-last.

DIR holds wrn-28-2.raw [2000][32][32][3] and digits.raw [1797][8][8]. Answers `steps N` with the
median seconds of the next N steps and `peak` with the most memory so far in MiB (of this process; a
loader's workers are not counted). The step is written as a careful user of PyTorch writes it:
in-place activations, fused SGD, one foreach operation for the EMA model, Pillow for the views, and
the number of the loader's workers (none, one, two) that is fastest here. Needs the packages of
bench-requirements.txt.
"""

import math
import random
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from bench_augment import pillow

SLOPE = 0.1


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, activated):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs, eps=1e-3, momentum=1e-3)
        # TensorFlow's SAME, as the recipe's net has it: of an odd row, bottom and right get it.
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, stride % 2, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs, eps=1e-3, momentum=1e-3)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if inputs != outputs else None
        self.activated = activated

    def forward(self, x):
        act = F.leaky_relu(self.bn1(x), SLOPE, inplace=True)
        padded = F.pad(act, (0, 1, 0, 1)) if self.conv1.stride[0] == 2 else act
        h = F.leaky_relu(self.bn2(self.conv1(padded)), SLOPE, inplace=True)
        x = act if self.activated else x
        return self.conv2(h) + (x if self.shortcut is None else self.shortcut(x))


class WideResNet(nn.Module):
    """WRN-28-2 with FixMatch's block: in the very first one the shortcut, too, starts from the
    activated input."""

    def __init__(self, channels):
        super().__init__()
        self.stem = nn.Conv2d(channels, 16, 3, 1, 1, bias=False)
        blocks, inputs = [], 16
        for group, outputs in enumerate((32, 64, 128)):
            for i in range(4):
                first = i == 0
                blocks.append(Block(inputs, outputs, 2 if group and first else 1, group == 0 and first))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.bn = nn.BatchNorm2d(inputs, eps=1e-3, momentum=1e-3)
        self.fc = nn.Linear(inputs, 10)

    def forward(self, x):
        h = F.leaky_relu(self.bn(self.blocks(self.stem(x))), SLOPE, inplace=True)
        return self.fc(h.mean((2, 3)))


class FastNet(nn.Module):
    """Filters of 2x2 that are not trained, three blocks of two convolutions, max pooling before
    batch norm."""

    def __init__(self, channels):
        super().__init__()
        self.whiten = nn.Conv2d(channels, 24, 2, bias=False).requires_grad_(False)
        self.blocks, inputs = nn.ModuleList(), 24
        for outputs in (64, 256, 256):
            convs = [nn.Conv2d(i, outputs, 3, 1, 1, bias=False) for i in (inputs, outputs)]
            self.blocks.append(nn.ModuleList(convs + [nn.BatchNorm2d(outputs) for _ in range(2)]))
            inputs = outputs
        self.fc = nn.Linear(inputs, 10)

    def forward(self, x):
        x = F.relu(self.whiten(x), inplace=True)
        for first, second, norm, last in self.blocks:
            x = F.leaky_relu(norm(F.max_pool2d(first(x), 2)), SLOPE, inplace=True)
            x = F.leaky_relu(last(second(x)) + x, SLOPE, inplace=True)
        return self.fc(x.mean((2, 3)))


class SmallNet(nn.Module):
    """The default run's student on digits: width 32, dropout 0.1, stochastic depth up to 0.2."""

    def __init__(self, channels):
        super().__init__()
        self.layers, inputs = nn.ModuleList(), channels
        for stage, outputs in enumerate((32, 64)):
            for i, stride in enumerate((1 + (stage > 0), 1)):
                conv = nn.Conv2d(inputs if i == 0 else outputs, outputs, 3, stride, 1, bias=False)
                self.layers.append(nn.Sequential(conv, nn.BatchNorm2d(outputs)))
            inputs = outputs
        self.fc = nn.Linear(inputs, 10)

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            h = layer(x)
            if i % 2:
                rate = 0.1 * (i // 2 + 1)
                keep = torch.empty(len(h), 1, 1, 1, dtype=h.dtype).bernoulli_(1 - rate)
                h = h * (keep / (1 - rate)) + x
            x = F.relu(h, inplace=True)
        return self.fc(F.dropout(x.mean((2, 3)), 0.1))


def photos(folder):
    images = np.fromfile(folder / "wrn-28-2.raw", np.uint8).reshape(-1, 32, 32, 3)
    strong = pillow()[0]["fixmatch-strong"]

    def normal(image):
        pixels = np.asarray(image, np.float32)
        return np.ascontiguousarray(((pixels - 127.5) / 63.75).transpose(2, 0, 1))

    def weak(image, side):
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return normal(crop(image, 4, "reflect"))

    return images, weak, strong


def crop(image, pad, mode):
    array = np.asarray(image)
    wide = np.pad(array, ((pad, pad), (pad, pad)) + ((0, 0),) * (array.ndim - 2), mode)
    y, x = random.randrange(2 * pad + 1), random.randrange(2 * pad + 1)
    return wide[y : y + array.shape[0], x : x + array.shape[1]]


def digits(folder):
    images = np.fromfile(folder / "digits.raw", np.uint8).reshape(-1, 8, 8)

    def normal(pixels):
        return ((np.asarray(pixels, np.float32) - 127.5) / 63.75)[None]

    def strong(image, side):
        turn, scale = math.radians(random.uniform(-15, 15)), random.uniform(0.85, 1.15)
        shear = random.uniform(-0.15, 0.15)
        a, b = math.cos(turn) / scale, math.sin(turn) / scale
        d, e = -b + a * shear, a + b * shear
        middle = (side - 1) / 2
        move = [random.uniform(-0.12, 0.12) * side for _ in range(2)]
        c, f = middle - (a + b) * middle + move[0], middle - (d + e) * middle + move[1]
        return normal(image.transform(image.size, Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BILINEAR))

    return images, lambda image, side: normal(crop(image, 1, "reflect")), strong


class Views(torch.utils.data.Dataset):
    """Weak and, for the unlabelled, strong views of images."""

    def __init__(self, images, views):
        self.images, self.views, self.side = images, views, images.shape[1]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = Image.fromarray(self.images[index])
        return [view(image, self.side) for view in self.views], index % 10


def endless(data, batch, workers):
    # One epoch without end, so that no worker is ever started anew.
    order = torch.utils.data.RandomSampler(data, replacement=True, num_samples=2**40)
    return iter(torch.utils.data.DataLoader(data, batch, sampler=order, num_workers=workers))


class Trainer:
    def __init__(self, folder, case, precision, mode, layout):
        data, self.sizes, make = {
            "wrn-28-2": (photos, (16, 112), WideResNet),
            "fast-net": (photos, (64, 96), FastNet),
            "digits": (digits, (20, 100), SmallNet),
        }[case]
        self.images, weak, strong = data(folder)
        self.data = Views(self.images, [weak]), Views(self.images, [weak, strong])
        channels = self.images.shape[3] if self.images.ndim == 4 else 1
        self.format = torch.channels_last if layout == "channels-last" else torch.contiguous_format
        self.net, self.ema = (make(channels).to(memory_format=self.format) for _ in range(2))
        self.ema.requires_grad_(False)
        # Convolutions and the linear layer decay, batch norm and biases do not.
        kernels = [p for p in self.net.parameters() if p.dim() > 1]
        others = [p for p in self.net.parameters() if p.dim() <= 1]
        groups = [{"params": kernels, "weight_decay": 5e-4}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.SGD(groups, 0.03, momentum=0.9, nesterov=True, fused=True)
        self.steps = 0
        # Integers (the number of batches) are not averaged.
        pairs = zip(self.ema.state_dict().values(), self.net.state_dict().values())
        self.pairs = [p for p in pairs if p[0].is_floating_point()]
        self.forward = torch.compile(self.net) if mode == "compile" else self.net
        self.bf16 = precision == "bfloat16"
        self.streams = None

    def load(self, workers):
        self.streams = [endless(data, size, workers) for data, size in zip(self.data, self.sizes)]

    def step(self):
        ((x,), y), ((weak, strong), _) = (next(stream) for stream in self.streams)
        images = torch.cat([x, weak, strong]).contiguous(memory_format=self.format)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            logits = self.forward(images)
            x, weak, strong = logits.float().split([len(x), len(weak), len(strong)])
            confidence, pseudo_label = weak.detach().softmax(-1).max(-1)
            unsup = F.cross_entropy(strong, pseudo_label, reduction="none") * (confidence >= 0.95)
            loss = F.cross_entropy(x, y) + unsup.mean()
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            to, source = zip(*self.pairs)
            decay = min(0.99, (1 + self.steps) / (10 + self.steps))
            torch._foreach_lerp_(list(to), list(source), 1 - decay)
        self.steps += 1

    def median(self, steps):
        times = []
        for _ in range(steps):
            start = time.perf_counter()
            self.step()
            times.append(time.perf_counter() - start)
        return sorted(times)[len(times) // 2]

    def choose_workers(self, steps):
        def time_of(workers):
            self.load(workers)
            self.median(2)
            return self.median(steps)

        best = min((0, 1, 2), key=time_of)
        self.load(best)
        self.median(2)
        return best


if __name__ == "__main__":
    folder, case, threads, *setting = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.manual_seed(20)
    random.seed(20)
    trainer = Trainer(Path(folder), case, *setting)
    workers = trainer.choose_workers(100 if case == "digits" else 5)
    print(f"{' '.join(setting)}: {workers} loader workers", file=sys.stderr)
    for line in sys.stdin:
        question, *rest = line.split()
        if question == "peak":
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, flush=True)
        else:
            print(trainer.median(int(rest[0])), flush=True)
