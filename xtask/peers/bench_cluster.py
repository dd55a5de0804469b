"""Messages as Parquet files, for `cargo xtask bench cluster --peers`: those of `dialog_dump.py`.

    python xtask/peers/bench_cluster.py FOLDER MESSAGES
"""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FILES = 8
COLUMNS = ["conversation", "id", "parent", "author", "text"]


def main():
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    script = Path(__file__).with_name("dialog_dump.py")
    dump = subprocess.Popen([sys.executable, script, "1000"], stdout=subprocess.PIPE)
    for file in range(FILES):
        lines = itertools.islice(dump.stdout, count * (file + 1) // FILES - count * file // FILES)
        rows = [json.loads(line) for line in lines]
        table = pa.table({name: [row[name] for row in rows] for name in COLUMNS})
        pq.write_table(table, folder / f"part-{file + 1:05}-of-{FILES:05}.parquet")
    dump.kill()


main()
