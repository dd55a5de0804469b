"""Golden files of TensorFlow's checkpoints: what it writes, and what transformers makes of that.

    python xtask/peers/golden_tensorflow.py    # tensorflow-cpu 2.21.0, transformers 4.57.1

`values_tf` of `weights` holds every kind of number in two data files. `electra_tf` and `bert_tf` of
`electra` are small random networks under the names of google-research's code, as its trainings
write them; `*.safetensors` beside them are the same under transformers' names, brought there by
transformers' own `load_tf_weights_in_electra` and `load_tf_weights_in_bert`.
"""

import pathlib

import numpy as np
import tensorflow as tf
from safetensors.torch import save_file
from transformers import BertConfig, BertForPreTraining
from transformers import ElectraConfig, ElectraForMaskedLM, ElectraForPreTraining
from transformers.models.bert.modeling_bert import load_tf_weights_in_bert
from transformers.models.electra.modeling_electra import load_tf_weights_in_electra

CRATES = pathlib.Path(__file__).resolve().parents[2] / "crates"
WEIGHTS = CRATES / "weights/tests/golden"
ELECTRA = CRATES / "electra/tests/golden"
VOCABULARY, POSITIONS = 20, 12


def save(prefix, tensors):
    """Writes a checkpoint of one data file."""
    names = list(tensors)
    values = [tf.constant(tensors[name]) for name in names]
    tf.raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * len(names), tensors=values
    )


def values():
    """Small integers in every kind of number, over two data files."""
    base = np.arange(-3, 9)
    kinds = "float32 float64 float16 int64 int32 int16 int8 uint64 uint32 uint16 uint8 bool".split()
    parts = [{}, {"text": tf.constant([b"words"])}]
    for i, kind in enumerate(kinds):
        numbers = np.abs(base) if kind.startswith("u") else base
        parts[i % 2][f"of/{kind}"] = numbers.reshape(3, 4).astype(kind)
    parts[0]["of/bfloat16"] = tf.cast(base.reshape(3, 4), tf.bfloat16)
    parts[1]["single"] = np.float32(0.5)
    parts[1]["empty"] = np.zeros((0, 3), np.float32)
    prefixes = [WEIGHTS / f"part_{i}" for i in range(2)]
    for prefix, part in zip(prefixes, parts):
        save(prefix, part)
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=[str(prefix) for prefix in prefixes],
        destination_prefix=str(WEIGHTS / "values_tf"),
        delete_old_dirs=False,
    )


class Names:
    """Random tensors by name."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.tensors = {}

    def add(self, name, *shape):
        self.tensors[name] = self.random.normal(0, 0.1, shape).astype(np.float32)

    def dense(self, name, inputs, outputs):
        self.add(f"{name}/kernel", inputs, outputs)
        self.add(f"{name}/bias", outputs)

    def norm(self, name, width):
        self.add(f"{name}/gamma", width)
        self.add(f"{name}/beta", width)

    def embeddings(self, name, width):
        self.add(f"{name}/word_embeddings", VOCABULARY, width)
        self.add(f"{name}/position_embeddings", POSITIONS, width)
        self.add(f"{name}/token_type_embeddings", 2, width)
        self.norm(f"{name}/LayerNorm", width)

    def layers(self, name, count, hidden, inner):
        for i in range(count):
            layer = f"{name}/layer_{i}"
            for part in ["query", "key", "value"]:
                self.dense(f"{layer}/attention/self/{part}", hidden, hidden)
            self.dense(f"{layer}/attention/output/dense", hidden, hidden)
            self.norm(f"{layer}/attention/output/LayerNorm", hidden)
            self.dense(f"{layer}/intermediate/dense", hidden, inner)
            self.dense(f"{layer}/output/dense", inner, hidden)
            self.norm(f"{layer}/output/LayerNorm", hidden)


def electra():
    """A training of ELECTRA: both networks, Adam's averages of one tensor, the step."""
    names = Names(1)
    names.embeddings("electra/embeddings", 16)
    names.dense("electra/embeddings_project", 16, 32)
    names.layers("electra/encoder", 2, 32, 128)
    names.dense("discriminator_predictions/dense", 32, 32)
    names.dense("discriminator_predictions/dense_1", 32, 1)
    names.dense("generator/embeddings_project", 16, 8)
    names.layers("generator/encoder", 2, 8, 32)
    names.dense("generator_predictions/dense", 8, 16)
    names.norm("generator_predictions/LayerNorm", 16)
    names.add("generator_predictions/output_bias", VOCABULARY)
    for moment in ["adam_m", "adam_v"]:
        names.add(f"electra/embeddings_project/kernel/{moment}", 16, 32)
    names.tensors["global_step"] = np.int64(1000)
    save(ELECTRA / "electra_tf", names.tensors)
    common = {
        "vocab_size": VOCABULARY,
        "embedding_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 1,
        "max_position_embeddings": POSITIONS,
    }
    for tower, model, shape in [
        ("discriminator", ElectraForPreTraining, (32, 128)),
        ("generator", ElectraForMaskedLM, (8, 32)),
    ]:
        hidden, inner = shape
        config = ElectraConfig(hidden_size=hidden, intermediate_size=inner, **common)
        model = model(config)
        load_tf_weights_in_electra(model, config, str(ELECTRA / "electra_tf"), tower)
        keep(model, f"electra_tf_{tower}")


def bert():
    """A pre-trained BERT with both of its heads."""
    names = Names(2)
    names.embeddings("bert/embeddings", 16)
    names.layers("bert/encoder", 2, 16, 64)
    names.dense("bert/pooler/dense", 16, 16)
    names.dense("cls/predictions/transform/dense", 16, 16)
    names.norm("cls/predictions/transform/LayerNorm", 16)
    names.add("cls/predictions/output_bias", VOCABULARY)
    names.add("cls/seq_relationship/output_weights", 2, 16)
    names.add("cls/seq_relationship/output_bias", 2)
    save(ELECTRA / "bert_tf", names.tensors)
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=1,
        max_position_embeddings=POSITIONS,
    )
    model = BertForPreTraining(config)
    load_tf_weights_in_bert(model, config, str(ELECTRA / "bert_tf"))
    keep(model, "bert_tf")


def keep(model, name):
    """Keeps a model's own tensors, without those that repeat another."""
    repeats = ("position_ids", "generator_lm_head.weight", "decoder.weight", "decoder.bias")
    tensors = {
        key: value.contiguous()
        for key, value in model.state_dict().items()
        if not key.endswith(repeats)
    }
    save_file(tensors, ELECTRA / f"{name}.safetensors")


if __name__ == "__main__":
    values()
    electra()
    bert()
