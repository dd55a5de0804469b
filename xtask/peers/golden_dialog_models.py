"""Golden arrays of `dialog-models`: the Evolved Transformer and the Transformer written from their
equations in plain PyTorch, one pair at a time in float64; transformers' GPT-2.

    python xtask/peers/golden_dialog_models.py # torch 2.11.0, transformers 4.57.1

Small random networks. Their weights are whole numbers of 1/64 in a byte each (0 is 128, and norms
are 1 more), so that files are small. The equations are those of tensor2tensor's
evolved_transformer.py (So, Liang, Le 2019, arXiv 1901.11117) with its norms before the layers.
"""

import json
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode
from transformers import GPT2Config, GPT2LMHeadModel

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/dialog-models/tests/golden"
torch.set_num_threads(1)

SHAPE = dict(vocabulary=23, hidden=8, heads=2, encoder_blocks=1, decoder_blocks=2, dropout=0.0, attention_dropout=0.0)
LENGTHS = [(9, 4), (3, 12), (5, 1), (9, 4)]
SMOOTHING = 0.1


def shapes(kind):
    """The tensors of a network by name."""
    h, v = SHAPE["hidden"], SHAPE["vocabulary"]
    out = {"embedding.weight": (v, h)}

    def norm(name, width=h):
        out[f"{name}.weight"] = out[f"{name}.bias"] = (width,)

    def linear(name, inputs, outputs):
        out[f"{name}.weight"], out[f"{name}.bias"] = (outputs, inputs), (outputs,)

    def attention(name):
        for part in ("query", "key", "value", "output"):
            out[f"{name}.{part}.weight"] = (h, h)

    def separable(name, taps, inputs, outputs):
        out[f"{name}.depthwise"] = (taps, inputs, 1)
        linear(f"{name}.pointwise", inputs, outputs)

    def feed_forward(at, inner_norm=False):
        norm(f"{at}.feed_forward.norm")
        linear(f"{at}.feed_forward.inner", h, 4 * h)
        if inner_norm:
            norm(f"{at}.feed_forward.inner_norm", 4 * h)
        linear(f"{at}.feed_forward.outer", 4 * h, h)

    for i in range(SHAPE["encoder_blocks"]):
        at = f"encoder.{i}"
        if kind == "evolved-transformer":
            norm(f"{at}.glu.norm")
            linear(f"{at}.glu.value", h, h)
            linear(f"{at}.glu.gate", h, h)
            norm(f"{at}.conv.norm")
            linear(f"{at}.conv.left", h, 4 * h)
            out[f"{at}.conv.right.weight"], out[f"{at}.conv.right.bias"] = (3, h, h // 2), (h // 2,)
            norm(f"{at}.conv.merged_norm", 4 * h)
            separable(f"{at}.conv.merged", 9, 4 * h, h // 2)
        norm(f"{at}.attention.norm")
        attention(f"{at}.attention")
        feed_forward(at)
    norm("encoder.norm")
    for i in range(SHAPE["decoder_blocks"]):
        at = f"decoder.{i}"
        if kind == "evolved-transformer":
            norm(f"{at}.first.norm")
            attention(f"{at}.first.attention")
            attention(f"{at}.first.memory")
            norm(f"{at}.conv.norm")
            separable(f"{at}.conv.left", 11, h, 2 * h)
            separable(f"{at}.conv.right", 7, h, h // 2)
            norm(f"{at}.conv.merged_norm", 2 * h)
            separable(f"{at}.conv.merged", 7, 2 * h, h)
        for part in ("attention", "memory"):
            norm(f"{at}.{part}.norm")
            attention(f"{at}.{part}")
        feed_forward(at, kind == "evolved-transformer")
    norm("decoder.norm")
    return out


def is_norm(name):
    return name.endswith("norm.weight") or ".ln_" in name and name.endswith(".weight")


def drawn(named_shapes, generator):
    """Weights that a byte can hold."""
    return {name: torch.randint(-24, 25, shape, generator=generator) for name, shape in named_shapes.items()}


def values(whole):
    return {n: (w.double() / 64 + (1 if is_norm(n) else 0)).requires_grad_() for n, w in whole.items()}


class Net:
    """One pair at a time: no padding, no masks but the causal one."""

    def __init__(self, kind, p):
        self.kind, self.p = kind, p
        # Operations that PyTorch's counter does not know as a product of matrices.
        self.depthwise = 0

    def norm(self, x, name):
        mean = x.mean(-1, keepdim=True)
        var = ((x - mean) ** 2).mean(-1, keepdim=True)
        return (x - mean) / torch.sqrt(var + 1e-6) * self.p[f"{name}.weight"] + self.p[f"{name}.bias"]

    def linear(self, x, name):
        return x @ self.p[f"{name}.weight"].T + self.p[f"{name}.bias"]

    def attention(self, q, kv, name, heads, causal=False):
        width = q.shape[1] // heads
        query, key, value = (
            (x @ self.p[f"{name}.{part}.weight"].T).view(-1, heads, width).transpose(0, 1)
            for part, x in (("query", q), ("key", kv), ("value", kv))
        )
        scores = query * width**-0.5 @ key.transpose(1, 2)
        if causal:
            scores = scores + torch.full_like(scores, float("-inf")).triu(1)
        mixed = (scores.softmax(-1) @ value).transpose(0, 1).reshape(q.shape)
        return mixed @ self.p[f"{name}.output.weight"].T

    def windows(self, x, before, after):
        """For each place the frames around it, zeros beyond the ends: [places, taps, width]."""
        padded = F.pad(x, (0, 0, before, after))
        return torch.stack([padded[i : i + before + after + 1] for i in range(len(x))])

    def separable(self, x, name, before, after):
        kernel = self.p[f"{name}.depthwise"][:, :, 0]
        self.depthwise += 2 * len(x) * kernel.numel()
        return self.linear((self.windows(x, before, after) * kernel).sum(1), f"{name}.pointwise")

    def feed_forward(self, x, at):
        at = f"{at}.feed_forward"
        inner = self.linear(self.norm(x, f"{at}.norm"), f"{at}.inner")
        if f"{at}.inner_norm.weight" in self.p:
            inner = self.norm(inner * torch.sigmoid(inner), f"{at}.inner_norm")
        else:
            inner = inner.relu()
        return x + self.linear(inner, f"{at}.outer")

    def placed(self, x):
        half = x.shape[1] // 2
        rates = 10000.0 ** (-torch.arange(half).double() / (half - 1))
        angles = torch.arange(len(x)).double()[:, None] * rates
        return x + torch.cat([angles.sin(), angles.cos()], 1)

    def embed(self, ids):
        return self.p["embedding.weight"][ids] * SHAPE["hidden"] ** 0.5

    def encode(self, ids):
        heads, h = SHAPE["heads"], SHAPE["hidden"]
        x = self.placed(self.embed(ids))
        for i in range(SHAPE["encoder_blocks"]):
            at = f"encoder.{i}"
            if self.kind == "evolved-transformer":
                n = self.norm(x, f"{at}.glu.norm")
                x = x + self.linear(n, f"{at}.glu.value") * torch.sigmoid(self.linear(n, f"{at}.glu.gate"))
                n = self.norm(x, f"{at}.conv.norm")
                left = self.linear(n, f"{at}.conv.left").relu()
                right = torch.einsum("lti,tio->lo", self.windows(n, 1, 1), self.p[f"{at}.conv.right.weight"])
                right = (right + self.p[f"{at}.conv.right.bias"]).relu()
                s = self.norm(left + F.pad(right, (0, 4 * h - h // 2)), f"{at}.conv.merged_norm")
                x = x + F.pad(self.separable(s, f"{at}.conv.merged", 4, 4), (0, h - h // 2))
            n = self.norm(x, f"{at}.attention.norm")
            x = x + self.attention(n, n, f"{at}.attention", heads)
            x = self.feed_forward(x, at)
        return self.norm(x, "encoder.norm")

    def logits(self, context, response):
        heads, h = SHAPE["heads"], SHAPE["hidden"]
        memory = self.encode(context)
        x = self.placed(F.pad(self.embed(response), (0, 0, 1, 0))[:-1])
        for i in range(SHAPE["decoder_blocks"]):
            at = f"decoder.{i}"
            if self.kind == "evolved-transformer":
                n = self.norm(x, f"{at}.first.norm")
                wide = max(min(2 * heads, 16), heads)
                own = self.attention(n, n, f"{at}.first.attention", wide, causal=True)
                x = x + own + self.attention(n, memory, f"{at}.first.memory", heads)
                n = self.norm(x, f"{at}.conv.norm")
                left = self.separable(n, f"{at}.conv.left", 10, 0).relu()
                right = self.separable(n, f"{at}.conv.right", 6, 0)
                s = self.norm(left + F.pad(right, (0, 2 * h - h // 2)), f"{at}.conv.merged_norm")
                x = x + self.separable(s, f"{at}.conv.merged", 6, 0)
            n = self.norm(x, f"{at}.attention.norm")
            x = x + self.attention(n, n, f"{at}.attention", heads, causal=True)
            x = x + self.attention(self.norm(x, f"{at}.memory.norm"), memory, f"{at}.memory", heads)
            x = self.feed_forward(x, at)
        return self.norm(x, "decoder.norm") @ self.p["embedding.weight"].T


def seq2seq(number, kind):
    generator = torch.Generator().manual_seed(number)
    whole = drawn(shapes(kind), generator)
    p = values(whole)
    net = Net(kind, p)
    logits, nll, smoothed, contexts, responses = [], [], [], [], []
    for context_length, response_length in LENGTHS:
        context, response = (
            torch.randint(0, SHAPE["vocabulary"], (n,), generator=generator) for n in (context_length, response_length)
        )
        z = net.logits(context, response)
        log_p = z - z.logsumexp(-1, keepdim=True)
        q = torch.full_like(z, SMOOTHING / z.shape[1])
        q[torch.arange(response_length), response] += 1 - SMOOTHING
        logits.append(z)
        nll.append(-log_p[torch.arange(response_length), response])
        smoothed.append(-(q * log_p).sum(-1))
        contexts.append(context)
        responses.append(response)
    loss = torch.cat(smoothed).mean()
    loss.backward()
    tensors = {f"weight.{n}": (w + 128).to(torch.uint8) for n, w in whole.items()}
    tensors |= {f"grad.{n}": w.grad.float() for n, w in p.items()}
    tensors |= {"logits": torch.cat(logits).float(), "nll": torch.cat(nll).float(), "loss": loss.float()}
    tensors |= {"contexts": torch.cat(contexts), "responses": torch.cat(responses)}
    tensors = {n: t.detach().contiguous() for n, t in tensors.items()}
    meta = {"config": SHAPE | {"architecture": kind}, "lengths": LENGTHS, "smoothing": SMOOTHING}
    save_file(tensors, OUT / f"{kind.replace('-', '_')}.safetensors", {"case": json.dumps(meta)})


def operations():
    """Operations of a forward pass as PyTorch counts them: products of matrices, two for each
    multiplication with its addition."""
    rows = []
    for kind in ("evolved-transformer", "transformer"):
        generator = torch.Generator().manual_seed(9)
        net = Net(kind, values(drawn(shapes(kind), generator)))
        for context, response in LENGTHS:
            net.depthwise = 0
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                net.logits(torch.zeros(context, dtype=torch.long), torch.zeros(response, dtype=torch.long))
            count = counter.get_total_flops() + net.depthwise
            rows.append({"architecture": kind, "context": context, "response": response, "operations": count})
    text = json.dumps({"config": SHAPE, "rows": rows}, indent=1)
    (OUT / "operations.json").write_text(text + "\n")


def gpt2():
    """A folder as transformers saves it, with the logits and losses of two sequences."""
    torch.manual_seed(5)
    config = GPT2Config(
        vocab_size=23, n_positions=24, n_embd=8, n_layer=2, n_head=2, bos_token_id=22, eos_token_id=22,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )
    model = GPT2LMHeadModel(config).eval()
    generator = torch.Generator().manual_seed(6)
    with torch.no_grad():
        for name, w in model.named_parameters():
            whole = torch.randint(-24, 25, w.shape, generator=generator)
            w.copy_(whole / 64 + (1 if is_norm(name) else 0))
    lengths = [11, 5]
    tensors = {}
    total = 0
    for i, n in enumerate(lengths):
        ids = torch.randint(0, 23, (n,), generator=generator)
        out = model(input_ids=ids[None], labels=ids[None])
        tensors |= {f"ids.{i}": ids, f"logits.{i}": out.logits[0]}
        total = total + out.loss * (n - 1)
    loss = total / sum(n - 1 for n in lengths)
    loss.backward()
    tensors["loss"] = loss
    tensors |= {f"grad.{n}": w.grad for n, w in model.named_parameters()}
    save_file({n: t.detach().contiguous() for n, t in tensors.items()}, OUT / "gpt2.safetensors")
    folder = OUT / "gpt2"
    folder.mkdir(exist_ok=True)
    for name in ("pytorch_model.bin", "model.safetensors"):
        (folder / name).unlink(missing_ok=True)
    # As DialoGPT is published: half precision, PyTorch's old format, buffers and the tied head.
    state = {n: w.half() for n, w in model.state_dict().items()}
    for i in range(2):
        state[f"transformer.h.{i}.attn.bias"] = torch.ones(24, 24).tril().to(torch.uint8)[None, None]
        state[f"transformer.h.{i}.attn.masked_bias"] = torch.tensor(-1e4).half()
    torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    keys = ("vocab_size", "n_positions", "n_ctx", "n_embd", "n_layer", "n_head", "layer_norm_epsilon", "eos_token_id")
    shown = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}
    whole = config.to_dict() | {"n_ctx": 24}
    text = json.dumps(shown | {k: whole[k] for k in keys}, indent=2)
    (folder / "config.json").write_text(text + "\n")


OUT.mkdir(parents=True, exist_ok=True)
seq2seq(1, "evolved-transformer")
seq2seq(2, "transformer")
operations()
gpt2()
