"""Golden arrays of `vision-models`, from timm and from a plain PyTorch wide ResNet written here.

Run with torch 2.11.0, timm 1.0.9 and safetensors:  python xtask/peers/golden_vision_models.py
Each case file holds images and labels, the logits in evaluation, and of one training step without
noise the logits, a few gradients of the mean cross entropy, the norms of all gradients and the
running statistics afterwards.
"""

import functools
import gzip
import itertools
import json
import pathlib
from unittest import mock

import timm
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from timm.models import efficientnet as timm_efficientnet
from torch import nn

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/vision-models/tests/golden"
CLASSES = 7


def images(shape):
    """Pixels as bytes; the nets see pixel / 128 - 1."""
    return torch.randint(0, 256, shape, dtype=torch.uint8)


def record(name, model, pixels, grads, config, weights):
    """Runs `model` and writes one case. `config` is ours, `weights` the file that holds the model's
    state."""
    x = pixels.float() / 128 - 1
    labels = torch.randint(0, CLASSES, (len(x),))
    with torch.no_grad():
        eval_logits = model.eval()(x)
    train_logits = model.train()(x)
    F.cross_entropy(train_logits, labels).backward()
    params = dict(model.named_parameters())
    # A parameter that the loss does not reach has no gradient; its norm is recorded as -1.
    norms = [-1.0 if p.grad is None else p.grad.norm().item() for p in params.values()]
    arrays = {"pixels": pixels, "labels": labels, "eval_logits": eval_logits, "train_logits": train_logits.detach()}
    arrays |= {f"grad.{n}": params[n].grad for n in grads} | {"grad_norms": torch.tensor(norms)}
    arrays |= {f"after.{n}": b for n, b in model.named_buffers() if b.is_floating_point()}
    # One key only: safetensors writes several in any order.
    meta = {"case": json.dumps({"config": config, "weights": weights, "params": list(params)})}
    save_file({k: v.contiguous() for k, v in arrays.items()}, OUT / f"{name}.safetensors", metadata=meta)


def shake(model):
    """Random batch-norm parameters and statistics and biases, so that none of them is at a value
    that hides it."""
    for name, tensor in model.state_dict().items():
        if tensor.ndim == 1:
            scale = name.endswith("running_var") or (name.endswith("weight"))
            tensor.copy_(torch.rand_like(tensor) * 0.8 + (0.6 if scale else -0.4))


def timm_net():
    """TensorFlow's form of EfficientNet, as narrow as can be, deep enough that every kind of block
    has an identity."""
    return timm_efficientnet._gen_efficientnet(
        "tf_efficientnet_b0", channel_multiplier=0.04, depth_multiplier=1.1, num_classes=CLASSES,
        bn_eps=1e-3, bn_momentum=0.01, pad_type="same", drop_rate=0.0, drop_path_rate=0.0)  # fmt: skip


def efficientnet():
    torch.manual_seed(1)
    model = timm_net()
    shake(model)
    # Half precision, to keep the file small; the net runs in single precision on what is left of
    # the values.
    state = {k: v.half() if v.is_floating_point() else v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(state)
    save_file(state, OUT / "efficientnet_weights.safetensors")
    grads = [
        "conv_stem.weight", "bn1.weight", "blocks.0.0.conv_dw.weight", "blocks.0.1.conv_pw.weight",
        "blocks.1.0.se.conv_reduce.weight", "blocks.2.1.conv_dw.weight", "blocks.4.1.conv_pwl.weight",
        "blocks.5.0.se.conv_expand.bias", "blocks.6.0.bn3.bias", "conv_head.weight", "classifier.bias",
    ]  # fmt: skip
    config = {"kind": "efficientnet", "width": 0.04, "depth": 1.1, "dropout": 0, "stochastic_depth": 0}
    record("efficientnet", model, images((4, 3, 45, 70)), grads, config, "efficientnet_weights")

    small = timm_net()
    small.load_state_dict(state)
    for block in (small.blocks[1][0], small.blocks[2][0]):
        kernel = block.conv_dw.kernel_size[0]
        block.conv_dw.stride, block.conv_dw.padding = (1, 1), (kernel // 2, kernel // 2)
        # timm decided by the old stride that there is no identity; in a net this narrow there is
        # one.
        block.has_skip = block.conv_pw.in_channels == block.conv_pwl.out_channels
    record("efficientnet_small_image", small, images((4, 3, 21, 15)), grads, config | {"small_image": True},
           "efficientnet_weights")  # fmt: skip


def efficientnet_lite():
    """The form of the Lite nets, in which the factor on widths leaves stem and head, and the one on
    repeats the first and last stage."""
    torch.manual_seed(2)
    model = timm_efficientnet._gen_efficientnet_lite(
        "tf_efficientnet_lite0", channel_multiplier=0.04, depth_multiplier=1.1, num_classes=CLASSES,
        bn_eps=1e-3, bn_momentum=0.01, pad_type="same", drop_rate=0.0, drop_path_rate=0.0)  # fmt: skip
    shake(model)
    state = {k: v.half() if v.is_floating_point() else v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(state)
    save_file(state, OUT / "efficientnet_lite_weights.safetensors")
    grads = [
        "conv_stem.weight", "bn1.weight", "blocks.0.0.conv_dw.weight", "blocks.1.1.conv_pw.weight",
        "blocks.2.1.conv_dw.weight", "blocks.4.1.conv_pwl.weight", "blocks.6.0.bn3.bias", "classifier.bias",
    ]  # fmt: skip
    config = {"kind": "efficientnet", "variant": "lite0", "width": 0.04, "depth": 1.1, "dropout": 0,
              "stochastic_depth": 0}  # fmt: skip
    record("efficientnet_lite", model, images((4, 3, 45, 70)), grads, config, "efficientnet_lite_weights")


class WideBlock(nn.Module):
    def __init__(self, cin, cout, stride, first, raw, bias, leaky, symmetric, pooled):
        super().__init__()
        self.pooled = pooled
        self.first, self.raw, self.leaky, self.stride, self.symmetric = first, raw, leaky, stride, symmetric
        self.bn1 = nn.BatchNorm2d(cin, eps=1e-3, momentum=0.001)
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, bias=bias)
        self.bn2 = nn.BatchNorm2d(cout, eps=1e-3, momentum=0.001)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=bias)
        conv = cin != cout and not pooled
        self.convShortcut = nn.Conv2d(cin, cout, 1, stride, bias=bias) if conv else nn.Identity()

    def pad(self, x):
        if self.symmetric or self.stride == 1:
            return F.pad(x, (1, 1, 1, 1))
        # TensorFlow's SAME for kernel 3 and stride 2: an even side gets its one zero at the end.
        rows, columns = (side % 2 for side in x.shape[2:])
        return F.pad(x, (columns, 1, rows, 1))

    def forward(self, x):
        a = x if self.raw else F.leaky_relu(self.bn1(x), self.leaky)
        h = F.leaky_relu(self.bn2(self.conv1(self.pad(a))), self.leaky)
        around = self.convShortcut(a if self.first else x)
        return res_add(self.conv2(h), around, self.stride) if self.pooled else around + self.conv2(h)


def res_add(x, earlier, stride):
    """UDA's code of October 2019: the earlier tensor averaged down, with empty channels on both
    sides of its own. Windows over the edge count the pixels that there are."""
    if x.shape[1] != earlier.shape[1]:
        earlier = F.avg_pool2d(earlier, stride, ceil_mode=True, count_include_pad=False)
        more = (x.shape[1] - earlier.shape[1]) // 2
        earlier = F.pad(earlier, (0, 0, 0, 0, more, more))
    return x + earlier


class WideNet(nn.Module):
    def __init__(self, depth, filters, raw=False, bias=False, leaky=0.1, symmetric=False, shortcuts="fixmatch"):
        super().__init__()
        self.leaky, self.pooled = leaky, shortcuts == "pooled"
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=bias)
        cin = 16
        for group in range(3):
            blocks, cout = [], filters * 2**group
            for i in range((depth - 4) // 6):
                stride = 2 if group and not i else 1
                quirk = raw and group > 0 and i == 0
                first = group == i == 0 and shortcuts != "raw"
                blocks.append(WideBlock(cin, cout, stride, first, quirk, bias, leaky, symmetric, self.pooled))
                cin = cout
            self.add_module(f"block{group + 1}", nn.ModuleDict({"layer": nn.Sequential(*blocks)}))
        self.bn1 = nn.BatchNorm2d(cin, eps=1e-3, momentum=0.001)
        self.fc = nn.Linear(cin, CLASSES)

    def forward(self, x):
        first = earlier = x = self.conv1(x)
        for block, stride in ((self.block1, 1), (self.block2, 2), (self.block3, 2)):
            x = block["layer"](x)
            if self.pooled:
                earlier = x = res_add(x, earlier, stride)
        if self.pooled:
            x = res_add(x, first, 4)
        return self.fc(F.leaky_relu(self.bn1(x), self.leaky).mean((2, 3)))


def wide_resnet():
    """Weights are multiples of 1/256, kept as bytes: w = (byte - 128) / 256, plus 1 for scales and
    variances."""
    cases = {
        "default": (dict(depth=16, filters=4), {"depth": 16, "width": 0.25}, (4, 3, 13, 18)),
        "identity_first": (dict(depth=10, filters=16), {"depth": 10, "width": 1}, (3, 3, 16, 16)),
        "kekmodel": (
            dict(depth=16, filters=4, raw=True, symmetric=True),
            {"depth": 16, "width": 0.25, "raw_transitions": True, "symmetric_padding": True},
            (4, 3, 12, 17),
        ),
        "bias": (
            dict(depth=10, filters=8, bias=True, leaky=0.2),
            {"depth": 10, "width": 0.5, "conv_bias": True, "leaky": 0.2},
            (4, 3, 16, 11),
        ),
        # UDA's code of February 2020, and of October 2019.
        "raw": (dict(depth=10, filters=8, leaky=0.0, shortcuts="raw"),
                {"depth": 10, "width": 0.5, "leaky": 0.0, "shortcuts": "raw"}, (4, 3, 12, 12)),
        "pooled": (dict(depth=10, filters=18, leaky=0.0, shortcuts="pooled"),
                   {"depth": 10, "width": 1.125, "leaky": 0.0, "shortcuts": "pooled"}, (4, 3, 14, 16)),
    }  # fmt: skip
    every = ["conv1.weight", "block1.layer.0.bn1.weight", "block2.layer.0.conv1.weight",
             "block3.layer.0.convShortcut.weight", "block3.layer.0.bn2.bias", "bn1.bias", "fc.weight"]  # fmt: skip
    for seed, (name, (args, config, shape)) in enumerate(cases.items()):
        torch.manual_seed(10 + seed)
        model = WideNet(**args)
        shake(model)
        state = {}
        for key, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                centre = 1 if tensor.ndim == 1 and key.endswith(("weight", "running_var")) else 0
                steps = ((tensor - centre) * 256).round().clamp(-128, 127)
                tensor.copy_(steps / 256 + centre)
                state[key] = (steps + 128).to(torch.uint8)
        weights = f"wide_resnet_{name}_weights"
        save_file(state, OUT / f"{weights}.safetensors")
        known = dict(model.named_parameters())
        # A net without convolutions around its blocks has another gradient in their place.
        grads = [g if g in known else g.replace("convShortcut", "conv2") for g in every]
        record(f"wide_resnet_{name}", model, images(shape), grads, {"kind": "wide-resnet"} | config, weights)


class Transformer(nn.Module):
    """DINOv2's net in timm's form, small; with the features of its linear evaluation if asked for.
    """

    def __init__(self, mean=False, **args):
        super().__init__()
        self.net = timm.models.vision_transformer.VisionTransformer(
            img_size=16, patch_size=4, embed_dim=48, depth=2, num_heads=3, init_values=0.5,
            num_classes=CLASSES, dynamic_img_size=True, **args)  # fmt: skip
        self.mean, self.prefix = mean, self.net.num_prefix_tokens
        if mean:
            self.net.head = nn.Linear(96, CLASSES)

    def forward(self, x):
        tokens = self.net.forward_features(x)
        features = tokens[:, 0]
        if self.mean:
            features = torch.cat([features, tokens[:, self.prefix :].mean(1)], 1)
        return self.net.head(features)

    def named_parameters(self, *args, **kwargs):
        return self.net.named_parameters(*args, **kwargs)


def vit():
    """Weights as those of the wide ResNets; positions and tokens are large enough to matter."""
    grads = ["cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight", "blocks.0.ls1.gamma",
             "blocks.1.norm2.weight", "blocks.1.mlp.fc1.bias", "norm.bias", "head.weight"]  # fmt: skip
    config = {"kind": "vit", "width": 48, "depth": 2, "heads": 3, "patch": 4, "side": 16}
    registers = {"registers": 4, "mean_patches": True}
    for seed, (name, args, more, shapes) in enumerate([
        ("vit", {}, {}, {"": (4, 3, 16, 16), "_wide": (2, 3, 12, 28), "_tall": (2, 3, 32, 8)}),
        ("vit_registers", dict(mean=True, reg_tokens=4, no_embed_class=True), registers, {"": (3, 3, 20, 24)}),
    ]):  # fmt: skip
        torch.manual_seed(20 + seed)
        model, state = Transformer(**args), {}
        for key, tensor in model.net.state_dict().items():
            centre = 1 if tensor.ndim == 1 and key.endswith("weight") else 0
            steps = (torch.randn_like(tensor) * 40).round().clamp(-128, 127)
            tensor.copy_(steps / 256 + centre)
            state[key] = (steps + 128).to(torch.uint8)
        save_file(state, OUT / f"{name}_weights.safetensors")
        for suffix, shape in shapes.items():
            model.zero_grad()
            record(f"{name}{suffix}", model, images(shape), grads, config | more, f"{name}_weights")


def names():
    """Names and shapes of the tensors of published checkpoints, without their values."""
    lines = []
    for size in [*(f"b{i}" for i in range(9)), "l2", *(f"lite{i}" for i in range(5))]:
        with torch.device("meta"):
            model = timm.create_model(f"tf_efficientnet_{size}", pretrained=False)
        lines.append(f"# {size}")
        lines += [f"{n} {' '.join(map(str, t.shape))}".strip() for n, t in model.state_dict().items()]
    for size, kind in itertools.product(["small", "base", "large"], ["", "reg4_"]):
        name = f"vit_{size}_patch14_{kind}dinov2"
        # timm reads the rates of stochastic depth, which therefore need values.
        with torch.device("meta"), mock.patch("torch.linspace", functools.partial(torch.linspace, device="cpu")):
            model = timm.create_model(name, pretrained=False, num_classes=1000)
        lines.append(f"# {name}")
        lines += [f"{n} {' '.join(map(str, t.shape))}".strip() for n, t in model.state_dict().items()]
    (OUT / "timm_names.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode(), 9, mtime=0))


OUT.mkdir(exist_ok=True)
efficientnet()
efficientnet_lite()
wide_resnet()
vit()
names()
