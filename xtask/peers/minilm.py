"""What transformers makes of reviews with a published BERT, for `electra`'s test of it.

    python xtask/peers/minilm.py MODEL REVIEWS

MODEL is the folder of sentence-transformers/all-MiniLM-L6-v2 (`config.json`, `model.safetensors`,
`tokenizer.json`), REVIEWS a table with tabs whose third column is the text, below a header. Writes
`expected.safetensors` into MODEL: the ids of the first 50 texts, cut at 512, and their vectors.
Then: `ELECTRA_MINILM=MODEL cargo test -p electra --test it minilm -- --ignored`.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import BertModel

folder, reviews = Path(sys.argv[1]), Path(sys.argv[2])
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
tokenizer.no_padding()
tokenizer.enable_truncation(512)
lines = reviews.read_text(encoding="utf-8").split("\n")[1:51]
ids = [tokenizer.encode(line.split("\t")[2]).ids for line in lines]
model = BertModel.from_pretrained(folder).eval()
hidden, pooled = [], []
with torch.no_grad():
    for row in ids:
        out = model(input_ids=torch.tensor([row]))
        hidden.append(out.last_hidden_state[0])
        pooled.append(out.pooler_output)
arrays = {
    "ids": torch.tensor([i for row in ids for i in row]),
    "lengths": torch.tensor([len(row) for row in ids]),
    "hidden": torch.cat(hidden),
    "pooled": torch.cat(pooled),
    "mean": torch.stack([h.mean(0) for h in hidden]),
}
save_file(arrays, folder / "expected.safetensors")
print(f"{len(ids)} reviews, {len(arrays['ids'])} tokens")
