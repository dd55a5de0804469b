"""Golden files of `weights`: what PyTorch, NumPy and safetensors write, and the values in it.

    python xtask/peers/golden_weights.py    # torch 2.11.0, numpy 2.4.6 and safetensors 0.8.0

Most files hold the tensors of `values.safetensors`, in another format or further in. The numbers of
the tensors are small integers, so that every kind of number holds them.
"""

import argparse
import collections
import io
import json
import pathlib
import pickle
import struct
import sys
import types
import warnings
import zipfile
from unittest import mock

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/weights/tests/golden"


class Opaque:
    """A class that no reader knows."""

    def __init__(self):
        self.inner = {"n": 3}


class Tiny(nn.Module):
    """A module with parameters, buffers of both sorts and a part that is not there."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
        self.none = None
        self.register_buffer("passing", torch.ones(2), persistent=False)
        self.register_parameter("absent", None)


def tensors():
    """Every kind of number, and tensors that are part of a storage or do not lie in one piece."""
    base = torch.arange(24, dtype=torch.float32)
    return {
        "f32": base.view(2, 3, 4),
        "transposed": base.view(4, 6).t(),
        "part": base[5:11].view(2, 3),
        "every_other": base[1::2],
        "expanded": base[3:4].expand(2, 3),
        "parameter": nn.Parameter(base[:4].clone()),
        "f64": base[:3].double(),
        "f16": base[:3].half(),
        "bf16": base[:3].bfloat16(),
        "i64": torch.tensor([-2, 2**40]),
        "i32": torch.tensor([-2, 5], dtype=torch.int32),
        "i16": torch.tensor([-2, 5], dtype=torch.int16),
        "i8": torch.tensor([-2, 5], dtype=torch.int8),
        "u8": torch.tensor([2, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(7.0),
        "empty": torch.zeros(0, 3),
    }


def legacy(value, path):
    """Saves as PyTorch did before 1.6. Its storages are named by their addresses, and modules come
    with their source code: here they get numbers, and no code."""
    numbers = {}

    def no_code(module):
        raise OSError(f"no source code of {module}")

    def key(address):
        return f"{numbers.setdefault(address, 1000 + len(numbers))}"

    with mock.patch.multiple(torch.serialization, create=True, str=key, get_source_lines_and_file=no_code):
        with open(path, "wb") as out:
            torch.serialization._legacy_save(value, out, pickle, 2)


def checkpoint():
    """What a training script keeps: weights, their average, an optimiser, settings, a generator."""
    net = nn.Sequential(nn.Linear(2, 2))
    optimiser = torch.optim.AdamW(net.parameters())
    net(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    ones, twos = torch.ones(2, 2), torch.full((2, 2), 2.0)
    return {
        "epoch": 3,
        "arch": "resnet50",
        "state_dict": {"module.fc.weight": ones, "module.fc.bias": ones[0]},
        "state_dict_ema": collections.OrderedDict({"module.fc.weight": twos, "module.fc.bias": twos[0]}),
        "optimizer": optimiser.state_dict(),
        "args": argparse.Namespace(lr=0.1, dtype=torch.bfloat16, size=torch.Size([2, 3])),
        "best": np.float64(71.5),
        "random": np.random.RandomState(0).get_state(),
        "history": collections.defaultdict(list, loss=[1.0, 0.5]),
        "opaque": Opaque(),
    }


def big_endian(source, target):
    """The archive as a big-endian machine writes it."""
    widths = {}
    with zipfile.ZipFile(source) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}

        class Reader(pickle.Unpickler):
            def persistent_load(self, pid):
                _, storage, key, _, _ = pid
                widths[key] = torch._utils._element_size(storage.dtype)
                return torch.UntypedStorage(0)

            def find_class(self, module, name):
                if name == "_rebuild_tensor_v2":
                    return lambda *args: None
                return super().find_class(module, name)

        Reader(io.BytesIO(files["values/data.pkl"])).load()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            if name == "values/byteorder":
                data = b"big"
            elif name.startswith("values/data/"):
                width = widths[name.rsplit("/", 1)[1]]
                data = b"".join(data[i : i + width][::-1] for i in range(0, len(data), width))
            archive.writestr(zipfile.ZipInfo(name), data)


def arrays():
    """What NumPy's pickles hold."""
    return {
        "data": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        "big": np.arange(3, dtype=">i4"),
        "bool": np.array([True, False]),
        "scalars": [np.float32(1.5), np.int8(-3), np.uint64(2**63), np.bool_(True)],
        "texts": ["ä", "\N{GRINNING FACE}"],
        "bytes": b"\x00\xff",
        "ints": [0, -1, 255, 65535, -(2**31), 2**40, 2**80],
        "objects": np.array([None, "x"], dtype=object),
        "set": {1},
        "nested": (None, True, 2.5, [[]], {}),
    }


def python2():
    """How Python 2 wrote CIFAR-10's batches, by protocol 2: its strings are bytes."""

    def string(data):
        if len(data) < 256:
            return b"U" + bytes([len(data)]) + data
        return b"T" + struct.pack("<i", len(data)) + data

    out = b"\x80\x02}q\x01(" + string(b"batch_label") + b"q\x02" + string(b"testing batch 1 of 1")
    out += string(b"labels") + b"]q\x03(K\x03K\x08e"
    out += string(b"data") + b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85"
    out += string(b"b") + b"\x87R(K\x01K\x02M\x80\x00\x86cnumpy\ndtype\n" + string(b"u1") + b"K\x00K\x01\x87R"
    out += b"(K\x03" + string(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
    return out + string(bytes(range(256))) + b"tb" + string(b"filenames") + b"](" + string(b"a.png") + b"eu."


def main():
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    # Whatever the name of this script's module is when it is run.
    Opaque.__module__ = Tiny.__module__ = "somewhere"
    values = tensors()
    plain = {key: value.detach().clone(memory_format=torch.contiguous_format) for key, value in values.items()}
    save_file(plain, OUT / "values.safetensors", metadata={"format": "pt"})
    module = types.ModuleType("somewhere")
    module.Opaque, module.Tiny = Opaque, Tiny
    sys.modules["somewhere"] = module
    torch.save(values, OUT / "values.pth")
    legacy(values, OUT / "values_legacy.pth")
    big_endian(OUT / "values.pth", OUT / "values_big_endian.pth")
    torch.save({"u16": torch.tensor([1, 65535], dtype=torch.uint16)}, OUT / "unsigned.pth")
    torch.save(checkpoint(), OUT / "checkpoint.pth")
    legacy(checkpoint(), OUT / "checkpoint_legacy.pth")
    net = Tiny()
    with torch.no_grad():
        for number, tensor in enumerate(net.state_dict().values()):
            tensor.fill_(number)
    torch.save({"model": net}, OUT / "module.pth")
    legacy(net, OUT / "module_legacy.pth")
    torch.save({"q": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}, OUT / "quantised.pth")
    for protocol in range(6):
        (OUT / f"arrays_{protocol}.pkl").write_bytes(pickle.dumps(arrays(), protocol))
    (OUT / "python2.pkl").write_bytes(python2())
    shards = {"a": ["f32", "i64"], "b": ["f16"]}
    for name, keys in shards.items():
        part = {key: plain[key] for key in keys}
        save_file(part, OUT / f"shard_{name}.safetensors")
        torch.save(part, OUT / f"shard_{name}.bin")
    for ending in ["safetensors", "bin"]:
        index = {key: f"shard_{name}.{ending}" for name, keys in shards.items() for key in keys}
        text = json.dumps({"metadata": {}, "weight_map": index}, indent=1)
        (OUT / f"shards_{ending}.index.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
