"""Golden values of `ssl-core`: every method's loss, terms, gradients and state, in float64 numpy.

Run with numpy 2.4.6 and safetensors 0.8.0:  python xtask/peers/golden_methods.py
Losses are written sample by sample from the papers' equations. What a method treats as constant
(targets, masks) is computed with a frozen copy of the network; gradients are central differences
over the other copy, so that no derivative is written down. The network is
logits = B tanh(A x + a) + b, with a second head R for rotations, on 2x2 images of one channel.
AdaMatch, whose two passes differ by their batch statistics alone, has a network that normalises
A x + a over the batch.
"""

import copy
import json
import math
import pathlib

import numpy as np
from safetensors.numpy import save_file

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/ssl-core/tests/golden"
LABELED, UNLABELED, CLASSES, WIDTH, STORED = 3, 5, 3, 5, 7
STEP = 1e-4
STEPS = 100


def features(net, x):
    z = x.reshape(len(x), -1) @ net["A"].T + net["a"]
    if net.get("normalises"):
        z = (z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5)
    return np.tanh(z)


def logits(net, x):
    return features(net, x) @ net["B"].T + net["b"]


def softmax(z):
    powers = np.exp(z - z.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def probabilities(net, x):
    return softmax(logits(net, x))


def cross_entropy(target, z):
    """Of each sample, in nats; `target` are distributions."""
    return np.array([-sum(p * math.log(q) for p, q in zip(t, row)) for t, row in zip(target, softmax(z))])


def divergence(p, q):
    """KL(p || q) of each sample."""
    return np.array([sum(a * (math.log(a) - math.log(b)) for a, b in zip(r, s) if a > 0) for r, s in zip(p, q)])


def entropy(p):
    return np.array([-sum(a * math.log(a) for a in row) for row in p])


def squares(p, q):
    return np.array([sum((a - b) ** 2 for a, b in zip(r, s)) / len(r) for r, s in zip(p, q)])


def onehot(classes, count=CLASSES):
    return np.array([[float(k == c) for k in range(count)] for c in classes])


def sharpened(p, temperature):
    powers = p ** (1 / temperature)
    return powers / powers.sum(-1, keepdims=True)


def normalised(rows):
    return rows / rows.sum(-1, keepdims=True)


def ramp(schedule, step):
    """A schedule of a recipe."""
    t = step / STEPS
    if schedule["kind"] == "constant":
        return schedule["value"]
    t = min(1, t / schedule.get("over", 1))
    value = schedule["value"]
    return {
        "ramp-up": value * t,
        "cosine-ramp-up": value * (1 - math.cos(math.pi * t)) / 2,
        "sigmoid-ramp-up": value * math.exp(-5 * (1 - t) ** 2),
    }[schedule["kind"]]


def total(terms):
    return sum(weight * value for weight, value in terms)


def note_mask(draws, mask, labels):
    """What a method logs of its mask: its mean over all samples, and over each pseudo-label."""
    draws["notes"] |= {"mask": np.mean(mask)}
    for k in range(CLASSES):
        own = [m for m, label in zip(mask, labels) if label == k]
        draws["notes"] |= {f"mask.{k}": np.mean(own) if own else 0.0}


# Each method: (network, frozen network, ema, batch, settings, draws, state, step) to a list of
# (weight, value). `state` is a dictionary that the method changes in place; it is copied before
# differences are taken. Its entries have the names of `Method::state`; what `draws["notes"]` holds
# has the names of the loss's notes.


def supervised_term(net, batch):
    return cross_entropy(onehot(batch["y"]), logits(net, batch["x"])).mean()


def uda(net, frozen, ema, batch, c, draws, state, step):
    each = cross_entropy(onehot(batch["y"]), logits(net, batch["x"]))
    t = step / STEPS
    alpha = {"none": 1, "linear": t, "log": 1 - math.exp(-5 * t), "exp": math.exp(5 * (t - 1))}[c["tsa"]]
    eta = alpha * (1 - 1 / CLASSES) + 1 / CLASSES
    right = [row[y] for row, y in zip(probabilities(frozen, batch["x"]), batch["y"])]
    counts = [1.0 if p <= eta else 0.0 for p in right]
    sup = sum(k * e for k, e in zip(counts, each)) / max(1, sum(counts))
    probs = probabilities(frozen, batch["u0"])
    target = softmax(logits(frozen, batch["u0"]) / c["temperature"])
    mask = [1.0 if max(p) > c["threshold"] else 0.0 for p in probs]
    note_mask(draws, mask, probs.argmax(-1))
    unsup = sum(s * d for s, d in zip(mask, divergence(target, probabilities(net, batch["u1"])))) / UNLABELED
    terms = [(1, sup), (ramp(c["weight"], step), unsup)]
    if c["entropy"]:
        terms.append((c["entropy"], entropy(probabilities(net, batch["u0"])).mean()))
    return terms


def fixmatch(net, frozen, ema, batch, c, draws, state, step):
    probs = probabilities(frozen, batch["u0"])
    if "alignment" in c:
        flat, decay = np.full(CLASSES, 1 / CLASSES), c["alignment"]["decay"]
        current = moved(state, "current", flat, probs.mean(0), decay)
        target = state.setdefault("target", flat)
        if c["alignment"]["to"] == "labels":
            target = moved(state, "target", flat, onehot(batch["y"]).mean(0), decay)
        probs = aligned_to(probs, target, current)
    mask = np.array([1.0 if max(p) >= c["threshold"] else 0.0 for p in probs])
    note_mask(draws, mask, probs.argmax(-1))
    each = cross_entropy(onehot(probs.argmax(-1)), logits(net, batch["u1"]))
    return [(1, supervised_term(net, batch)), (ramp(c["weight"], step), (mask * each).sum() / UNLABELED)]


def pseudo_label(net, frozen, ema, batch, c, draws, state, step):
    return fixmatch(net, frozen, ema, batch | {"u1": batch["u0"]}, c, draws, state, step)


def pi_model(net, frozen, ema, batch, c, draws, state, step):
    unsup = squares(probabilities(net, batch["u0"]), probabilities(frozen, batch["u1"])).mean()
    return [(1, supervised_term(net, batch)), (ramp(c["weight"], step), unsup)]


def mean_teacher(net, frozen, ema, batch, c, draws, state, step):
    return pi_model(net, ema, None, batch, c, draws, state, step)


def temporal_ensembling(net, frozen, ema, batch, c, draws, state, step):
    past = state.setdefault("ensemble", np.zeros((STORED, CLASSES)))
    seen = state.setdefault("visits", np.zeros(STORED))
    draws["notes"] |= {"visited": np.mean([seen[slot] > 0 for slot in batch["slots"]])}
    unsup = 0.0
    for slot, now, fixed in zip(batch["slots"], probabilities(net, batch["u0"]), probabilities(frozen, batch["u0"])):
        if seen[slot]:
            target = past[slot] / (1 - c["momentum"] ** seen[slot])
            unsup += squares([now], [target])[0] / UNLABELED
        past[slot] = c["momentum"] * past[slot] + (1 - c["momentum"]) * fixed
        seen[slot] += 1
    return [(1, supervised_term(net, batch)), (ramp(c["weight"], step), unsup)]


def unit(rows):
    """The authors' two steps: by the largest, then by the length."""
    flat = rows.reshape(len(rows), -1)
    flat = flat / (1e-12 + np.abs(flat).max(-1, keepdims=True))
    return (flat / np.sqrt(1e-6 + (flat**2).sum(-1, keepdims=True))).reshape(rows.shape)


def vat_divergence(clean, z, direction):
    p, q = softmax(clean), softmax(z)
    return divergence(p, q) if direction == "from-clean" else divergence(q, p)


def once(draws, name, find):
    """What depends on the frozen network alone need not be found for every difference."""
    cache = draws["cache"]
    if name not in cache:
        cache[name] = find()
    return cache[name]


def worst_way(frozen, u, c, start):
    clean, way = logits(frozen, u), start
    for _ in range(c["iterations"]):
        probe = unit(way) * c["xi"]
        way = gradient(lambda d: vat_divergence(clean, logits(frozen, u + d), c["direction"]).mean(), probe)
    return way


def adversarial(net, frozen, u, c, draws):
    clean = logits(frozen, u)
    way = once(draws, "way", lambda: worst_way(frozen, u, c, draws["start"]))
    return vat_divergence(clean, logits(net, u + unit(way) * c["epsilon"]), c["direction"]).mean()


def vat(net, frozen, ema, batch, c, draws, state, step):
    kl = adversarial(net, frozen, batch["u0"], c["adversary"], draws)
    terms = [(1, supervised_term(net, batch)), (ramp(c["weight"], step), kl)]
    if c["entropy"]:
        terms.append((c["entropy"], entropy(probabilities(net, batch["u0"])).mean()))
    return terms


def sntg(net, frozen, ema, batch, c, draws, state, step):
    h, classes = features(net, batch["u0"]), probabilities(frozen, batch["u1"]).argmax(-1)
    pairs = 0.0
    for i in range(UNLABELED):
        for j in range(UNLABELED):
            if i != j:
                squared = ((h[i] - h[j]) ** 2).sum()
                same = classes[i] == classes[j]
                pairs += squared if same else max(0, c["margin"] - math.sqrt(squared)) ** 2
    pairs /= UNLABELED * (UNLABELED - 1)
    return pi_model(net, frozen, ema, batch, c, draws, state, step) + [(ramp(c["graph"], step), pairs)]


def vadd(net, frozen, ema, batch, c, draws, state, step):
    keep = 1 - c["dropout"]

    def under(weights, h, mask):
        return (h * mask / keep) @ weights["B"].T + weights["b"]

    fixed = features(frozen, batch["u0"])
    target = softmax(under(frozen, fixed, draws["mask0"]))
    grad = gradient(lambda m: divergence(target, softmax(under(frozen, fixed, m))).sum(), draws["mask1"])
    # Flips are of the target's own mask, by the gradient at another one.
    worst = draws["mask0"].copy()
    for row, (mask, grads) in enumerate(zip(draws["mask0"], grad)):
        gains = [s if m == 0 else -s for m, s in zip(mask, grads)]
        for place in sorted(range(WIDTH), key=lambda k: -gains[k])[: int(c["flips"] * WIDTH)]:
            if gains[place] > 0:
                worst[row, place] = 1 - mask[place]
    kl = divergence(target, softmax(under(net, features(net, batch["u0"]), worst))).mean()
    return [(1, supervised_term(net, batch)), (ramp(c["weight"], step), kl)]


def mixed(all, order, lam):
    """`lam` is one number, or one for each sample."""
    lam = np.reshape(lam, (-1,) + (1,) * (all.ndim - 1))
    return lam * all + (1 - lam) * all[order]


def larger(draws, samples):
    """MixMatch's coefficient of each sample, with which it is itself in the greater part."""
    return np.array([max(lam, 1 - lam) for lam in draws["lambdas"][: len(samples)]])


def aligned_to(probs, target, current):
    """Distribution alignment with the authors' 1e-6."""
    return normalised(probs * (1e-6 + target) / (1e-6 + current))


def ict(net, frozen, ema, batch, c, draws, state, step):
    own, lam, (lab, unl) = draws["lambda0"], draws["lambda"], (draws["labeled"], draws["unlabeled"])
    sup = cross_entropy(mixed(onehot(batch["y"]), lab, own), logits(net, mixed(batch["x"], lab, own))).mean()
    if c["targets"] == "logits":
        target = softmax(mixed(logits(ema, batch["u0"]), unl, lam))
    else:
        target = mixed(probabilities(ema, batch["u0"]), unl, lam)
    unsup = squares(probabilities(net, mixed(batch["u0"], unl, lam)), target).mean()
    return [(1, sup), (ramp(c["weight"], step), unsup)]


def mixmatch(net, frozen, ema, batch, c, draws, state, step):
    views = [batch[f"u{k}"] for k in range(c["views"])]
    pseudo_label = sharpened(sum(probabilities(frozen, view) for view in views) / len(views), c["temperature"])
    samples = np.concatenate([batch["x"], *views])
    targets = np.concatenate([onehot(batch["y"]), *[pseudo_label for _ in views]])
    lam = larger(draws, samples)
    samples, targets = mixed(samples, draws["order"], lam), mixed(targets, draws["order"], lam)
    sup = cross_entropy(targets[:LABELED], logits(net, samples[:LABELED])).mean()
    unsup = squares(probabilities(net, samples[LABELED:]), targets[LABELED:]).mean()
    return [(1, sup), (ramp(c["weight"], step), unsup)]


def mixmixup(net, frozen, ema, batch, c, draws, state, step):
    pseudo_label = sharpened(probabilities(frozen, batch["u0"]), c["temperature"])
    labels = onehot(batch["y"])
    pairs = [(batch["x"], labels, batch["x"], labels), (batch["u0"], pseudo_label, batch["u0"], pseudo_label), (batch["u0"], pseudo_label, batch["x"], labels)]
    terms = []
    for i, (a, ta, b, tb) in enumerate(pairs):
        lam, with_ = draws[f"lambda{i}"], draws[f"order{i}"]
        sample, target = lam * a + (1 - lam) * b[with_], lam * ta + (1 - lam) * tb[with_]
        terms.append(cross_entropy(target, logits(net, sample)).mean())
    return list(zip([1, ramp(c["unlabeled"], step), ramp(c["across"], step)], terms))


def remixmatch(net, frozen, ema, batch, c, draws, state, step):
    views = [batch[f"u{k}"] for k in range(1 + c["strong_views"])]
    labels = onehot(batch["y"])
    known = state.setdefault("labels", np.full(CLASSES, 1 / CLASSES))
    past = state.setdefault("predicted", np.full((c["memory"], CLASSES), 1 / CLASSES))
    seen = probabilities(frozen, views[0])
    pseudo_label = sharpened(aligned_to(seen, known, past.mean(0)), c["temperature"])
    known[:] = 0.999 * known + 0.001 * labels.mean(0)
    past[step % c["memory"]] = seen.mean(0)
    samples = np.concatenate([batch["x"], *views])
    targets = np.concatenate([labels, *[pseudo_label for _ in views]])
    lam = larger(draws, samples)
    samples, targets = mixed(samples, draws["order"], lam), mixed(targets, draws["order"], lam)
    z = logits(net, samples)
    terms = [
        (1, cross_entropy(targets[:LABELED], z[:LABELED]).mean()),
        (ramp(c["weight"], step), cross_entropy(targets[LABELED:], z[LABELED:]).mean()),
        (ramp(c["pure"], step), cross_entropy(pseudo_label, logits(net, views[1])).mean()),
    ]
    if c["rotation"]:
        terms.append((c["rotation"], rotation(net, views[1])))
    return terms


def rotation(net, images):
    losses = []
    for turns in range(4):
        turned = np.rot90(images, turns, axes=(2, 3))
        z = features(net, turned) @ net["R"].T + net["r"]
        losses.extend(cross_entropy(onehot([turns] * len(z), 4), z))
    return sum(losses) / len(losses)


def s4l(net, frozen, ema, batch, c, draws, state, step):
    copies = range(4 if c["rotate_labels"] else 1)
    sup = np.mean([supervised_term(net, batch | {"x": np.rot90(batch["x"], k, axes=(2, 3))}) for k in copies])
    both = np.concatenate([batch["x"], batch["u0"]])
    return [(1, sup), (ramp(c["weight"], step), rotation(net, both))]


def imputed(frozen, batch, c, labels):
    own = ("A", "a", "B", "b")
    wanted = gradients(lambda n: supervised_term(n, batch), frozen, own)

    def distance(labels):
        caused = gradients(lambda n: cross_entropy(labels, logits(n, batch["u0"])).mean(), frozen, own)
        return sum(((caused[k] - wanted[k]) ** 2).sum() for k in own)

    # The distance is a square in the labels: wide differences are exact.
    grad = np.zeros_like(labels)
    for place in np.ndindex(labels.shape):
        by = np.zeros_like(labels)
        by[place] = 0.5
        grad[place] = distance(labels + by) - distance(labels - by)
    rows = [np.maximum(row - c["step"] * s / np.abs(s).max(), 0) for row, s in zip(labels, grad)]
    return np.array([row / row.sum() for row in rows])


def lga(net, frozen, ema, batch, c, draws, state, step):
    stored = state.setdefault("labels", np.full((STORED, CLASSES), 1 / CLASSES))
    labels = once(draws, "labels", lambda: imputed(frozen, batch, c, stored[batch["slots"]]))
    stored[batch["slots"]] = labels
    terms = [(1, supervised_term(net, batch)), (ramp(c["weight"], step), cross_entropy(labels, logits(net, batch["u0"])).mean())]
    if c["vat"]:
        terms.append((c["vat"], adversarial(net, frozen, batch["u0"], c["adversary"], draws)))
    return terms


def flexmatch(net, frozen, ema, batch, c, draws, state, step):
    # The last count is that of samples without a confident label so far.
    latest = state.setdefault("latest", np.full(STORED, CLASSES))
    counts = [sum(label == k for label in latest) for k in range(CLASSES + 1)]
    beta = [n / max(1, *counts) for n in counts[:CLASSES]]
    thresholds = [c["threshold"] * b / (2 - b) for b in beta]
    probs = probabilities(frozen, batch["u0"])
    mask = np.array([1.0 if max(p) >= thresholds[p.argmax()] else 0.0 for p in probs])
    for slot, p in zip(batch["slots"], probs):
        if max(p) >= c["threshold"]:
            latest[slot] = p.argmax()
    note_mask(draws, mask, probs.argmax(-1))
    each = cross_entropy(onehot(probs.argmax(-1)), logits(net, batch["u1"]))
    return [(1, supervised_term(net, batch)), (ramp(c["weight"], step), (mask * each).sum() / UNLABELED)]


def moved(state, name, start, value, decay):
    state[name] = decay * state.get(name, start) + (1 - decay) * value
    return state[name]


def freematch(net, frozen, ema, batch, c, draws, state, step):
    probs, flat = probabilities(frozen, batch["u0"]), np.full(CLASSES, 1 / CLASSES)
    tau = min(c.get("clip", 1.0), moved(state, "confidence", 1 / CLASSES, probs.max(-1).mean(), c["decay"]))
    state["confidence"] = tau
    predicted = moved(state, "predicted", flat, probs.mean(0), c["decay"])
    often_labels = moved(state, "labels", flat, onehot(probs.argmax(-1)).mean(0), c["decay"])
    mask = np.array([1.0 if max(p) >= tau * predicted[p.argmax()] / max(predicted) else 0.0 for p in probs])
    note_mask(draws, mask, probs.argmax(-1))
    draws["notes"] |= {"threshold": tau}
    each = cross_entropy(onehot(probs.argmax(-1)), logits(net, batch["u1"]))
    terms = [(1, supervised_term(net, batch)), (ramp(c["weight"], step), (mask * each).sum() / UNLABELED)]
    if c["fairness"]:
        value = 0.0
        if mask.any():
            strong = probabilities(net, batch["u1"])[mask > 0]
            often = onehot(probabilities(frozen, batch["u1"])[mask > 0].argmax(-1)).mean(0)
            wanted = np.array([p / h if h else 0 for p, h in zip(predicted, often_labels)])
            found = [p / h if h else 0 for p, h in zip(strong.mean(0), often)]
            value = sum(w * math.log(f / sum(found) + 1e-12) for w, f in zip(wanted / wanted.sum(), found))
        terms.append((c["fairness"], value))
    return terms


def softmatch(net, frozen, ema, batch, c, draws, state, step):
    probs = probabilities(frozen, batch["u0"])
    aligned = probs
    if c["align"]:
        # At first the mean of the first batch.
        seen = moved(state, "predicted", probs.mean(0), probs.mean(0), c["decay"])
        aligned = aligned_to(probs, 1 / CLASSES, seen)
    else:
        state["predicted"] = np.zeros(CLASSES)
    most = aligned.max(-1)
    mean = moved(state, "mean", 1 / CLASSES, most.mean(), c["decay"])
    variance = moved(state, "variance", 1.0, ((most - most.mean()) ** 2).sum() / (UNLABELED - 1), c["decay"])
    weights = np.array([math.exp(-(min(m - mean, 0) ** 2) / (2 * variance / c["sigmas"] ** 2)) for m in most])
    note_mask(draws, weights, probs.argmax(-1))
    each = cross_entropy(onehot(probs.argmax(-1)), logits(net, batch["u1"]))
    return [(1, supervised_term(net, batch)), (ramp(c["weight"], step), (weights * each).sum() / UNLABELED)]


def adamatch(net, frozen, ema, batch, c, draws, state, step):
    def passes(net):
        """Logits of labelled (mixed from two passes), weak and strong samples."""
        joint = logits(net, np.concatenate([batch["x"], batch["u0"], batch["u1"]]))
        x, weak, strong = np.split(joint, [LABELED, LABELED + UNLABELED])
        if c["interpolate"]:
            x = draws["mixing"] * x + (1 - draws["mixing"]) * logits(net, batch["x"])
        return x, weak, strong

    (x, _, strong), fixed = passes(net), passes(frozen)
    known, probs = softmax(fixed[0]), softmax(fixed[1])
    # On labelled samples at first the mean of the first batch, on unlabelled ones that of the last
    # batches, of which there were uniform ones before the first.
    of_labeled = moved(state, "labeled", known.mean(0), known.mean(0), c["decay"])
    past = state.setdefault("unlabeled", np.full((c["memory"], CLASSES), 1 / CLASSES))
    past[step % c["memory"]] = probs.mean(0)
    aligned = aligned_to(probs, of_labeled, past.mean(0))
    threshold = c["threshold"] * known.max(-1).mean()
    mask = np.array([1.0 if max(p) >= threshold else 0.0 for p in aligned])
    note_mask(draws, mask, aligned.argmax(-1))
    draws["notes"] |= {"threshold": threshold}
    sup = cross_entropy(onehot(batch["y"]), x).mean()
    each = cross_entropy(onehot(aligned.argmax(-1)), strong)
    return [(1, sup), (ramp(c["weight"], step), (mask * each).sum() / UNLABELED)]


def gradient(loss, at):
    """Central differences of the fourth order."""
    grads = np.zeros_like(at, dtype=np.float64)
    for place in np.ndindex(at.shape):
        def shifted(by):
            other = at.copy()
            other[place] += by * STEP
            return loss(other)
        grads[place] = (8 * (shifted(1) - shifted(-1)) - (shifted(2) - shifted(-2))) / (12 * STEP)
    return grads


def gradients(loss, net, names):
    return {k: gradient(lambda w: loss(net | {k: w}), net[k]) for k in names}


def constant(value):
    return {"kind": "constant", "value": value}


def cases():
    adversary = {"epsilon": 0.7, "xi": 0.3, "iterations": 1, "direction": "from-clean"}
    yield "uda", uda, {"weight": constant(1.0), "temperature": 0.4, "threshold": 0.7, "entropy": 0.0, "tsa": "none"}
    for tsa in ("linear", "log", "exp"):
        yield f"uda-october-{tsa}", uda, {"weight": constant(2.0), "temperature": 1.0, "threshold": 0.0, "entropy": 0.1, "tsa": tsa}
    yield "fixmatch", fixmatch, {"weight": constant(1.0), "threshold": 0.75}
    yield "fixmatch-nothing-passes", fixmatch, {"weight": constant(1.0), "threshold": 1.0}
    for to in ("labels", "uniform"):
        yield f"fixmatch-aligned-to-{to}", fixmatch, {"weight": constant(1.0), "threshold": 0.7, "alignment": {"to": to, "decay": 0.5}}
    yield "pseudo-label", pseudo_label, {"weight": {"kind": "ramp-up", "value": 1.0, "over": 0.4}, "threshold": 0.72}
    yield "pi-model", pi_model, {"weight": {"kind": "ramp-up", "value": 10.0, "over": 0.4}}
    yield "mean-teacher", mean_teacher, {"weight": {"kind": "ramp-up", "value": 50.0, "over": 0.4}}
    yield "temporal-ensembling", temporal_ensembling, {"weight": {"kind": "sigmoid-ramp-up", "value": 30.0, "over": 0.27}, "momentum": 0.6}
    yield "vat", vat, {"adversary": adversary, "weight": constant(1.0), "entropy": 1.0}
    yield "vat-without-entropy", vat, {"adversary": adversary | {"direction": "from-perturbed", "iterations": 2}, "weight": constant(0.3), "entropy": 0.0}
    yield "sntg", sntg, {"weight": constant(10.0), "graph": constant(0.5), "margin": 2.5}
    yield "vadd", vadd, {"weight": constant(1.0), "dropout": 0.5, "flips": 0.5}
    yield "vadd-one-flip", vadd, {"weight": constant(1.0), "dropout": 0.3, "flips": 0.2}
    yield "ict", ict, {"weight": {"kind": "sigmoid-ramp-up", "value": 100.0, "over": 0.25}, "alpha": 1.0, "targets": "logits"}
    yield "ict-probabilities", ict, {"weight": constant(10.0), "alpha": 1.0, "targets": "probabilities"}
    yield "mixmatch", mixmatch, {"weight": {"kind": "ramp-up", "value": 75.0, "over": 1 / 64}, "views": 2, "temperature": 0.5, "alpha": 0.75}
    yield "mixmatch-three-views", mixmatch, {"weight": constant(3.0), "views": 3, "temperature": 1.0, "alpha": 0.75}
    yield "mixmatch-unsharpened", mixmatch, {"weight": constant(3.0), "views": 2, "temperature": 1.0, "alpha": 0.75}
    yield "mixmixup", mixmixup, {"unlabeled": constant(0.5), "across": constant(2.0), "temperature": 0.5, "alpha": 1.0}
    remix = {"weight": constant(1.5), "pure": constant(0.5), "rotation": 0.5, "strong_views": 2, "temperature": 0.5, "alpha": 0.75, "memory": 4}
    yield "remixmatch", remixmatch, remix
    yield "remixmatch-without-rotation", remixmatch, remix | {"rotation": 0.0, "strong_views": 1}
    yield "s4l", s4l, {"weight": constant(0.7), "rotate_labels": False, "joint": False}
    yield "s4l-rotated-labels", s4l, {"weight": constant(1.0), "rotate_labels": True}
    lga_case = {"weight": constant(1.0), "step": 0.1, "vat": 0.3, "adversary": adversary}
    yield "lga-vat", lga, lga_case
    yield "lga-vat-alone", lga, lga_case | {"vat": 0.0, "step": 0.6}
    # A class that is fully learnt, one in between, one that is not; then more samples without a
    # label than of any class.
    yield "flexmatch", flexmatch, {"weight": constant(1.0), "threshold": 0.9}, {"latest": [2, 2, 2, 2, 1, 1, 1]}
    yield "flexmatch-warm-up", flexmatch, {"weight": constant(1.0), "threshold": 0.9}, {"latest": [3, 3, 3, 0, 1, 2, 2]}
    yield "flexmatch-fresh", flexmatch, {"weight": constant(1.0), "threshold": 0.72}
    yield "freematch", freematch, {"weight": constant(1.0), "fairness": 0.5, "decay": 0.1}
    yield "freematch-clipped", freematch, {"weight": constant(1.0), "fairness": 0.5, "decay": 0.1, "clip": 0.6}
    yield "freematch-unfair", freematch, {"weight": constant(1.0), "fairness": 0.0, "decay": 0.5}
    yield "softmatch", softmatch, {"weight": constant(1.0), "sigmas": 3.0, "decay": 0.1, "align": True}
    yield "softmatch-unaligned", softmatch, {"weight": constant(1.0), "sigmas": 4.0, "decay": 0.3, "align": False}
    ada = {"weight": {"kind": "cosine-ramp-up", "value": 1.0, "over": 0.5}, "decay": 0.1, "memory": 2}
    # Alignment changes a label that counts; the other threshold lets some samples through.
    yield "adamatch-joint", adamatch, ada | {"threshold": 0.5, "interpolate": False}
    yield "adamatch-interpolated", adamatch, ada | {"threshold": 0.9, "interpolate": True}


def main():
    rng = np.random.default_rng(12)

    def normal(*shape, scale=1.0):
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    def network():
        shapes = {"A": (WIDTH, 4), "a": (WIDTH,), "B": (CLASSES, WIDTH), "b": (CLASSES,), "R": (4, WIDTH), "r": (4,)}
        return {name: normal(*shape, scale=0.9) for name, shape in shapes.items()}

    net, ema = network(), network()
    batches, draws = [], []
    # Some classes come more often than others, and some labels are predicted with confidence.
    for slots, classes in (([4, 0, 6, 2, 5], [2, 1, 2]), ([6, 4, 1, 0, 3], [1, 1, 2])):
        batch = {"x": normal(LABELED, 1, 2, 2), "y": rng.permutation(CLASSES)[classes]}
        batch |= {f"u{k}": normal(UNLABELED, 1, 2, 2) for k in range(3)}
        batches.append(batch | {"slots": np.array(slots)})
        everything = LABELED + 3 * UNLABELED
        drawn = {"start": normal(UNLABELED, 1, 2, 2), "lambda": np.float32(rng.uniform())}
        drawn |= {f"mask{k}": (rng.uniform(size=(UNLABELED, WIDTH)) < 0.5).astype(np.float32) for k in range(2)}
        # Where both masks are equal, every gradient is 0.
        for first, second in zip(drawn["mask0"], drawn["mask1"]):
            second[0] = second[0] if (first != second).any() else 1 - first[0]
        drawn |= {"labeled": rng.permutation(LABELED), "unlabeled": rng.permutation(UNLABELED), "order": rng.permutation(everything)}
        drawn |= {f"lambda{k}": np.float32(rng.uniform()) for k in range(3)}
        drawn |= {"order0": rng.permutation(LABELED), "order1": rng.permutation(UNLABELED), "order2": rng.integers(LABELED, size=UNLABELED)}
        draws.append(drawn)
    # Drawn last, so that the numbers above stay what they are.
    for drawn in draws:
        drawn["mixing"] = rng.uniform(size=(LABELED, CLASSES)).astype(np.float32)
    for drawn in draws:
        drawn["lambdas"] = rng.uniform(size=LABELED + 3 * UNLABELED).astype(np.float32)

    tensors = {f"net.{k}": v for k, v in net.items()} | {f"ema.{k}": v for k, v in ema.items()}
    for i, (batch, drawn) in enumerate(zip(batches, draws)):
        tensors |= {f"{i}.{k}": np.asarray(v) for k, v in (batch | drawn).items()}

    def wide(values):
        return {k: v.astype(np.float64) if np.asarray(v).dtype == np.float32 else v for k, v in values.items()}

    net, ema, batches, draws = wide(net), wide(ema), [wide(b) for b in batches], [wide(d) for d in draws]
    settings = {}
    for name, method, c, *start in cases():
        settings[name] = c
        state = {k: np.array(v) for k, v in start[0].items()} if start else {}
        tensors |= {f"{name}/start.{k}": v.copy() for k, v in state.items()}
        for i, (batch, drawn) in enumerate(zip(batches, draws)):
            step = 20 + i
            views = {mixmatch: c.get("views", 0), remixmatch: 1 + c.get("strong_views", 0)}.get(method, 0)
            rows = LABELED + views * UNLABELED
            drawn = drawn | {"cache": {}, "notes": {}, "order": np.array([k for k in drawn["order"] if k < rows])}
            before = copy.deepcopy(state)
            extra = {"normalises": True} if method is adamatch else {}
            ours, theirs = net | extra, ema | extra

            def again(weights):
                return total(method(weights, ours, theirs, batch, c, drawn, copy.deepcopy(before), step))

            grads = gradients(again, ours, tuple(net))
            terms = method(ours, ours, theirs, batch, c, drawn, state, step)
            tensors[f"{name}/{i}/losses"] = np.array([total(terms)] + [value for _, value in terms])
            tensors |= {f"{name}/{i}/{k}.grad": v for k, v in grads.items()}
            kept = {f"state.{k}": v for k, v in state.items()} | {f"note.{k}": v for k, v in drawn["notes"].items()}
            tensors |= {f"{name}/{i}/{k}": np.atleast_1d(np.array(v, dtype=np.float64)) for k, v in kept.items()}
    OUT.mkdir(parents=True, exist_ok=True)
    save_file(tensors, OUT / "methods.safetensors", metadata={"cases": json.dumps(settings, sort_keys=True)})


main()
