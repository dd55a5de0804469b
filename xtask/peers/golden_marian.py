"""Folders of small random Marians as opus-mt publishes them, with real SentencePiece models, and
what transformers makes of them.

    python xtask/peers/golden_marian.py crates

Into `dialog-models` go the folders `marian` (one table of tokens, float32) and `marian_apart`
(tables apart, an output table of its own, float16 in PyTorch's format), each with
`expected.safetensors` (logits) and `expected.json` (what beam search finds), and
into `data-pipeline` the folder `marian`: `source.spm`, `target.spm`, `vocab.json`, and
`pieces.jsonl`, which has texts with their pieces, token ids and what is made of these.
"""

import json
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

import sentencepiece
import torch
from safetensors.torch import save_file
from transformers import MarianConfig, MarianMTModel, MarianTokenizer
from transformers.generation.configuration_utils import GenerationConfig

# One thread: the same sums everywhere.
torch.set_num_threads(1)

ENGLISH = """A man in an orange hat is looking at something. Two dogs are playing in the snow!
The film was good, but the ending was not. I didn't like it; my friends did. Why?
She paid 3.50 for two tickets on 12 May 2019. "It is," he said, "a long story."
People are standing on the ice in front of a mountain. A girl in karate gear breaks a stick.
The café is naïve about its coffee. Children run, jump and laugh in the park near the river.
""".split("\n")
FRENCH = (
    """Un homme avec un chapeau orange regarde quelque chose. Deux chiens jouent dans la neige !
Le film était bon, mais pas la fin. Je ne l'ai pas aimé ; mes amis, si. Pourquoi ?
Elle a payé 3,50 pour deux billets le 12 mai 2019. « C'est », dit-il, « une longue histoire. »
Des gens se tiennent sur la glace devant une montagne. Une fille en tenue de karaté brise un bâton.
Le café est naïf. Les enfants courent, sautent et rient dans le parc près de la rivière.
""".split("\n")
)
TEXTS = [
    "A man looks at the dog.", "  Two   dogs\tplay\nin the snow ! ", "", " ", "naïve café", "ﬁlm №5 ½ Ａｂｃ ①", "e\u0301te\u0301 na\u0308ive",
    "犬が雪で遊ぶ", "I 😀 it 👍🏽!", ">>fra<< A man looks.", ">>xxx<< A man.", "▁▁a ▁b", "a\u00a0b\u200bc\u00adx\ufeff",
    "line\u2028sep", "ÀÉÎõü ß İ ı", "x" * 60, "\u0000\u0007 bell", "The ticket costs 3.50, not 1,000.", "한국어 조합 \u1112\u1161\u11ab", "\u0e33 \u0e40\u0e01", "\ufb03 \u2460\u2461 ...…", "q\u0307\u0323 q\u0323\u0307",
]


def train(lines, prefix, size, rule):
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines * 3), model_prefix=prefix, vocab_size=size, character_coverage=1.0,
        hard_vocab_limit=False, normalization_rule_name=rule, minloglevel=2, num_threads=1, num_sub_iterations=2,
    )


def tokenizer(folder):
    # The target's model replaces no characters: its file is small.
    # The models keep the prefix of their names, which must be the same each time.
    os.chdir(folder)
    train(ENGLISH, "source", 120, "nmt_nfkc")
    train(FRENCH, "target", 110, "identity")
    names = ["</s>", "<unk>"]
    for part in ["source", "target"]:
        (folder / f"{part}.model").rename(folder / f"{part}.spm")
        (folder / f"{part}.vocab").unlink()
        spm = sentencepiece.SentencePieceProcessor(str(folder / f"{part}.spm"))
        names += [spm.id_to_piece(i) for i in range(spm.get_piece_size()) if not spm.is_control(i) and not spm.is_unknown(i)]
    names = list(dict.fromkeys(names))
    # Some pieces that one side has are unknown to the network, as in opus-mt.
    names = [name for name in names if name not in ("▁jump", "x")]
    names = names + [">>fra<<", "<pad>"]
    vocabulary = {name: i for i, name in enumerate(names)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    config = {"source_lang": "en", "target_lang": "fr", "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(config) + "\n", encoding="utf-8")
    own = MarianTokenizer.from_pretrained(folder)
    rng = random.Random(3)
    # A language's sign inside a text is taken out by transformers; here it is text.
    words = " ".join(ENGLISH + FRENCH).split() + [text for text in TEXTS if ">>" not in text]
    texts = TEXTS + [" ".join(rng.sample(words, rng.randint(2, 7))) for _ in range(40)]
    with (folder / "pieces.jsonl").open("w", encoding="utf-8") as file:
        for text in texts:
            ids = own(text)["input_ids"]
            target = own(text_target=text)["input_ids"]
            case = {
                "text": text,
                "pieces": own.spm_source.encode(text, out_type=str),
                "ids": ids,
                "target_pieces": own.spm_target.encode(text, out_type=str),
                "target_ids": target,
                "decoded": own.decode(target, skip_special_tokens=True),
            }
            file.write(json.dumps(case, ensure_ascii=False) + "\n")
    return len(names)


def network(folder, name, seed, **changed):
    torch.manual_seed(seed)
    vocabulary = 40
    config = MarianConfig(**{
        "vocab_size": vocabulary, "max_position_embeddings": 48, "d_model": 16, "encoder_layers": 2, "decoder_layers": 2,
        "encoder_attention_heads": 4, "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 32,
        "pad_token_id": vocabulary - 1, "decoder_start_token_id": vocabulary - 1, "eos_token_id": 0, "forced_eos_token_id": 0,
        "activation_function": "swish", "scale_embedding": True, "normalize_before": False, "static_position_embeddings": True, **changed,
    })
    model = MarianMTModel(config).eval()
    for name_, p in model.named_parameters():
        if "embed_positions" not in name_:
            # Layers that outweigh the token before, lest a text repeat it for ever.
            table = 0.3 if config.scale_embedding else 0.9
            scale = 0.1 if p.dim() == 1 else table if p.shape[0] == vocabulary else 0.9
            p.data = torch.randn(p.shape) * scale + (1.0 if "layer_norm.weight" in name_ else 0.0)
    model.tie_weights()
    model.final_logits_bias = torch.randn(model.final_logits_bias.shape) * 0.3
    model.final_logits_bias[0, 0] += 1.5 if config.scale_embedding else 4.0
    pad = config.pad_token_id
    generation = {
        "bad_words_ids": [[pad]], "decoder_start_token_id": pad, "pad_token_id": pad, "eos_token_id": 0,
        "forced_eos_token_id": 0, "max_length": 24, "num_beams": 4,
    }
    out = folder / name
    out.mkdir(parents=True, exist_ok=True)
    if name == "marian_apart":
        # A round trip, since what is expected is that of the numbers in the file.
        places = model.model.encoder.embed_positions.weight.data.clone()
        model = model.half().float()
        generation |= {"renormalize_logits": True, "early_stopping": True, "length_penalty": 0.6}
        model.half()
        state = {k: v for k, v in model.state_dict().items()}
        torch.save(state, out / "pytorch_model.bin")
        model.float()
        # Positions are computed, in full precision.
        for part in (model.model.encoder, model.model.decoder):
            part.embed_positions.weight.data = places.clone()
    else:
        model.generation_config = GenerationConfig(**generation)
        model.save_pretrained(out)
    model.generation_config = GenerationConfig(**generation)
    config.architectures = ["MarianMTModel"]
    config.save_pretrained(out)
    model.generation_config.save_pretrained(out)

    rng = random.Random(seed)
    written = model.config.decoder_vocab_size
    read = [[rng.randrange(1, vocabulary - 1) for _ in range(n)] + [0] for n in [1, 5, 5, 17, 9]]
    answers = [[rng.randrange(1, min(written, vocabulary) - 1) for _ in range(n)] + [0] for n in [3, 1, 9, 20, 6]]
    expected, beams = {}, []
    with torch.no_grad():
        # Positions stay those of float32, as networks have them.
        model.double()
        for i, (context, answer) in enumerate(zip(read, answers)):
            logits = model(input_ids=torch.tensor([context]), labels=torch.tensor([answer])).logits[0]
            expected[f"logits.{i}"] = logits.contiguous()
        for changes in [
            {}, {"num_beams": 1}, {"num_beams": 3, "length_penalty": 2.0, "early_stopping": False}, {"num_beams": 2, "length_penalty": 0.0},
            {"num_beams": 4, "early_stopping": "never"}, {"num_beams": 4, "max_length": 5}, {"num_beams": 5, "early_stopping": True},
        ]:
            found = []
            for context in read:
                given = {**generation, **changes}
                kept = given["num_beams"]
                # As an argument it would have its defaults replaced by the model's own values.
                model.generation_config = GenerationConfig(**given)
                out_ = model.generate(
                    torch.tensor([context]), num_return_sequences=kept, output_scores=True, return_dict_in_generate=True
                )
                scores = out_.sequences_scores.tolist() if kept > 1 else [None]
                rows = [[t for t in row[1:] if t != pad] for row in out_.sequences.tolist()]
                found.append([{"tokens": row, "score": score} for row, score in zip(rows, scores)])
            beams.append({"changes": changes, "found": found})
    save_file(expected, out / "expected.safetensors")
    (out / "expected.json").write_text(json.dumps({"contexts": read, "responses": answers, "beams": beams}) + "\n")


networks, texts = [Path(sys.argv[1]).resolve() / name / "tests/golden" for name in ("dialog-models", "data-pipeline")]
network(networks, "marian", 1)
network(
    networks, "marian_apart", 2, share_encoder_decoder_embeddings=False, decoder_vocab_size=40, tie_word_embeddings=False,
    activation_function="relu", scale_embedding=False,
)
with tempfile.TemporaryDirectory() as folder:
    tokenizer(Path(folder))
    out = texts / "marian"
    out.mkdir(parents=True, exist_ok=True)
    for name in ["source.spm", "target.spm", "vocab.json", "pieces.jsonl"]:
        shutil.copy(Path(folder) / name, out / name)
