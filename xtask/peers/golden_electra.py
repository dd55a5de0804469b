"""Golden arrays of `electra`: transformers' ELECTRA and BERT, and ELECTRA's pre-training written
from its equations in plain PyTorch.

    python xtask/peers/golden_electra.py # torch 2.11.0, transformers 4.57.1, safetensors 0.8.0

Small random networks. Their weights are whole numbers of 1/64 in a byte each (0 is 128), so that
files are small; a few tensors are larger or smaller than what training would start from, so that
no part of a network hides another. Padded batches go in, as transformers wants them.
"""

import json
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    ElectraConfig,
    ElectraForMaskedLM,
    ElectraForPreTraining,
    ElectraForQuestionAnswering,
    ElectraForSequenceClassification,
    ElectraForTokenClassification,
)

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/electra/tests/golden"
VOCABULARY, LENGTHS = 60, [9, 4, 9, 1, 7]
torch.set_num_threads(1)

ELECTRA = dict(
    vocab_size=VOCABULARY, embedding_size=12, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
    intermediate_size=24, max_position_embeddings=11, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
)
BERT = {k: v for k, v in ELECTRA.items() if k != "embedding_size"}


def randomise(model, generator):
    """Weights that a byte can hold; norms around 1."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            values = torch.randint(-24, 25, p.shape, generator=generator) / 64
            p.copy_(values + (1 if name.endswith("LayerNorm.weight") else 0))


def bytes_of(model):
    """The parameters as bytes, each once."""
    out = {}
    for name, p in model.named_parameters():
        shift = 1 if name.endswith("LayerNorm.weight") else 0
        out[name] = torch.round((p.detach() - shift) * 64 + 128).to(torch.uint8)
    return out


def batch(generator):
    """Padded ids, segments, mask."""
    room = max(LENGTHS)
    ids = torch.randint(1, VOCABULARY, (len(LENGTHS), room), generator=generator)
    mask = torch.tensor([[int(i < n) for i in range(room)] for n in LENGTHS])
    segments = torch.tensor([[int(i >= n // 2) for i in range(room)] for n in LENGTHS])
    return ids * mask, segments * mask, mask


def real(x, mask):
    """Rows of real tokens."""
    return x[mask.bool()]


def save(name, model, arrays, meta):
    tensors = {f"weight.{k}": v for k, v in bytes_of(model).items()}
    tensors |= {k: v.detach().contiguous().clone() for k, v in arrays.items()}
    gradients = {k: p.grad for k, p in model.named_parameters() if p.grad is not None}
    tensors |= {f"grad.{k}": v.contiguous() for k, v in gradients.items()}
    save_file(tensors, OUT / f"{name}.safetensors", {"case": json.dumps(meta)})


def perturbed(model, ids, segments, mask):
    """Logits where the normed embeddings are moved, and the gradient of their weighted sum for what
    moved them (Miyato et al. 2017, section 3)."""
    embeddings = next(m for name, m in model.named_modules() if name.endswith("embeddings.LayerNorm"))
    generator = torch.Generator().manual_seed(99)
    change = torch.randn(*ids.shape, embeddings.weight.numel(), generator=generator).requires_grad_(True)
    hook = embeddings.register_forward_hook(lambda module, given, out: out + change)
    logits = model(input_ids=ids, token_type_ids=segments, attention_mask=mask).logits
    hook.remove()
    weights = torch.arange(logits.numel()).remainder(7).view(logits.shape) - 3.0
    slope = torch.autograd.grad((logits * weights).sum(), change)[0]
    return {"perturbation": change.detach(), "perturbed": logits.detach(), "slope": real(slope, mask)}


def networks():
    cases = {
        "pretraining": (ElectraForPreTraining, ElectraConfig(**ELECTRA)),
        "masked_lm": (ElectraForMaskedLM, ElectraConfig(**ELECTRA)),
        "classification": (ElectraForSequenceClassification, ElectraConfig(**ELECTRA, num_labels=3)),
        "tokens": (ElectraForTokenClassification, ElectraConfig(**ELECTRA, num_labels=4)),
        "answers": (ElectraForQuestionAnswering, ElectraConfig(**ELECTRA)),
        "bert": (BertModel, BertConfig(**BERT)),
        "bert_masked_lm": (BertForMaskedLM, BertConfig(**BERT)),
        "bert_classification": (BertForSequenceClassification, BertConfig(**BERT, num_labels=3)),
    }
    for number, (name, (kind, config)) in enumerate(cases.items()):
        generator = torch.Generator().manual_seed(number)
        model = kind(config).eval()
        randomise(model, generator)
        ids, segments, mask = batch(generator)
        out = model(input_ids=ids, token_type_ids=segments, attention_mask=mask)
        if name == "bert":
            outputs = {"hidden": real(out.last_hidden_state, mask), "pooled": out.pooler_output}
        elif name == "answers":
            outputs = {"start": real(out.start_logits, mask), "end": real(out.end_logits, mask)}
        elif "classification" in name:
            outputs = {"logits": out.logits}
        else:
            outputs = {"logits": real(out.logits, mask)}
        # One number to take the gradient of: a weighted sum of everything.
        total = 0
        for value in outputs.values():
            weights = torch.arange(value.numel()).remainder(7).view(value.shape) - 3.0
            total = total + (value * weights).sum()
        total.backward()
        given = {"ids": real(ids, mask), "segments": real(segments, mask), "lengths": torch.tensor(LENGTHS)}
        if name in ("classification", "bert_classification"):
            given |= perturbed(model, ids, segments, mask)
        save(name, model, given | outputs, {"config": config.to_dict()})


# ELECTRA's pre-training, from the equations (arXiv 2003.10555, section 2, and the released code's
# details: N draws with replacement, sums over weights + 1e-6, noise -ln(-ln(u + 1e-9) + 1e-9)).


def mlm_head(hidden, p, transform, bias, words):
    x = F.gelu(hidden @ p[f"{transform}.dense.weight"].T + p[f"{transform}.dense.bias"])
    x = F.layer_norm(x, x.shape[-1:], p[f"{transform}.LayerNorm.weight"], p[f"{transform}.LayerNorm.bias"], 1e-12)
    return x @ words.T + p[bias]


def encoder(p, prefix, embeddings, ids, segments, mask, heads, layers):
    e = embeddings
    x = p[f"{e}.word_embeddings.weight"][ids] + p[f"{e}.token_type_embeddings.weight"][segments]
    x = x + p[f"{e}.position_embeddings.weight"][: ids.shape[1]]

    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], p[f"{name}.weight"], p[f"{name}.bias"], 1e-12)

    def linear(x, name):
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    x = norm(x, f"{e}.LayerNorm")
    if f"{prefix}.embeddings_project.weight" in p:
        x = linear(x, f"{prefix}.embeddings_project")
    unseen = (1 - mask[:, None, None, :]) * -10000.0
    for i in range(layers):
        at = f"{prefix}.encoder.layer.{i}"
        b, length, hidden = x.shape

        def heads_of(name):
            return linear(x, f"{at}.attention.self.{name}").view(b, length, heads, hidden // heads).transpose(1, 2)

        q, k, v = (heads_of(name) for name in ("query", "key", "value"))
        scores = q @ k.transpose(-1, -2) / (hidden // heads) ** 0.5 + unseen
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, length, hidden)
        x = norm(x + linear(mixed, f"{at}.attention.output.dense"), f"{at}.attention.output.LayerNorm")
        inner = F.gelu(linear(x, f"{at}.intermediate.dense"))
        x = norm(x + linear(inner, f"{at}.output.dense"), f"{at}.output.LayerNorm")
    return x


def shapes(hidden, embedding, prefix, with_embeddings, ffn, layers):
    s = {}
    if with_embeddings:
        s |= {f"{prefix}.embeddings.{n}_embeddings.weight": (r, embedding) for n, r in
              (("word", VOCABULARY), ("position", 11), ("token_type", 2))}
        s |= {f"{prefix}.embeddings.LayerNorm.{w}": (embedding,) for w in ("weight", "bias")}
    if embedding != hidden:
        s |= {f"{prefix}.embeddings_project.weight": (hidden, embedding), f"{prefix}.embeddings_project.bias": (hidden,)}
    for i in range(layers):
        at = f"{prefix}.encoder.layer.{i}"
        for n, (o, k) in {
            "attention.self.query": (hidden, hidden), "attention.self.key": (hidden, hidden),
            "attention.self.value": (hidden, hidden), "attention.output.dense": (hidden, hidden),
            "intermediate.dense": (ffn, hidden), "output.dense": (hidden, ffn),
        }.items():
            s |= {f"{at}.{n}.weight": (o, k), f"{at}.{n}.bias": (o,)}
        for n in ("attention.output.LayerNorm", "output.LayerNorm"):
            s |= {f"{at}.{n}.weight": (hidden,), f"{at}.{n}.bias": (hidden,)}
    return s


def head_shapes(transform, bias, hidden, embedding):
    s = {f"{transform}.dense.weight": (embedding, hidden), f"{transform}.dense.bias": (embedding,), bias: (VOCABULARY,)}
    return s | {f"{transform}.LayerNorm.{w}": (embedding,) for w in ("weight", "bias")}


MASK, HIDDEN, EMBEDDING, LAYERS = 3, 16, 12, 2
SLOTS = [[(2, 1), (5, 1), (2, 0)], [(1, 0)], [(8, 1), (3, 1)], [(0, 1)], [(4, 1), (4, 1), (6, 1)]]


def pretrain(name, task, generator_hidden=8, sharing="embeddings", **switches):
    """One step of a variant; the generator has one head, the network that is kept has two."""
    rng = torch.Generator().manual_seed(sum(map(ord, name)))
    want = shapes(HIDDEN, EMBEDDING, "electra", True, 32, LAYERS)
    main_head = "discriminator_predictions" if task in ("electra", "electra15") else "predictions"
    if main_head == "predictions":
        want |= head_shapes("predictions", "predictions.bias", HIDDEN, EMBEDDING)
    else:
        want |= {f"{main_head}.dense.weight": (HIDDEN, HIDDEN), f"{main_head}.dense.bias": (HIDDEN,),
                 f"{main_head}.dense_prediction.weight": (1, HIDDEN), f"{main_head}.dense_prediction.bias": (1,)}
    if task == "all-tokens-mlm":
        want |= {"copy_gate.weight": (1, HIDDEN), "copy_gate.bias": (1,)}
    uniform = switches.get("uniform", False)
    g_embeddings, g_prefix, g_heads = "electra.embeddings", "generator", 1
    g_width = generator_hidden if sharing == "nothing" else EMBEDDING
    if task != "mlm" and not uniform:
        if sharing == "everything":
            g_prefix, g_heads, g_hidden = "electra", 2, HIDDEN
        else:
            g_hidden = generator_hidden
            want |= shapes(g_hidden, g_width, "generator", sharing == "nothing", 4 * g_hidden, LAYERS)
            if sharing == "nothing":
                g_embeddings = "generator.embeddings"
        want |= head_shapes("generator_predictions", "generator_lm_head.bias", g_hidden, g_width)
    p, raw = {}, {}
    for key, shape in want.items():
        norm = key.endswith("LayerNorm.weight")
        raw[key] = torch.randint(104, 153, shape, generator=rng).to(torch.uint8)
        p[key] = ((raw[key].double() - 128) / 64 + (1 if norm else 0)).requires_grad_(True)
    room = max(LENGTHS)
    ids = torch.randint(4, VOCABULARY, (len(LENGTHS), room), generator=rng)
    mask = torch.tensor([[int(i < n) for i in range(room)] for n in LENGTHS])
    segments = torch.tensor([[int(i >= n // 2) for i in range(room)] for n in LENGTHS]) * mask
    ids = ids * mask
    where = [(b, at) for b, row in enumerate(SLOTS) for at, _ in row]
    rows, columns = (torch.tensor(x) for x in zip(*where))
    truth = ids[rows, columns]
    masked = ids.clone()
    for b, row in enumerate(SLOTS):
        for at, coin in row:
            if coin:
                masked[b, at] = MASK
    uniform_noise = torch.rand((len(where), VOCABULARY), generator=rng)
    arrays = {"ids": real(ids, mask), "segments": real(segments, mask), "lengths": torch.tensor(LENGTHS),
              "uniform": uniform_noise}

    def run(prefix, embeddings, ids, heads):
        return encoder(p, prefix, embeddings, ids, segments, mask, heads, LAYERS)

    def nll(logits, truth):
        return -logits.log_softmax(-1).gather(-1, truth[..., None])[..., 0]

    words, total = p["electra.embeddings.word_embeddings.weight"], 0
    if task == "mlm":
        hidden = run("electra", "electra.embeddings", masked, 2)[rows, columns]
        each = nll(mlm_head(hidden, p, "predictions", "predictions.bias", words), truth)
        total = each.sum() / (len(where) + 1e-6)
        arrays["nll"] = each
    else:
        hidden = run(g_prefix, g_embeddings, masked, g_heads)[rows, columns]
        g_words = p[f"{g_embeddings}.word_embeddings.weight"]
        logits = mlm_head(hidden, p, "generator_predictions", "generator_lm_head.bias", g_words)
        each = nll(logits, truth)
        arrays["nll"] = each
        total = switches.get("weight", 1.0) * each.sum() / (len(where) + 1e-6)
        noise = -torch.log(-torch.log(uniform_noise.double() + 1e-9) + 1e-9)
        sharp = logits.detach() / switches.get("temperature", 1.0)
        if switches.get("disallow_correct"):
            sharp = sharp - 1000 * F.one_hot(truth, VOCABULARY)
        sampled = (sharp + noise).softmax(-1).argmax(-1)
        first = [where.index(place) for place in where]
        sampled = sampled[torch.tensor(first)]
        corrupted = ids.clone()
        corrupted[rows, columns] = sampled
        labels = (corrupted != ids).double()
        arrays |= {"sampled": sampled, "corrupted": real(corrupted, mask), "labels": real(labels, mask).float()}
        hidden = run("electra", "electra.embeddings", corrupted, 2)
        if main_head == "predictions":
            logits = mlm_head(hidden, p, "predictions", "predictions.bias", words)
            if task == "replace-mlm":
                main = nll(logits[rows, columns], truth).sum() / (len(where) + 1e-6)
            else:
                gate = torch.sigmoid(hidden @ p["copy_gate.weight"].T + p["copy_gate.bias"])[..., 0]
                share = logits.softmax(-1).gather(-1, ids[..., None])[..., 0]
                both = gate * (corrupted == ids) + (1 - gate) * share
                main = (-both.log() * mask).sum() / (mask.sum() + 1e-6)
            total = total + main
        else:
            h = main_head
            x = F.gelu(hidden @ p[f"{h}.dense.weight"].T + p[f"{h}.dense.bias"])
            logits = (x @ p[f"{h}.dense_prediction.weight"].T + p[f"{h}.dense_prediction.bias"])[..., 0]
            seen = mask.double()
            if task == "electra15":
                seen = torch.zeros_like(seen)
                seen[rows, columns] = 1
            losses = F.binary_cross_entropy_with_logits(logits, labels, reduction="none") * seen
            main = losses.sum() / (1e-6 + seen.sum())
            total = total + 50 * main
            arrays["logits"] = real(logits, mask)
        arrays["main"] = main
    total.backward()
    arrays["total"] = total
    tensors = {f"weight.{k}": v for k, v in raw.items()}
    tensors |= {k: v.detach().float().contiguous() if v.is_floating_point() else v for k, v in arrays.items()}
    tensors |= {f"norm.{k}": v.grad.norm().float() if v.grad is not None else torch.tensor(-1.0) for k, v in p.items()}
    # Whole gradients of the small tensors and of the shared table.
    tensors |= {f"grad.{k}": v.grad.float() for k, v in p.items()
                if v.grad is not None and (v.numel() <= 128 or k.endswith("word_embeddings.weight"))}
    meta = {"task": task, "sharing": sharing, "generator_hidden": generator_hidden} | switches
    save_file(tensors, OUT / f"pretrain_{name}.safetensors", {"case": json.dumps(meta)})


def joint_answers():
    """ELECTRA's head for questions, from its description: the end given the start."""
    rng = torch.Generator().manual_seed(77)
    want = shapes(HIDDEN, EMBEDDING, "electra", True, 32, LAYERS)
    want |= {"answer.start.weight": (1, HIDDEN), "answer.start.bias": (1,)}
    for part in ("end", "impossible"):
        want |= {f"answer.{part}.dense.weight": (512, 2 * HIDDEN), f"answer.{part}.dense.bias": (512,),
                 f"answer.{part}.out.weight": (1, 512), f"answer.{part}.out.bias": (1,)}
    raw = {k: torch.randint(104, 153, shape, generator=rng).to(torch.uint8) for k, shape in want.items()}
    p = {k: ((v.double() - 128) / 64 + k.endswith("LayerNorm.weight")).requires_grad_(True) for k, v in raw.items()}
    lengths, spans, impossible = [9, 5, 7], [(4, 6), (0, 0), (3, 3)], [0.0, 1.0, 0.0]
    losses, answers, ids, segments, seen = [], [], [], [], []

    def pair(part, x):
        x = F.gelu(x @ p[f"answer.{part}.dense.weight"].T + p[f"answer.{part}.dense.bias"])
        return (x @ p[f"answer.{part}.out.weight"].T + p[f"answer.{part}.out.bias"])[..., 0]

    for length, (first, last), no in zip(lengths, spans, impossible):
        row = torch.randint(4, VOCABULARY, (1, length), generator=rng)
        kinds = torch.tensor([[int(i >= 3) for i in range(length)]])
        visible = torch.tensor([i == 0 or 3 <= i < length - 1 for i in range(length)])
        x = encoder(p, "electra", "electra.embeddings", row, kinds, torch.ones_like(row), 2, LAYERS)[0]
        shut = torch.where(visible, 0.0, -1000.0)
        start = (x @ p["answer.start.weight"].T + p["answer.start.bias"])[:, 0] + shut

        def ends(at):
            return pair("end", torch.cat([x, x[at].expand_as(x)], 1)) + shut

        span = (-start.log_softmax(0)[first] - ends(first).log_softmax(0)[last]) / 2
        mean = (start.softmax(0)[:, None] * x).sum(0)
        logit = pair("impossible", torch.cat([x[0], mean]))
        losses.append((span, F.binary_cross_entropy_with_logits(logit, torch.tensor(no, dtype=torch.double))))
        found = []
        for at in start.topk(3).indices.tolist():
            chances = ends(at).log_softmax(0)
            for end in chances.topk(3).indices.tolist():
                if at <= end < at + 4:
                    found.append((at, end, (start.log_softmax(0)[at] + chances[end]).item()))
        found.sort(key=lambda f: -f[2])
        answers.append({"spans": found[:5], "impossible": logit.item()})
        ids.append(row[0]), segments.append(kinds[0]), seen.append(visible)
    span, answerable = (torch.stack(each).mean() for each in zip(*losses))
    (span + 0.5 * answerable).backward()
    tensors = {f"weight.{k}": v for k, v in raw.items()}
    tensors |= {"ids": torch.cat(ids), "segments": torch.cat(segments), "lengths": torch.tensor(lengths)}
    tensors |= {"visible": torch.cat(seen), "span": span.detach().float(), "answerable": answerable.detach().float()}
    tensors |= {f"norm.{k}": v.grad.norm().float() for k, v in p.items()}
    meta = {"spans": spans, "impossible": impossible, "answers": answers}
    save_file(tensors, OUT / "joint_answers.safetensors", {"case": json.dumps(meta)})


def folders():
    """Folders as the hub has them: of PyTorch's file, and of shards."""
    small = ELECTRA | {"vocab_size": 20, "num_hidden_layers": 1}
    model = ElectraForPreTraining(ElectraConfig(**small))
    randomise(model, torch.Generator().manual_seed(1))
    model.save_pretrained(OUT / "bin", safe_serialization=False)
    model.save_pretrained(OUT / "shards", max_shard_size="8KB")


OUT.mkdir(parents=True, exist_ok=True)
networks()
folders()
joint_answers()
pretrain("electra", "electra")
pretrain("electra15", "electra15")
pretrain("untied", "electra", sharing="nothing")
pretrain("one_tower", "electra", sharing="everything")
pretrain("temperature", "electra", temperature=0.5, disallow_correct=True, weight=0.5)
pretrain("mlm", "mlm")
pretrain("replace_mlm", "replace-mlm")
pretrain("all_tokens_mlm", "all-tokens-mlm")
