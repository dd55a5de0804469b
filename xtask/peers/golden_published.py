"""Golden names of `vision-models`: which tensor of which code base is which of ours.

    python xtask/peers/golden_published.py    # timm 1.0.9, torchvision 0.26.0, transformers 4.57.1

Writes `published_names.txt.gz`: for each code base lines `THEIRS OURS [PART OF OURS]`. That the
pairs are right is shown here: a random net of timm (torchvision for ResNet), whose names are ours,
and one of the other code base with the same tensors give the same outputs.
"""

import gzip
import pathlib
from functools import partial

import timm
import torch
import torchvision
import transformers
from efficientnet_lite_pytorch import model as lukemelas
from efficientnet_lite_pytorch import utils as lukemelas_utils
from timm.models import efficientnet as timm_efficientnet
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torchvision.models import efficientnet as tv_efficientnet

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/vision-models/tests/golden"
CLASSES, WIDTH, DEPTH = 7, 0.5, 1.1


def names(model):
    return [name for name in model.state_dict() if not name.endswith(("num_batches_tracked", "mask_token"))]


def in_order(theirs, ours):
    """Pairs the tensors of two nets that make them in the same order."""
    a, b = names(theirs), names(ours)
    assert len(a) == len(b), (len(a), len(b))
    return [(x, y, 0) for x, y in zip(a, b)]


def shake(model):
    """Random values for all tensors, so that none hides behind another."""
    torch.manual_seed(len(names(model)))
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            positive = tensor.ndim == 1 and name.endswith(("running_var", "weight"))
            tensor.copy_(torch.rand_like(tensor) + 0.5 if positive else torch.randn_like(tensor) * 0.2)


def section(title, theirs, ours, pairs, x, state=lambda state: state):
    """The lines of one code base. `state` changes our tensors to what theirs are."""
    theirs, ours, x = theirs.double(), ours.double(), x.double()
    shake(ours)
    values, target = state(ours.state_dict()), theirs.state_dict()
    parts = {name: sum(1 for _, our, _ in pairs if our == name) for _, name, _ in pairs}
    for their, our, part in pairs:
        value = values[our].chunk(parts[our])[part]
        assert target[their].shape == value.shape, (their, our)
        target[their].copy_(value)
    with torch.no_grad():
        a, b = theirs.eval()(x), ours.eval()(x)
    a = getattr(a, "logits", a).flatten(1)
    difference = (a - b.flatten(1)).abs().max().item() / b.abs().max().item()
    assert difference < 1e-9, (title, difference)
    print(f"{title}: {len(pairs)} tensors, outputs differ by {difference:.1e}")
    lines = [f"{their} {our}" if parts[our] == 1 else f"{their} {our} {part}" for their, our, part in pairs]
    return [f"# {title}", *lines]


def timm_b0():
    return timm_efficientnet._gen_efficientnet(
        "tf_efficientnet_b0", channel_multiplier=WIDTH, depth_multiplier=DEPTH, num_classes=CLASSES,
        bn_eps=1e-3, pad_type="same")  # fmt: skip


def timm_lite():
    return timm_efficientnet._gen_efficientnet_lite(
        "tf_efficientnet_lite1", channel_multiplier=WIDTH, depth_multiplier=DEPTH, num_classes=CLASSES,
        bn_eps=1e-3, pad_type="same")  # fmt: skip


def lukemelas_net(make):
    blocks, config = make(WIDTH, DEPTH, num_classes=CLASSES)
    return lukemelas.EfficientNet(blocks, config)


def torchvision_b0():
    config = partial(tv_efficientnet.MBConvConfig, width_mult=WIDTH, depth_mult=DEPTH)
    stages = [
        config(1, 3, 1, 32, 16, 1), config(6, 3, 2, 16, 24, 2), config(6, 5, 2, 24, 40, 2),
        config(6, 3, 2, 40, 80, 3), config(6, 5, 1, 80, 112, 3), config(6, 5, 2, 112, 192, 4),
        config(6, 3, 1, 192, 320, 1),
    ]  # fmt: skip
    norm = partial(nn.BatchNorm2d, eps=1e-3)
    net = tv_efficientnet.EfficientNet(stages, 0.0, num_classes=CLASSES, norm_layer=norm, last_channel=640)
    return net


def transformers_b0():
    config = transformers.EfficientNetConfig(
        width_coefficient=WIDTH, depth_coefficient=DEPTH, hidden_dim=640, num_labels=CLASSES, dropout_rate=0.0)  # fmt: skip
    return transformers.EfficientNetForImageClassification(config)


def efficientnets():
    # On sides of 2^n + 1 pixels, PyTorch's symmetric padding is TensorFlow's; on sides of 2^n, that
    # of Keras is, which transformers has.
    odd, even = (torch.randn(2, 3, n, n, generator=torch.Generator().manual_seed(1)) for n in (33, 64))
    lines = []
    for title, x, theirs, ours in [
        ("lukemelas", odd, lukemelas_net(lukemelas_utils.efficientnet), timm_b0()),
        ("lukemelas-lite", odd, lukemelas_net(lukemelas_utils.efficientnet_lite), timm_lite()),
        ("torchvision-efficientnet", odd, torchvision_b0(), timm_b0()),
        ("transformers-efficientnet", even, transformers_b0(), timm_b0()),
    ]:
        lines += section(title, theirs, ours, in_order(theirs, ours), x)
    return lines


def resnets():
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    make = partial(torchvision.models.resnet.ResNet, torchvision.models.resnet.Bottleneck, [1, 2, 1, 1], num_classes=CLASSES)
    config = transformers.ResNetConfig(depths=[1, 2, 1, 1], num_labels=CLASSES)
    theirs, ours = transformers.ResNetForImageClassification(config), make()
    # The shortcut is made before the convolutions there, and after them here.
    pairs, rest = [], {name: None for name in names(ours)}
    for their in names(theirs):
        shortcut = ".shortcut." in their
        our = next(name for name in rest if ("downsample" in name) == shortcut)
        del rest[our]
        pairs.append((their, our, 0))
    lines = section("transformers-resnet", theirs, ours, pairs, x)
    trunk, ours = make(), make()
    trunk = nn.Sequential(*list(trunk.children())[:-1])
    ours.fc = nn.Identity()
    return lines + section("sequential-resnet", trunk, ours, in_order(trunk, ours), x)


def vits():
    x = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(3))
    size = dict(image_size=28, patch_size=14, hidden_size=12, num_hidden_layers=2, num_attention_heads=2)
    timm_size = dict(img_size=28, patch_size=14, embed_dim=12, depth=2, num_heads=2, num_classes=CLASSES)
    outer = [
        ("embeddings.cls_token", "cls_token"), ("embeddings.position_embeddings", "pos_embed"),
        *both("embeddings.patch_embeddings.projection", "patch_embed.proj"), *both("layernorm", "norm"),
    ]  # fmt: skip
    attention = [
        (f"attention.attention.{name}.{last}", f"attn.qkv.{last}", part)
        for part, name in enumerate(["query", "key", "value"]) for last in ["weight", "bias"]
    ] + both("attention.output.dense", "attn.proj")  # fmt: skip
    plain = both("layernorm_before", "norm1") + both("layernorm_after", "norm2")
    plain += both("intermediate.dense", "mlp.fc1") + both("output.dense", "mlp.fc2")
    dinov2 = both("norm1", "norm1") + both("norm2", "norm2") + both("mlp.fc1", "mlp.fc1") + both("mlp.fc2", "mlp.fc2")
    dinov2 += [("layer_scale1.lambda1", "ls1.gamma"), ("layer_scale2.lambda1", "ls2.gamma")]

    config = transformers.ViTConfig(**size, intermediate_size=48, num_labels=CLASSES, layer_norm_eps=1e-6)
    theirs, ours = transformers.ViTForImageClassification(config), VisionTransformer(**timm_size)
    pairs = blocks("vit", outer, attention + plain) + [(f"classifier.{x}", f"head.{x}", 0) for x in ["weight", "bias"]]
    lines = section("transformers-vit", theirs, ours, pairs, x)

    timm_size |= dict(num_classes=0, init_values=1.0, global_pool="token")
    config = transformers.Dinov2Config(**size, mlp_ratio=4)
    theirs, ours = ClassToken(transformers.Dinov2Model(config)), VisionTransformer(**timm_size)
    lines += section("transformers-dinov2", theirs, ours, blocks("net", outer, attention + dinov2), x)

    # With registers timm has no position of the class token: it is added to the token there.
    config = transformers.Dinov2WithRegistersConfig(**size, mlp_ratio=4, num_register_tokens=4)
    theirs = ClassToken(transformers.Dinov2WithRegistersModel(config))
    ours = VisionTransformer(**timm_size, reg_tokens=4, no_embed_class=True)

    def state(values):
        position = torch.full((1, 1, 12), 0.25)
        return values | {
            "cls_token": values["cls_token"] - position,
            "pos_embed": torch.cat([position, values["pos_embed"]], 1),
        }

    outer = outer + [("embeddings.register_tokens", "reg_token")]
    return lines + section("transformers-registers", theirs, ours, blocks("net", outer, attention + dinov2), x, state=state)


class ClassToken(nn.Module):
    """The class token behind the last norm, which is what timm's net without a head gives."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x).last_hidden_state[:, 0]


def both(theirs, ours):
    return [(f"{theirs}.{last}", f"{ours}.{last}") for last in ["weight", "bias"]]


def blocks(model, outer, block):
    """Pairs of two blocks and what is around them."""
    pairs = [(f"{model}.{theirs}", ours, 0) for theirs, ours in outer]
    for number in range(2):
        for theirs, ours, *part in block:
            pairs.append((f"{model}.encoder.layer.{number}.{theirs}", f"blocks.{number}.{ours}", *(part or [0])))
    return pairs


def main():
    lines = efficientnets() + resnets() + vits()
    # A wrapper of ours is not part of the name.
    text = "\n".join(line.removeprefix("net.") for line in lines) + "\n"
    (OUT / "published_names.txt.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
