"""FixMatch's and UDA's training steps on a GPU in PyTorch: WRN-28-2, 64 labelled images and 448
unlabelled ones in two views, with the network, the optimiser and the EMA model of
`fixmatch/cifar10`.

    python bench_cuda.py [STEPS]

Prints one line of JSON a setting: each method eager and compiled, all with bfloat16 and channels
last. The images are random and lie on the GPU: what an augmentation takes is left out, so that no
script of PyTorch that reads pictures can be faster than this. It was tried on a CPU alone
(`--device cpu`).
"""

import argparse
import itertools
import json
import time

import torch
import torch.nn.functional as F

from bench_ssl import WideResNet

LABELED, UNLABELED = 64, 448


def fixmatch(weak, strong):
    """The cross entropy with the weak view's class, of samples with a probability from 0.95."""
    confidence, pseudo_label = weak.detach().softmax(-1).max(-1)
    loss = F.cross_entropy(strong, pseudo_label, reduction="none")
    return (loss * (confidence >= 0.95)).mean()


def uda(weak, strong):
    """The divergence from the sharpened prediction on the weak view, of samples with a probability
    above 0.8."""
    weak = weak.detach()
    mask = weak.softmax(-1).amax(-1) > 0.8
    target = (weak / 0.4).log_softmax(-1)
    loss = F.kl_div(strong.log_softmax(-1), target, reduction="none", log_target=True).sum(-1)
    return (loss * mask).mean()


METHODS = [fixmatch, uda]


class Step:
    def __init__(self, device, method, compiled):
        self.device, self.method = device, method
        format = torch.channels_last
        self.net, self.ema = (WideResNet(3).to(device, memory_format=format) for _ in range(2))
        kernels = [p for p in self.net.parameters() if p.dim() > 1]
        others = [p for p in self.net.parameters() if p.dim() <= 1]
        decays = [(kernels, 5e-4), (others, 0.0)]
        groups = [{"params": params, "weight_decay": decay} for params, decay in decays]
        self.optimizer = torch.optim.SGD(groups, 0.03, momentum=0.9, nesterov=True, fused=True)
        pairs = zip(self.ema.state_dict().values(), self.net.state_dict().values())
        self.to, self.source = zip(*[p for p in pairs if p[0].is_floating_point()])
        self.forward = torch.compile(self.net) if compiled else self.net
        count = LABELED + 2 * UNLABELED
        images = torch.randn(count, 3, 32, 32, device=device)
        self.images = images.contiguous(memory_format=format)
        self.y = torch.randint(10, (LABELED,), device=device)

    def run(self):
        with torch.autocast(self.device, torch.bfloat16):
            logits = self.forward(self.images).float()
            x, weak, strong = logits.split([LABELED, UNLABELED, UNLABELED])
            loss = F.cross_entropy(x, self.y) + self.method(weak, strong)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            torch._foreach_lerp_(list(self.to), list(self.source), 0.001)


def measured(args, method, compiled):
    cuda = args.device == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    step = Step(args.device, method, compiled)
    for _ in range(min(20, args.steps)):
        step.run()
    if cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(args.steps):
        step.run()
    if cuda:
        torch.cuda.synchronize()
    seconds = (time.perf_counter() - start) / args.steps
    return {
        "method": method.__name__,
        "mode": "compile" if compiled else "eager",
        "seconds_per_step": seconds,
        "steps_per_second": 1 / seconds,
        "images_per_second": (LABELED + UNLABELED) / seconds,
        "peak_mib": torch.cuda.max_memory_allocated() / 2**20 if cuda else None,
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "torch": torch.__version__,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("steps", type=int, nargs="?", default=200)
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()
    if args.device == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    for method, compiled in itertools.product(METHODS, [False, True]):
        print(json.dumps(measured(args, method, compiled)), flush=True)


if __name__ == "__main__":
    main()
