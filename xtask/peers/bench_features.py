"""Frozen features of EfficientNet-Lite0 at 224 pixels in PyTorch, as `benches/features.rs` times
them here: images a second through timm's network with random weights, decoding left out.

    python xtask/peers/bench_features.py [BATCH] [THREADS] # torch 2.11.0, timm 1.0.9

`plain` is what a short script does: float32, channels first. The others are PyTorch's best:
channels last, batch norm fused into the convolutions, bfloat16 weights or autocast, and
`torch.compile` with freezing (which fuses and lays weights out by itself). Prints the median and
the best of ten rounds; all settings take turns in each, so that what else the machine does meets
all of them.
"""

import copy
import statistics
import sys
import time

import timm
import torch
import torch._inductor.config
from torch.nn.utils.fusion import fuse_conv_bn_eval

ROUNDS = 10


def fuse(net):
    """Folds batch norm into the convolutions before it; timm's layer leaves its activation."""
    for module in list(net.modules()):
        depthwise_first = not hasattr(module, "conv_pwl")
        for conv, bn in [("conv_stem", "bn1"), ("conv_head", "bn2"), ("conv_pwl", "bn3"),
                         ("conv_dw", "bn1" if depthwise_first else "bn2"),
                         ("conv_pw", "bn2" if depthwise_first else "bn1")]:  # fmt: skip
            if hasattr(module, conv):
                norm = getattr(module, bn)
                setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), norm))
                setattr(module, bn, norm.act)
    return net


def main():
    batch = int(sys.argv[1]) if len(sys.argv) > 1 else 32
    if len(sys.argv) > 2:
        torch.set_num_threads(int(sys.argv[2]))
    torch.manual_seed(0)
    torch._inductor.config.freezing = True
    plain = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    x = torch.randn(batch, 3, 224, 224)
    last = x.contiguous(memory_format=torch.channels_last)
    laid = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    fused = fuse(copy.deepcopy(plain)).to(memory_format=torch.channels_last)
    half = copy.deepcopy(fused).bfloat16()

    def autocast(net, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return net(x)

    compiled, compiled_half = torch.compile(laid), torch.compile(copy.deepcopy(laid))
    settings = {
        "plain/float32": lambda: plain(x),
        "channels-last/float32": lambda: laid(last),
        "fused/float32": lambda: fused(last),
        "fused/bfloat16": lambda: half(last.bfloat16()),
        "fused/autocast": lambda: autocast(fused, last),
        "compiled/float32": lambda: compiled(last),
        "compiled/autocast": lambda: autocast(compiled_half, last),
    }
    times = {name: [] for name in settings}
    with torch.no_grad():
        torch.testing.assert_close(fused(last), plain(x), rtol=1e-3, atol=1e-3)
        for run in settings.values():
            for _ in range(2):
                run()
        for _ in range(ROUNDS):
            for name, run in settings.items():
                start = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - start)
    print(f"EfficientNet-Lite0, 224 pixels, batch {batch}, {torch.get_num_threads()} threads, images/s")
    for name, seconds in times.items():
        median, best = batch / statistics.median(seconds), batch / min(seconds)
        print(f"{name:24} {median:8.1f} median {best:8.1f} best")


if __name__ == "__main__":
    main()
