"""Whether transformers reads the folders that `electra` writes, and computes the same.

    python xtask/peers/electra_folders.py FOLDER

FOLDER is what `ELECTRA_FOLDERS=FOLDER cargo test -p electra --test it folders_for_transformers --
--ignored` left.
"""

import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file

worst = 0.0
for folder in sorted(path for path in Path(sys.argv[1]).iterdir() if path.is_dir()):
    expected = load_file(folder / "expected.safetensors")
    config = transformers.AutoConfig.from_pretrained(folder)
    kind = getattr(transformers, config.architectures[0])
    model, report = kind.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values()), report
    rows, start = [], 0
    for length in expected["lengths"].tolist():
        part = slice(start, start + length)
        start += length
        given = {"input_ids": expected["ids"][None, part], "token_type_ids": expected["segments"][None, part]}
        with torch.no_grad():
            rows.append(model.eval()(**given).logits.reshape(1 if "Sequence" in kind.__name__ else length, -1))
    theirs = torch.cat(rows).view(expected["output"].shape)
    difference = (theirs - expected["output"]).abs().max().item()
    worst = max(worst, difference)
    print(f"{folder.name:20} {kind.__name__:36} largest difference {difference:.1e}")
assert worst < 1e-5, worst
