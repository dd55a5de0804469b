"""Golden event file for crate `train`: the records of a short run as tensorboardX writes them, with
fixed times.

    python xtask/peers/golden_train.py crates/train/tests/golden

Needs tensorboardX 2.6.5 and protobuf.
"""

import sys
from pathlib import Path

import tensorboardX
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import RecordWriter

assert tensorboardX.__version__ == "2.6.5", tensorboardX.__version__

# (wall time, step, values), as crates/train/src/events.rs repeats them.
ROWS = [
    (1700000001.25, 1, [("loss", 2.5), ("lr", 0.03)]),
    (1700000002.5, 127, [("loss/sup", 0.1), ("note/größe", -1e-30)]),
    (1700000003.0, 128, [("eval/accuracy", 1.0)]),
    (1700000004.0, 3_000_000_000, [(f"value/{i}", i / 7) for i in range(40)]),
    (1700000005.0, 3_000_000_001, [("loss", float("inf")), ("empty", 0.0)]),
]

path = Path(sys.argv[1]) / "events.out.tfevents.golden"
path.unlink(missing_ok=True)
writer = RecordWriter(str(path))
writer.write(Event(wall_time=1700000000.0, file_version="brain.Event:2").SerializeToString())
for wall_time, step, values in ROWS:
    entries = [Summary.Value(tag=tag, simple_value=value) for tag, value in values]
    event = Event(wall_time=wall_time, step=step, summary=Summary(value=entries))
    writer.write(event.SerializeToString())
writer.close()
