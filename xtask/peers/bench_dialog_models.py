"""Training steps of the Evolved Transformer in PyTorch, and twenty replies of a GPT-2 with
transformers' `generate`, as `benches/dialog_models.rs` does them here.

Started by `cargo xtask bench dialog --peers`, one process a setting, which take turns:

    python xtask/peers/bench_dialog_models.py step DIR THREADS PRECISION eager|compile
    python xtask/peers/bench_dialog_models.py reply DIR THREADS PRECISION

DIR holds token ids, a line a text. Answers `steps N` with the median seconds of the next N steps,
`reply` with the seconds that 20 replies of 32 tokens and their scores take, `first` with those
until each has its first token, `tokens` with the tokens that were written last, and `peak` with
the most memory so far in MiB. The step is written as a careful user of PyTorch writes it: batches
are filled up to their longest text (where it is compiled, to the longest of all), attention is the
library's own operation, only real tokens reach the vocabulary, AdamW is the fused one. The
equations are those of golden_dialog_models.py.
"""

import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

PAIRS, NEW, CANDIDATES = 32, 32, 20
LONGEST = 128, 64
VOCABULARY, HIDDEN, HEADS, ENCODERS, DECODERS, RATE = 8192, 256, 4, 1, 2, 0.1


class Attention(nn.Module):
    def __init__(self, heads=HEADS):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (nn.Linear(HIDDEN, HIDDEN, bias=False) for _ in range(4))

    def forward(self, x, seen, mask=None, causal=False):
        def split(y):
            return y.view(y.shape[0], y.shape[1], self.heads, -1).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(seen)), split(self.value(seen))
        rate = RATE if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=rate, is_causal=causal)
        return self.output(mixed.transpose(1, 2).reshape(x.shape))


class Separable(nn.Module):
    def __init__(self, taps, inputs, outputs, causal):
        super().__init__()
        self.pad = (taps - 1, 0) if causal else (taps // 2, taps // 2)
        self.depthwise = nn.Conv1d(inputs, inputs, taps, groups=inputs, bias=False)
        self.pointwise = nn.Linear(inputs, outputs)

    def forward(self, x):
        x = self.depthwise(F.pad(x.transpose(1, 2), self.pad))
        return self.pointwise(x.transpose(1, 2))


class Perceptron(nn.Module):
    def __init__(self, swish):
        super().__init__()
        self.norm = nn.LayerNorm(HIDDEN, 1e-6)
        self.inner, self.outer = nn.Linear(HIDDEN, 4 * HIDDEN), nn.Linear(4 * HIDDEN, HIDDEN)
        self.inner_norm = nn.LayerNorm(4 * HIDDEN, 1e-6) if swish else None

    def forward(self, x):
        inner = self.inner(self.norm(x))
        inner = F.relu(inner) if self.inner_norm is None else self.inner_norm(F.silu(inner))
        return self.outer(F.dropout(inner, RATE, self.training))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        h = HIDDEN
        self.norms = nn.ModuleList(nn.LayerNorm(h, 1e-6) for _ in range(3))
        self.glu_value, self.glu_gate = nn.Linear(h, h), nn.Linear(h, h)
        self.left, self.right = nn.Linear(h, 4 * h), nn.Conv1d(h, h // 2, 3, padding=1)
        self.merged_norm, self.merged = nn.LayerNorm(4 * h, 1e-6), Separable(9, 4 * h, h // 2, False)
        self.attention, self.perceptron = Attention(), Perceptron(False)

    def forward(self, x, real, mask):
        def drop(y):
            return F.dropout(y, RATE, self.training)

        n = self.norms[0](x)
        x = x + drop(self.glu_value(n) * torch.sigmoid(self.glu_gate(n)))
        n = self.norms[1](x) * real
        right = drop(F.relu(self.right(n.transpose(1, 2)).transpose(1, 2)))
        both = drop(F.relu(self.left(n))) + F.pad(right, (0, 4 * HIDDEN - HIDDEN // 2))
        x = x + drop(F.pad(self.merged(self.merged_norm(both) * real), (0, HIDDEN - HIDDEN // 2)))
        n = self.norms[2](x)
        x = x + drop(self.attention(n, n, mask))
        return x + drop(self.perceptron(x))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        h = HIDDEN
        self.norms = nn.ModuleList(nn.LayerNorm(h, 1e-6) for _ in range(4))
        self.first, self.first_memory = Attention(max(min(2 * HEADS, 16), HEADS)), Attention()
        self.left, self.right = Separable(11, h, 2 * h, True), Separable(7, h, h // 2, True)
        self.merged_norm, self.merged = nn.LayerNorm(2 * h, 1e-6), Separable(7, 2 * h, h, True)
        self.attention, self.memory, self.perceptron = Attention(), Attention(), Perceptron(True)

    def forward(self, x, memory, mask):
        def drop(y):
            return F.dropout(y, RATE, self.training)

        n = self.norms[0](x)
        x = x + drop(self.first(n, n, causal=True)) + drop(self.first_memory(n, memory, mask))
        n = self.norms[1](x)
        both = drop(F.relu(self.left(n))) + F.pad(drop(self.right(n)), (0, 2 * HIDDEN - HIDDEN // 2))
        x = x + drop(self.merged(self.merged_norm(both)))
        n = self.norms[2](x)
        x = x + drop(self.attention(n, n, causal=True))
        x = x + drop(self.memory(self.norms[3](x), memory, mask))
        return x + drop(self.perceptron(x))


class Seq2Seq(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, HIDDEN)
        nn.init.normal_(self.words.weight, std=HIDDEN**-0.5)
        self.encoders = nn.ModuleList(Encoder() for _ in range(ENCODERS))
        self.decoders = nn.ModuleList(Decoder() for _ in range(DECODERS))
        self.encoded, self.decoded = nn.LayerNorm(HIDDEN, 1e-6), nn.LayerNorm(HIDDEN, 1e-6)
        half = HIDDEN // 2
        angles = torch.arange(256)[:, None] * 10000.0 ** (-torch.arange(half) / (half - 1))
        self.register_buffer("places", torch.cat([angles.sin(), angles.cos()], 1))

    def placed(self, x):
        return F.dropout(x + self.places[: x.shape[1]], RATE, self.training)

    def forward(self, context, real, response, written, truth):
        """`written` are the places of real tokens of the flattened responses, `truth` these."""
        mask = real[:, None, None, :]
        x = self.placed(self.words(context) * HIDDEN**0.5)
        for encoder in self.encoders:
            x = encoder(x, real[:, :, None], mask)
        memory = self.encoded(x)
        x = self.placed(F.pad(self.words(response) * HIDDEN**0.5, (0, 0, 1, 0))[:, :-1])
        for decoder in self.decoders:
            x = decoder(x, memory, mask)
        x = self.decoded(x.reshape(-1, HIDDEN)[written])
        return F.cross_entropy(F.linear(x, self.words.weight).float(), truth)


def read(path):
    return [[int(token) for token in line.split()] for line in path.read_text().splitlines()]


def filled(rows, width):
    ids = torch.zeros(len(rows), max(width, *map(len, rows)), dtype=torch.long)
    real = torch.zeros_like(ids, dtype=torch.bool)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        real[i, : len(row)] = True
    return ids, real


class Training:
    def __init__(self, folder, precision, mode):
        torch.manual_seed(1)
        self.net = Seq2Seq().train()
        self.compiled = mode == "compile"
        self.forward = torch.compile(self.net) if self.compiled else self.net
        self.bfloat16 = precision == "bfloat16"
        self.optimizer = torch.optim.AdamW(self.net.parameters(), 1e-3, weight_decay=0.01, fused=True)
        # Any two lengths are compiled anew, in a minute or two: what is compiled gets one pair.
        self.longest = LONGEST if self.compiled else (0, 0)
        rows = read(folder / "pairs.txt")
        parts = [rows[at : at + 2 * PAIRS] for at in range(0, len(rows), 2 * PAIRS)]
        # As ours are: made before the time is taken.
        self.batches = [self.batch(part) for part in parts]
        self.step = 0

    def batch(self, rows):
        context, real = filled(rows[::2], self.longest[0])
        response, written = filled(rows[1::2], self.longest[1])
        written = written.view(-1).nonzero()[:, 0]
        return context, real, response, written, response.view(-1)[written]

    def run(self):
        began = time.perf_counter()
        batch = self.batches[self.step % len(self.batches)]
        self.step += 1
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            loss = self.forward(*batch)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        return time.perf_counter() - began


class Replying:
    def __init__(self, folder, precision):
        from transformers import GPT2Config, GPT2LMHeadModel

        torch.manual_seed(1)
        self.net = GPT2LMHeadModel(GPT2Config()).eval().to(getattr(torch, precision))
        self.end = self.net.config.eos_token_id
        self.prompt = torch.tensor(read(folder / "prompt.txt"))
        self.written = 0

    def run(self, most):
        began = time.perf_counter()
        with torch.inference_mode():
            out = self.net.generate(
                self.prompt, attention_mask=torch.ones_like(self.prompt), do_sample=True, temperature=0.88, top_k=0,
                num_return_sequences=CANDIDATES, max_new_tokens=most, pad_token_id=self.end, output_logits=True,
                return_dict_in_generate=True,
            )
            new = out.sequences[:, self.prompt.shape[1] :]
            # ln p of each token without temperature, the mean over those that were written.
            real = (new == self.end).cumsum(1).sub((new == self.end).long()) == 0
            log_p = torch.stack([
                logits.float().log_softmax(-1).gather(1, token[:, None])[:, 0]
                for logits, token in zip(out.logits, new.unbind(1), strict=True)
            ], 1)
            ((log_p * real).sum(1) / real.sum(1)).argmax().item()
        self.written = int(real.sum())
        return time.perf_counter() - began


def main():
    what, folder, threads, precision, *mode = sys.argv[1:]
    torch.set_num_threads(int(threads))
    side = Training(Path(folder), precision, mode[0]) if what == "step" else Replying(Path(folder), precision)
    for line in sys.stdin:
        question, *number = line.split()
        if question == "steps":
            answer = float(np.median([side.run() for _ in range(int(number[0]))]))
        elif question in ("reply", "first"):
            answer = side.run(NEW if question == "reply" else 1)
        elif question == "tokens":
            answer = side.written
        else:
            answer = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(answer, flush=True)


if __name__ == "__main__":
    main()
