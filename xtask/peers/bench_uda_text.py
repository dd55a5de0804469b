"""UDA's training step on texts in PyTorch, and TF-IDF replacement in plain Python, as
`benches/uda_text_step.rs` does them here.

Started by `cargo xtask bench uda-text --peers`, one process a setting, which take turns:

    python xtask/peers/bench_uda_text.py DIR CASE THREADS PRECISION PASS

with float32 or bfloat16, and all texts of a step in one pass (joint, as the released code has it)
or the original ones apart without a graph (apart).

DIR holds the token ids of the case and texts.txt. Answers `steps N` with the median seconds of the
next N steps, `tf-idf S` with the texts that are changed in a second, and `peak` with the most
memory so far in MiB. The step is written as a careful user of PyTorch writes it: a batch is filled
up to its longest text, attention is the library's own operation, AdamW is its fused one. The
replacement follows the paper's formulas with the released code's tricks: random numbers and words
are drawn many at a time.
"""

import math
import resource
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

LABELED, RATIO, CLASSES = 8, 3, 2
HIDDEN, LAYERS, HEADS, INNER, VOCABULARY = 384, 6, 12, 1536, 30522


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(HIDDEN, 3 * HIDDEN)
        self.mixed = nn.Linear(HIDDEN, HIDDEN)
        self.mixed_norm = nn.LayerNorm(HIDDEN, 1e-12)
        self.inner = nn.Linear(HIDDEN, INNER)
        self.outer = nn.Linear(INNER, HIDDEN)
        self.norm = nn.LayerNorm(HIDDEN, 1e-12)

    def forward(self, x, mask):
        batch, length, _ = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        rate = 0.1 if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=rate)
        mixed = self.mixed(mixed.transpose(1, 2).reshape(batch, length, HIDDEN))
        x = self.mixed_norm(x + F.dropout(mixed, 0.1, self.training))
        outer = self.outer(F.gelu(self.inner(x)))
        return self.norm(x + F.dropout(outer, 0.1, self.training))


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, HIDDEN)
        self.positions = nn.Embedding(512, HIDDEN)
        self.segments = nn.Embedding(2, HIDDEN)
        self.norm = nn.LayerNorm(HIDDEN, 1e-12)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.pooler = nn.Linear(HIDDEN, HIDDEN)
        self.head = nn.Linear(HIDDEN, CLASSES)
        for name, tensor in self.named_parameters():
            if tensor.dim() > 1:
                nn.init.trunc_normal_(tensor, std=0.02, a=-0.04, b=0.04)
            elif name.endswith("bias"):
                nn.init.zeros_(tensor)

    def forward(self, ids, lengths):
        places = torch.arange(ids.shape[1])
        x = self.words(ids) + self.positions(places) + self.segments.weight[0]
        x = F.dropout(self.norm(x), 0.1, self.training)
        mask = None
        if int(lengths.min()) < ids.shape[1]:
            mask = (places < lengths[:, None])[:, None, None, :]
        for layer in self.layers:
            x = layer(x, mask)
        return self.head(F.dropout(torch.tanh(self.pooler(x[:, 0])), 0.1, self.training))


def filled(rows):
    """Ids filled up to the longest row, and lengths."""
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
    for to, row in zip(ids, rows, strict=True):
        to[: len(row)] = torch.tensor(row)
    return ids, lengths


def uda(x, labels, original, augmented, progress):
    eta = progress * (1 - 1 / CLASSES) + 1 / CLASSES
    each = F.cross_entropy(x.float(), labels, reduction="none")
    keep = (torch.exp(-each.detach()) <= eta).float()
    sup = (each * keep).sum() / keep.sum().clamp(min=1)
    target = torch.softmax(original.detach().float() / 0.85, -1)
    log = torch.log_softmax(augmented.float(), -1)
    return sup + F.kl_div(log, target, reduction="batchmean")


class Training:
    def __init__(self, folder, case, precision, one_pass):
        torch.manual_seed(1)
        self.net = Classifier().train()
        self.one_pass, self.step = one_pass, 0
        self.bfloat16 = precision == "bfloat16"
        self.optimizer = torch.optim.AdamW(self.net.parameters(), 2e-5, eps=1e-6, weight_decay=0.01, fused=True)
        lines = (folder / f"{case}.txt").read_text().splitlines()
        rows = [[int(token) for token in line.split()] for line in lines]
        count = LABELED * (1 + 2 * RATIO)
        self.batches = [rows[at : at + count] for at in range(0, len(rows), count)]
        self.labels = torch.arange(LABELED) % 2

    def run(self):
        began = time.perf_counter()
        rows = self.batches[self.step % len(self.batches)]
        self.step += 1
        unlabeled = LABELED * RATIO
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            if self.one_pass:
                x, original, augmented = self.net(*filled(rows)).split([LABELED, unlabeled, unlabeled])
            else:
                with torch.no_grad():
                    original = self.net(*filled(rows[LABELED : LABELED + unlabeled]))
                rest = rows[:LABELED] + rows[LABELED + unlabeled :]
                x, augmented = self.net(*filled(rest)).split([LABELED, unlabeled])
            loss = uda(x, self.labels, original, augmented, self.step / 10000)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        return time.perf_counter() - began


class Replacing:
    """Word replacement by TF-IDF (UDA, section 2.2)."""

    def __init__(self, texts):
        frequencies = Counter(word for text in texts for word in set(text))
        self.idf = {word: math.log(len(texts) / count) for word, count in frequencies.items()}
        scores = dict.fromkeys(self.idf, 0.0)
        for text in texts:
            for word in text:
                scores[word] += self.idf[word] / len(text)
        self.words = sorted(scores)
        gaps = np.array([max(scores.values()) - scores[word] for word in self.words])
        self.shares = gaps / gaps.sum()
        self.rng = np.random.default_rng(1)
        self.uniform, self.cache = [], []

    def number(self):
        if not self.uniform:
            self.uniform = self.rng.random(100_000).tolist()
        return self.uniform.pop()

    def word(self):
        if not self.cache:
            self.cache = self.rng.choice(len(self.words), len(self.words), p=self.shares).tolist()
        return self.words[self.cache.pop()]

    def replaced(self, text, probability):
        counts = Counter(text)
        scores = np.array([counts[word] * self.idf[word] / len(text) for word in text])
        gaps = scores.max() - scores
        chances = gaps / gaps.sum() * probability * len(text) if gaps.sum() > 0 else gaps
        return [self.word() if self.number() < chance else word for word, chance in zip(text, chances, strict=True)]


def speed(texts, seconds):
    replacing, done, began = Replacing(texts), 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for text in texts:
            replacing.replaced(text, 0.7)
        done += len(texts)
    return done / (time.perf_counter() - began)


def main():
    folder, case, threads, precision, one_pass = Path(sys.argv[1]), *sys.argv[2:]
    torch.set_num_threads(int(threads))
    training = Training(folder, case, precision, one_pass == "joint")
    for line in sys.stdin:
        question, *number = line.split()
        if question == "steps":
            answer = float(np.median([training.run() for _ in range(int(number[0]))]))
        elif question == "tf-idf":
            texts = [line.lower().split() for line in (folder / "texts.txt").read_text().splitlines()]
            answer = speed(texts, float(number[0]))
        else:
            answer = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(answer, flush=True)


if __name__ == "__main__":
    main()
