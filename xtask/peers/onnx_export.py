"""Whether other programs read what `tutor export` writes.

    python xtask/peers/onnx_export.py target/debug/tutor    # timm, torch, onnx, onnxruntime

Random nets of timm go through `tutor export`; what comes back gives timm's logits to 1e-4 of the
largest, in timm itself and in onnxruntime, at two sizes; vision transformers, DINOv2's with and
without registers, at the one that they are exported for. A small net and a Wide ResNet, which timm
has not, are trained for a few steps by `tutor run`; onnxruntime gives the probabilities that `tutor
predict` gives. Ends with an error where one does not.
"""

import csv
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import timm
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

# With the size that they are exported for.
NETS = {
    "tf_efficientnet_lite0": 96,
    "tf_efficientnet_b0": 96,
    "resnet50": 96,
    "vit_small_patch14_dinov2": 98,
    "vit_small_patch14_reg4_dinov2": 126,
}
CLASSES = ["ant", "bee, wild", "cat", "dog", "eel", "fox", "gnu"]
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
OWN = {
    "small-net": '{ kind = "small-net", width = 24, stages = 3 }',
    "wide-resnet": '{ kind = "wide-resnet", depth = 10, width = 1 }',
}


def call(tutor, *arguments, cwd):
    done = subprocess.run([tutor, *map(str, arguments)], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def session(path):
    onnx.checker.check_model(onnx.load(path), full_check=True)
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def same(name, ours, theirs):
    off = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    print(f"{name}: off by {off:.1e} of the largest of {theirs.size}")
    assert ours.shape == theirs.shape and off < 1e-4, name


def of_timm(tutor, folder, name, size):
    torch.manual_seed(3)
    is_vit = name.startswith("vit")
    further = {"dynamic_img_size": True} if is_vit else {}
    net = timm.create_model(name, num_classes=len(CLASSES), **further).eval()
    state = net.state_dict()
    for key, tensor in state.items():
        if key.endswith("running_var"):
            tensor.copy_(torch.rand_like(tensor) + 0.5)
        elif key.endswith("running_mean"):
            tensor.copy_(torch.randn_like(tensor) * 0.1)
        elif is_vit and key.split(".")[-1] in ("gamma", "cls_token", "reg_token", "pos_embed"):
            # Nearly nothing at first, so that a net without them would give the same.
            tensor.copy_(torch.randn_like(tensor) * 0.5)
    preprocess = {"size": size, "crop": 0.875, "interpolation": "bicubic", "mean": MEAN, "std": STD}
    meta = {"architecture": name, "classes": json.dumps(CLASSES), "preprocess": json.dumps(preprocess)}
    save_file(state, folder / "timm.safetensors", meta)
    call(tutor, "export", "--weights", "timm.safetensors", "--safetensors", "ours.safetensors", "--onnx", "ours.onnx", cwd=folder)
    with safe_open(folder / "ours.safetensors", "pt") as file:
        said = file.metadata()
    assert said["architecture"] == name and json.loads(said["classes"]) == CLASSES
    assert json.loads(said["preprocess"]) == preprocess
    again = timm.create_model(name, num_classes=len(CLASSES), checkpoint_path=str(folder / "ours.safetensors"), **further).eval()
    run = session(folder / "ours.onnx")
    texts = run.get_modelmeta().custom_metadata_map
    assert json.loads(texts["classes"]) == CLASSES and texts["architecture"] == name
    for shape in [(2, 3, size, size), (1, 3, size, size) if is_vit else (1, 3, 71, 50)]:
        pixels = torch.rand(shape)
        x = (pixels - torch.tensor(MEAN).view(-1, 1, 1)) / torch.tensor(STD).view(-1, 1, 1)
        with torch.no_grad():
            logits, ours = net(x).numpy(), again(x).numpy()
        same(f"{name} in timm at {shape}", ours, logits)
        same(f"{name} in onnxruntime at {shape}", run.run(["logits"], {"images": pixels.numpy()})[0], logits)


def of_ours(tutor, folder, name, net):
    random = np.random.default_rng(5)
    for part, count in [("labeled/a", 6), ("labeled/b", 6), ("unlabeled", 20)]:
        (folder / part).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            tint = 60 if part.endswith("a") or i % 2 == 0 else 0
            pixels = random.integers(0, 190, (32, 32, 3)) + [tint, 0, 60 - tint]
            Image.fromarray(pixels.astype(np.uint8)).save(folder / part / f"{i}.png")
    keys = ["data.labeled=labeled", "data.unlabeled=unlabeled", "train.steps=10", f"net={net}", "evaluate.batch=8"]
    call(tutor, "run", "fixmatch/folder", *[word for key in keys for word in ("--set", key)], cwd=folder)
    latest = "runs/fixmatch/latest"
    call(tutor, "predict", latest, "unlabeled", "--out", "labels.csv", cwd=folder)
    call(tutor, "export", latest, "--onnx", "own.onnx", cwd=folder)
    run = session(folder / "own.onnx")
    classes = json.loads(run.get_modelmeta().custom_metadata_map["classes"])
    with open(folder / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    read = [np.asarray(Image.open(folder / "unlabeled" / row["image"]), np.float32) for row in rows]
    pixels = np.stack(read).transpose(0, 3, 1, 2) / 255
    theirs = np.array([[float(row[f"p_{c}"]) for c in classes] for row in rows], np.float32)
    same(f"{name} in onnxruntime", run.run(["probabilities"], {"images": pixels})[0], theirs)


def main():
    tutor = pathlib.Path(sys.argv[1]).resolve()
    for name, size in NETS.items():
        with tempfile.TemporaryDirectory() as folder:
            of_timm(tutor, pathlib.Path(folder), name, size)
    for name, net in OWN.items():
        with tempfile.TemporaryDirectory() as folder:
            of_ours(tutor, pathlib.Path(folder), name, net)


if __name__ == "__main__":
    main()
