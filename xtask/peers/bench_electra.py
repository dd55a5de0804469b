"""ELECTRA's steps in PyTorch, fine-tuning and prediction with transformers, and files of tokens in
plain Python, as `benches/electra.rs` does them here.

Started by `cargo xtask bench electra --peers`, one process a setting, which take turns:

    python xtask/peers/bench_electra.py PRESET DIR THREADS PRECISION eager|compile
    python xtask/peers/bench_electra.py finetune DIR THREADS PRECISION
    python xtask/peers/bench_electra.py predict DIR THREADS PRECISION BATCH
    python xtask/peers/bench_electra.py build|tokenize DIR THREADS PRECISION

Answers `steps N` with the median seconds of the next N steps, `predict`, `build` with the seconds
that these take, `sequences` with how many sequences were made, `yes` with the mean probability of
the second class, and `peak` with the most memory so far in MiB. The pre-training step is written as
a careful user of PyTorch writes it: attention is the library's own operation, only the masked
places reach the vocabulary, both networks share their embeddings, AdamW is the fused one; what is
compiled has one shape. Fine-tuning fills a batch up to its longest text. Files of tokens are made
by the rule of section 3.2 of the released code's builder with transformers' tokenizer in Python,
which is Google's; `tokenize` is the package `tokenizers` alone on the same lines.
"""

import array
import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

VOCABULARY, TEXTS, LONGEST, WEIGHT, RATE = 30522, 32, 128, 50.0, 0.1
# Layers, width, width of embeddings, the generator's part, sequences of a step.
PRESETS = {
    "tiny": (4, 128, 128, 0.5, 64),
    "mini": (6, 192, 128, 0.5, 64),
    "small": (12, 256, 128, 0.25, 16),
}


class Layer(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.heads = max(1, hidden // 64)
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.mixed = nn.Linear(hidden, hidden)
        self.mixed_norm = nn.LayerNorm(hidden, 1e-12)
        self.inner = nn.Linear(hidden, 4 * hidden)
        self.outer = nn.Linear(4 * hidden, hidden)
        self.norm = nn.LayerNorm(hidden, 1e-12)

    def forward(self, x, mask):
        batch, length, hidden = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        rate = RATE if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=rate)
        mixed = self.mixed(mixed.transpose(1, 2).reshape(batch, length, hidden))
        x = self.mixed_norm(x + F.dropout(mixed, RATE, self.training))
        outer = self.outer(F.gelu(self.inner(x)))
        return self.norm(x + F.dropout(outer, RATE, self.training))


class Encoder(nn.Module):
    def __init__(self, layers, hidden, embedding):
        super().__init__()
        self.project = nn.Linear(embedding, hidden) if embedding != hidden else nn.Identity()
        self.layers = nn.ModuleList(Layer(hidden) for _ in range(layers))

    def forward(self, x, mask):
        x = self.project(x)
        for layer in self.layers:
            x = layer(x, mask)
        return x


class Embeddings(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.words, self.positions, self.segments = (nn.Embedding(n, width) for n in (VOCABULARY, 512, 2))
        self.norm = nn.LayerNorm(width, 1e-12)

    def forward(self, ids, segments):
        places = self.positions.weight[: ids.shape[1]]
        x = self.words(ids) + places + self.segments(segments)
        return F.dropout(self.norm(x), RATE, self.training)


class Electra(nn.Module):
    def __init__(self, layers, hidden, embedding, fraction):
        super().__init__()
        narrow = round(hidden * fraction)
        self.embeddings = Embeddings(embedding)
        self.generator = Encoder(layers, narrow, embedding)
        self.discriminator = Encoder(layers, hidden, embedding)
        self.transform, self.transform_norm = nn.Linear(narrow, embedding), nn.LayerNorm(embedding, 1e-12)
        self.bias = nn.Parameter(torch.zeros(VOCABULARY))
        self.dense, self.head = nn.Linear(hidden, hidden), nn.Linear(hidden, 1)
        for name, tensor in self.named_parameters():
            if tensor.dim() > 1:
                nn.init.trunc_normal_(tensor, std=0.02, a=-0.04, b=0.04)
            elif name.endswith("bias"):
                nn.init.zeros_(tensor)

    def forward(self, ids, segments, masked, real, mask, places, firsts, weights):
        """`places` are the filled-in ones of the flattened batch, `firsts` for each the first one
        at the same place, `weights` 0 at those that only fill up; `mask` is none where all is
        real."""
        x = self.generator(self.embeddings(masked, segments), mask)
        x = x.reshape(-1, x.shape[-1])[places]
        x = self.transform_norm(F.gelu(self.transform(x)))
        logits = F.linear(x, self.embeddings.words.weight, self.bias).float()
        truth = ids.reshape(-1)[places]
        each = F.cross_entropy(logits, truth, reduction="none")
        mlm = (each * weights).sum() / (weights.sum() + 1e-6)
        with torch.no_grad():
            noise = -torch.log(-torch.log(torch.rand_like(logits) + 1e-9) + 1e-9)
            drawn = (logits + noise).argmax(-1)[firsts]
            seen = ids.reshape(-1).clone()
            seen[places] = torch.where(weights > 0, drawn, truth)
            seen = seen.view_as(ids)
            replaced = (seen != ids).float()
        x = self.discriminator(self.embeddings(seen, segments), mask)
        said = self.head(F.gelu(self.dense(x)))[..., 0].float()
        each = F.binary_cross_entropy_with_logits(said, replaced, reduction="none")
        return mlm + WEIGHT * (each * real).sum() / (real.sum() + 1e-6)


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def filled(lines, width=0):
    """Ids, segments and whether a token is real, filled up to the longest."""
    ids = torch.zeros(len(lines), max(width, *(len(line["ids"]) for line in lines)), dtype=torch.long)
    segments, real = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    for i, line in enumerate(lines):
        length = len(line["ids"])
        ids[i, :length] = torch.tensor(line["ids"])
        segments[i, line["first"] : length] = 1
        real[i, :length] = True
    return ids, segments, real


class Steps:
    """Times steps of what a subclass trains."""

    def __init__(self, net, precision):
        self.net = net.train()
        self.bfloat16 = precision == "bfloat16"
        self.optimizer = torch.optim.AdamW(net.parameters(), 5e-4, eps=1e-6, weight_decay=0.01, fused=True)
        self.step = 0

    def run(self):
        began = time.perf_counter()
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            loss = self.loss(self.batches[self.step % len(self.batches)])
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        return time.perf_counter() - began


class Pretraining(Steps):
    def __init__(self, preset, folder, precision, mode):
        torch.manual_seed(1)
        *shape, self.sequences = PRESETS[preset]
        super().__init__(Electra(*shape), precision)
        self.compiled = mode == "compile"
        self.forward = torch.compile(self.net) if self.compiled else self.net
        lines = read(folder / "pretrain.jsonl")
        self.batches = [lines[at : at + self.sequences] for at in range(0, 16 * self.sequences, self.sequences)]
        vocabulary = (folder / "model/vocab.txt").read_text(encoding="utf-8").splitlines()
        self.mask = vocabulary.index("[MASK]")

    def loss(self, lines):
        ids, segments, real = filled(lines, LONGEST if self.compiled else 0)
        masked, width = ids.clone(), ids.shape[1]
        places, firsts, known = [], [], {}
        for i, line in enumerate(lines):
            for at, is_masked in line["slots"]:
                place = i * width + at
                firsts.append(known.setdefault(place, len(places)))
                places.append(place)
                if is_masked:
                    masked[i, at] = self.mask
        # One shape, where it is compiled: the first token of the batch is never masked.
        room = self.sequences * 19 if self.compiled else len(places)
        weights = torch.tensor([1.0] * len(places) + [0.0] * (room - len(places)))
        firsts += range(len(places), room)
        places += [0] * (room - len(places))
        mask = real[:, None, None, :] if self.compiled or not bool(real.all()) else None
        places, firsts = torch.tensor(places), torch.tensor(firsts)
        return self.forward(ids, segments, masked, real.float(), mask, places, firsts, weights)


class FineTuning(Steps):
    def __init__(self, folder, precision):
        from transformers import ElectraConfig, ElectraForSequenceClassification

        torch.manual_seed(1)
        super().__init__(ElectraForSequenceClassification(ElectraConfig(num_labels=2)), precision)
        lines = read(folder / "finetune.jsonl")
        self.batches = [lines[at : at + TEXTS] for at in range(0, len(lines), TEXTS)]
        self.labels = torch.arange(TEXTS) % 2

    def loss(self, lines):
        ids, segments, real = filled(lines)
        return self.net(ids, real.long(), segments, labels=self.labels).loss


class Predicting:
    def __init__(self, folder, precision, batch):
        from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

        model = folder / "model"
        net = AutoModelForSequenceClassification.from_pretrained(model, dtype=getattr(torch, precision))
        tokenizer = AutoTokenizer.from_pretrained(model)
        self.pipeline = pipeline("text-classification", model=net, tokenizer=tokenizer, device="cpu")
        # Those of like length together, as whoever wants it fast gives them.
        self.texts, self.batch = sorted(read(folder / "texts.jsonl"), key=len, reverse=True), batch
        self.yes = 0

    def run(self):
        began = time.perf_counter()
        found = self.pipeline(self.texts, batch_size=self.batch, truncation=True, max_length=512)
        seconds = time.perf_counter() - began
        assert len(found) == len(self.texts)
        chances = [said["score"] if said["label"] == "yes" else 1 - said["score"] for said in found]
        self.yes = sum(chances) / len(chances)
        return seconds


class Building:
    """Text lines to `[CLS] A [SEP] B [SEP]`, and these to a file."""

    def __init__(self, folder):
        from transformers import BertTokenizer

        self.text = folder / "text.txt"
        self.tokenizer = BertTokenizer(str(folder / "model/vocab.txt"))
        self.sequences = 0

    def sequence(self, sentences, target, rng):
        aim = float("inf") if rng.random() < 0.1 else (target - 3) // 2
        first, second = [], []
        for sentence in sentences:
            if not first or len(first) + len(sentence) < aim or (
                not second and len(first) < aim and rng.random() < 0.5
            ):
                first += sentence
            else:
                second += sentence
        first = first[: LONGEST - 2]
        second = second[: max(0, LONGEST - len(first) - 3)]
        ids = [self.tokenizer.cls_token_id, *first, self.tokenizer.sep_token_id]
        segments = [0] * len(ids)
        if second:
            ids += [*second, self.tokenizer.sep_token_id]
            segments += [1] * (len(ids) - len(segments))
        room = [0] * (LONGEST - len(ids))
        return ids + room, [1] * len(ids) + room, segments + room

    def target(self, rng):
        return rng.randint(5, LONGEST) if rng.random() < 0.05 else LONGEST

    def run(self):
        began, rng, self.sequences = time.perf_counter(), random.Random(1), 0
        convert, cut = self.tokenizer.convert_tokens_to_ids, self.tokenizer.tokenize
        with tempfile.TemporaryFile() as out, open(self.text, encoding="utf-8") as lines:
            waiting, length, target = [], 0, self.target(rng)

            def emit():
                for column in self.sequence(waiting, target, rng):
                    array.array("i", column).tofile(out)
                self.sequences += 1

            for line in lines:
                line = line.strip()
                if line:
                    waiting.append(convert(cut(line)))
                    length += len(waiting[-1])
                if waiting and (not line or length >= target):
                    emit()
                    waiting, length, target = [], 0, self.target(rng)
            if waiting:
                emit()
        return time.perf_counter() - began


class Tokenizing:
    def __init__(self, folder):
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(folder / "model/tokenizer.json"))
        self.text = folder / "text.txt"

    def run(self):
        began = time.perf_counter()
        lines = self.text.read_text(encoding="utf-8").splitlines()
        self.tokenizer.encode_batch_fast(lines, add_special_tokens=False)
        return time.perf_counter() - began


def main():
    what, folder, threads, precision, *mode = sys.argv[1:]
    torch.set_num_threads(int(threads))
    folder = Path(folder)
    match what:
        case "finetune":
            side = FineTuning(folder, precision)
        case "predict":
            side = Predicting(folder, precision, int(mode[0]))
        case "build":
            side = Building(folder)
        case "tokenize":
            side = Tokenizing(folder)
        case preset:
            side = Pretraining(preset, folder, precision, mode[0])
    for line in sys.stdin:
        question, *number = line.split()
        if question == "steps":
            answer = float(np.median([side.run() for _ in range(int(number[0]))]))
        elif question in ("sequences", "yes"):
            answer = getattr(side, question)
        elif question == "peak":
            answer = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        else:
            answer = side.run()
        print(answer, flush=True)


if __name__ == "__main__":
    main()
