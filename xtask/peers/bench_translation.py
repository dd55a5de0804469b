"""Translating by a random Marian of opus-mt's size with transformers' `generate`.

Started by `cargo xtask bench translation --peers`:

    python xtask/peers/bench_translation.py make DIR SENTENCES
    python xtask/peers/bench_translation.py DIR THREADS BATCH

The first form writes the network and `sentences.json`. The network has an output table of its
own, lest a text repeat a token, and its bias lets the end come after some 33 tokens where the
likeliest are taken, and 25 where tokens are drawn. The second one answers `greedy` and `sampled`
with the seconds that all sentences take, those of about the same length in a batch, `try greedy`
and `try sampled` with those of the 256 sentences of middle length, `tokens` with the number of
tokens that were written last, and `peak` with the most memory so far in MiB. Needs the packages of
requirements.txt.
"""

import json
import random
import resource
import sys
import time
from pathlib import Path

import torch
from transformers import MarianConfig, MarianMTModel
from transformers.generation.configuration_utils import GenerationConfig

VOCABULARY = 58101
PAD = VOCABULARY - 1
MOST = 48
TRIED = 256


def make(folder, count):
    torch.manual_seed(1)
    config = MarianConfig(
        vocab_size=VOCABULARY, max_position_embeddings=512, d_model=512, encoder_layers=6, decoder_layers=6,
        encoder_attention_heads=8, decoder_attention_heads=8, encoder_ffn_dim=2048, decoder_ffn_dim=2048,
        activation_function="swish", scale_embedding=True, pad_token_id=PAD, decoder_start_token_id=PAD,
        eos_token_id=0, forced_eos_token_id=0, normalize_before=False, static_position_embeddings=True,
        tie_word_embeddings=False,
    )
    model = MarianMTModel(config).eval()
    with torch.no_grad():
        # Logits of a deviation of 3.5 (hidden vectors have the norm of 512 numbers of variance 1):
        # the largest of them is above the bias of the end in most steps.
        model.lm_head.weight.normal_(0.0, 3.5 / 512**0.5)
        model.lm_head.weight[0] = 0.0
        model.final_logits_bias[0, 0] = 13.4
    model.generation_config = GenerationConfig(
        bad_words_ids=[[PAD]], decoder_start_token_id=PAD, pad_token_id=PAD, eos_token_id=0, forced_eos_token_id=0,
        max_length=MOST + 1, num_beams=1,
    )
    model.save_pretrained(folder)
    rng = random.Random(2)
    # Lengths as those of sentences in reviews.
    lengths = [min(3 + int(rng.gammavariate(2.2, 9.0)), 100) for _ in range(count)]
    sentences = [[rng.randrange(1, PAD) for _ in range(n)] + [0] for n in lengths]
    (folder / "sentences.json").write_text(json.dumps(sentences))


def serve(folder, threads, size):
    torch.set_num_threads(threads)
    model = MarianMTModel.from_pretrained(folder).eval()
    all_sentences = sorted(json.loads((folder / "sentences.json").read_text()), key=len, reverse=True)
    middle = max(0, (len(all_sentences) - TRIED) // 2)
    written = 0

    def run(sentences, **how):
        count = 0
        with torch.inference_mode():
            for first in range(0, len(sentences), size):
                batch = sentences[first : first + size]
                longest = len(batch[0])
                ids = torch.tensor([s + [PAD] * (longest - len(s)) for s in batch])
                out = model.generate(ids, attention_mask=(ids != PAD).long(), **how)
                count += int((out[:, 1:] != PAD).sum())
        return count

    for line in sys.stdin:
        question = line.strip()
        tried = question.startswith("try ")
        case = question.removeprefix("try ")
        if case in ("greedy", "sampled"):
            sentences = all_sentences[middle : middle + TRIED] if tried else all_sentences
            start = time.perf_counter()
            if case == "greedy":
                written = run(sentences, do_sample=False, num_beams=1)
            else:
                written = run(sentences, do_sample=True, num_beams=1, temperature=0.9, top_k=0, num_return_sequences=5)
            print(time.perf_counter() - start, flush=True)
        elif question == "tokens":
            print(written, flush=True)
        elif question == "peak":
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)
        else:
            sys.exit(f"no question {question}")


if sys.argv[1] == "make":
    make(Path(sys.argv[2]), int(sys.argv[3]))
else:
    serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
