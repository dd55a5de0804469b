"""Frozen features of a folder of pictures in PyTorch, decoding included, as
`benches/features_folder.rs` takes them here.

Started by `cargo xtask bench features --peers`:

    python xtask/peers/bench_features_folder.py make DIR
    python xtask/peers/bench_features_folder.py DIR THREADS plain|float32|bfloat16|compile

`plain` is what a short script does: Pillow, one picture at a time, float32, channels first, eager.
The others are what a careful user has: a DataLoader whose workers decode while the network
computes, channels last, batch norm folded into the convolutions; `compile` is bfloat16 by autocast
under `torch.compile` with freezing. Answers `folder` with the seconds of all pictures, `pictures`
with their number, `peak` with the most memory so far in MiB, that of its largest worker added.
Needs the packages of requirements.txt.
"""

import copy
import pathlib
import resource
import sys
import time

import numpy as np
from PIL import Image

PICTURES, SIDE, NET_SIDE, BATCH = 256, 400, 224, 32


def make(folder):
    """Smooth colours with a little noise."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    for number in range(PICTURES):
        rng = np.random.default_rng(number)
        waves = [np.sin(rng.uniform(1, 9) * x + rng.uniform(1, 9) * y + rng.uniform(0, 6)) for _ in range(3)]
        pixels = 128 + 90 * np.stack(waves, -1) + 12 * rng.standard_normal((SIDE, SIDE, 3))
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        image.save(folder / f"{number:03}.jpg", quality=90)


class Folder:
    def __init__(self, folder):
        self.files = sorted(folder.glob("*.jpg"))

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        import torch

        with Image.open(self.files[index]) as file:
            picture = file.convert("RGB").resize((NET_SIDE, NET_SIDE), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(picture))


def normal(pixels):
    return (pixels.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5


def sides(mode, threads):
    """What takes all features of a folder."""
    import timm
    import torch
    import torch._inductor.config
    from bench_features import fuse
    from torch.utils.data import DataLoader

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()

    def plain(folder):
        found = Folder(folder)
        for at in range(0, len(found), BATCH):
            net(normal(torch.stack([found[i] for i in range(at, min(at + BATCH, len(found)))])).contiguous())

    if mode == "plain":
        return plain
    torch._inductor.config.freezing = True
    fast = fuse(copy.deepcopy(net)).to(memory_format=torch.channels_last)
    if mode == "bfloat16":
        fast = fast.bfloat16()
    if mode == "compile":
        fast = torch.compile(net.to(memory_format=torch.channels_last))

    def careful(folder):
        for pixels in DataLoader(Folder(folder), BATCH, num_workers=threads):
            x = normal(pixels)
            with torch.autocast("cpu", torch.bfloat16, enabled=mode == "compile"):
                fast(x.bfloat16() if mode == "bfloat16" else x)

    return careful


def main():
    if sys.argv[1] == "make":
        return make(pathlib.Path(sys.argv[2]))
    folder, threads, mode = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    import torch

    run = sides(mode, threads)
    for line in sys.stdin:
        question = line.strip()
        if question == "folder":
            start = time.perf_counter()
            with torch.no_grad():
                run(folder)
            print(time.perf_counter() - start, flush=True)
        elif question == "pictures":
            print(len(Folder(folder)), flush=True)
        elif question == "peak":
            both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
            print(sum(resource.getrusage(who).ru_maxrss for who in both) / 1024, flush=True)
        else:
            sys.exit(f"no question {question}")


main()
