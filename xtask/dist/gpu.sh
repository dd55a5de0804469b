#!/usr/bin/env bash
# Checks, measures and trains on the GPU of this machine, in steps that go on in the next call.
#
#   ./gpu.sh OUT [DATA]
#
# OUT gets a log for each step, JSON where there are numbers, and steps.tsv with what became of each
# step; a step of several parts keeps those that are done. DATA is the folder with
# cifar-10-batches-bin; without it, what needs it is skipped.
# A call ends after $SECONDS_A_CALL seconds (540) at the latest; call it again until it says
# "all steps are done". A step that failed is not tried again, unless its line in steps.tsv is
# deleted; what was skipped is tried again in each call.
#
# Needs Python ($PYTHON, python3) with torch 2.11, whose libtorch the program is run with, and for
# GPUs a CUDA build of it. Without a GPU its steps are skipped by name and the others run; a GPU that
# torch cannot use is an error.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -ge 1 ] || { echo "usage: ./gpu.sh OUT [DATA]" >&2; exit 2; }
mkdir -p "$1" && out=$(cd "$1" && pwd) || exit 2
if [ $# -ge 2 ]; then
  data=$(cd "$2" && pwd) || { echo "error: DATA $2 is no folder" >&2; exit 2; }
else
  data=
fi
python=${PYTHON:-python3}
limit=${SECONDS_A_CALL:-540}
began=$(date +%s)
table=$out/steps.tsv
touch "$table"

if ! lib=$("$python" -c 'import os, torch; print(os.path.join(os.path.dirname(torch.__file__), "lib"))'); then
  echo "error: $python has no torch: install torch 2.11, or name another with PYTHON=..." >&2
  exit 1
fi
version=$("$python" -c 'import torch; print(torch.__version__)')
case $version in
  2.11.*) ;;
  *) echo "error: $python has torch $version, and this was built for 2.11" >&2; exit 1 ;;
esac
export LD_LIBRARY_PATH=$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
tutor=$here/tutor
gpu=$("$python" -c 'import torch; print(int(torch.cuda.is_available()))')
if [ "$gpu" != 1 ]; then
  gpu=0
  # CUDA_VISIBLE_DEVICES= asks for the steps without a GPU.
  if [ -n "${CUDA_VISIBLE_DEVICES-unset}" ] && command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q '^GPU'; then
    echo "error: nvidia-smi knows a GPU, and torch $version of $python cannot use it:" >&2
    "$python" -c 'import torch; torch.zeros(1, device="cuda")' 2>&1 | tail -n 1 >&2
    echo "install a CUDA build of torch 2.11 or a newer driver, name another Python with PYTHON=..., or set" >&2
    echo "CUDA_VISIBLE_DEVICES= for the steps that need no GPU" >&2
    exit 1
  fi
fi
if ! "$tutor" --version; then
  echo "error: $tutor cannot be started here; build it on a machine whose glibc is no newer" >&2
  exit 1
fi
# What an earlier call skipped may be possible now.
sed -i '/	skipped	/d' "$table"

left() { echo $((limit - $(date +%s) + began)); }

said() { grep -q "^$1	" "$table"; }

note() { printf '%s\t%s\t%s\n' "$1" "$2" "${3:-}" >>"$table" && echo "$1: $2${3:+ ($3)}"; }

# step NAME NEEDS COMMAND...: NEEDS is cpu, gpu, or data (a GPU and CIFAR-10). What it began goes on
# in the next call.
step() { attempt $((limit + 1)) "$@"; }

# The same for what cannot go on: it has 300 seconds, or most of a call that is shorter, and begins
# anew if the call ends before.
short() { attempt $((limit < 330 ? limit * 9 / 10 : 300)) "$@"; }

# attempt SECONDS NAME NEEDS COMMAND...
attempt() {
  local most=$1 name=$2 needs=$3 seconds start code
  shift 3
  said "$name" && return
  if [ "$needs" != cpu ] && [ "$gpu" = 0 ]; then
    note "$name" skipped "no GPU"
    return
  fi
  if [ "$needs" = data ] && [ ! -d "$data/cifar-10-batches-bin" ]; then
    note "$name" skipped "no DATA with cifar-10-batches-bin"
    return
  fi
  seconds=$(left)
  if [ "$seconds" -lt 20 ]; then
    [ "$unfinished" = 1 ] || echo "$name and what follows: in the next call"
    unfinished=1
    return
  fi
  [ "$seconds" -le "$most" ] || seconds=$most
  start=$(date +%s)
  # A run that is told to stop keeps its checkpoint.
  timeout -k 15 -s INT "$seconds" bash -o pipefail -c '"$@"' "$name" "$@" >>"$out/$name.log" 2>&1
  code=$?
  case $code in
    0) note "$name" passed "$(($(date +%s) - start)) s" ;;
    124 | 130 | 137)
      if [ "$(left)" -lt 20 ] && [ "$seconds" -lt "$most" ]; then
        echo "$name: goes on in the next call"
        unfinished=1
      elif [ "$(($(date +%s) - start))" -ge "$seconds" ]; then
        note "$name" failed "no end within $seconds s, see $name.log"
      else
        note "$name" failed "stopped with status $code, see $name.log"
      fi
      ;;
    *) note "$name" failed "status $code, see $name.log" ;;
  esac
}

machine() {
  echo "torch $version"
  lscpu | grep -E 'Model name|^CPU\(s\)' || true
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv || echo "no nvidia-smi"
  "$tutor" --version
}

# Whether `auto` takes the GPU where there is one.
auto() {
  "$tutor" run noisy-student/digits --quick --out "$out/runs" --device auto 2>&1 | tee "$out/auto.txt"
  if [ "$gpu" = 1 ]; then grep -q 'device: Cuda(0)' "$out/auto.txt"; else grep -q 'device: cpu' "$out/auto.txt"; fi
}

# A run that is killed and started again, beside one that was not. On a CPU the weights have to be
# the same to the last bit; kernels of a GPU may add up in another order, and there the accuracies have
# to be near.
resume() {
  local recipe="uda/digits --seeds 1 --rows none --threads 1 --set train.steps=3000" in=$out/resume/$1
  local whole=$in/whole cut=$in/cut run
  mkdir -p "$in"
  # Each part leaves a file when it is done, and is not done again in the next call.
  if [ ! -e "$in/whole.done" ]; then
    "$tutor" run $recipe --device "$1" --out "$whole" || return
    touch "$in/whole.done"
  fi
  if [ ! -e "$in/killed.done" ]; then
    rm -rf "$cut"
    "$tutor" run $recipe --device "$1" --out "$cut" &
    run=$!
    # It goes with this step, should the call end now.
    trap 'kill -KILL "$run" 2>/dev/null' EXIT
    # Killed as soon as there is a checkpoint.
    until [ -d "$cut" ] && [ -n "$(find "$cut" -name '*.ckpt.safetensors' -print -quit)" ]; do
      kill -0 "$run" 2>/dev/null || { wait "$run"; echo "it was over before it was killed"; return 1; }
      sleep 0.1
    done
    trap - EXIT
    kill -KILL "$run"
    wait "$run" && { echo "it was over before it was killed"; return 1; }
    touch "$in/killed.done"
  fi
  if [ ! -e "$in/again.done" ]; then
    "$tutor" run $recipe --device "$1" --out "$cut" 2>&1 | tee -a "$in/again.txt" || return
    touch "$in/again.done"
  fi
  grep -q 'goes on from step' "$in/again.txt" || { echo "it did not go on from a checkpoint"; return 1; }
  (cd "$whole" && find . -name 'final.safetensors' -path '*seed-1*' -exec sha256sum {} +) | sed 's|/20[0-9TZ:-]*/|/|' | sort >"$in/whole.txt"
  (cd "$cut" && find . -name 'final.safetensors' -path '*seed-1*' -exec sha256sum {} +) | sed 's|/20[0-9TZ:-]*/|/|' | sort >"$in/cut.txt"
  [ -s "$in/whole.txt" ] || { echo "there are no weights to compare"; return 1; }
  if cmp "$in/whole.txt" "$in/cut.txt"; then
    echo "the same weights to the last bit"
  else
    echo "other weights"
    [ "$1" != cpu ] && near "$whole" "$cut"
  fi
}

# Whether two runs have test accuracies within three points of each other.
near() {
  "$python" - "$1" "$2" <<'PY'
import json, pathlib, sys

def accuracy(folder):
    rows = json.loads(max(pathlib.Path(folder).rglob("result.json")).read_text())["rows"]
    return next(row["mean"] for row in rows if row["metric"] == "test accuracy")

whole, cut = map(accuracy, sys.argv[1:])
print(f"test accuracy {whole} % of the run that was not killed, {cut} % of the other")
sys.exit(abs(whole - cut) > 3)
PY
}

# A batch that fits into no memory ends in an error that names a smaller one.
out_of_memory() {
  local said
  said=$("$tutor" run fixmatch/cifar10 --fresh --device cuda --data "$data" --out "$out/runs" \
    --set net.width=128 --set train.batch=4096 --set train.steps=2 2>&1) && return 1
  echo "$said"
  grep -q 'memory is full with train.batch 4096' <<<"$said" && grep -q 'train.batch=2048' <<<"$said"
}

train() { "$tutor" run "$@" --device cuda --data "$data" --out "$out/runs"; }

peers() { "$python" "$here/peers/bench_cuda.py" >"$out/peers.json"; }

# measure NAME ...: a training step on random images, written to NAME.json.
measure() {
  local name=$1
  shift
  "$tutor" measure images "$@" --precision bfloat16 --json "$out/$name.json"
}

# All that there is to read, in one file, without weights and checkpoints.
collect() {
  (cd "$out" && find . -type f \( -name '*.log' -o -name '*.json' -o -name '*.tsv' -o -name '*.txt' \
    -o -name 'report.*' -o -name 'recipe.toml' -o -name 'record.jsonl' \) -size -4M -print0 |
    tar -czf results.tar.gz --null -T -)
}

export here out data python gpu version tutor
export -f machine auto resume near out_of_memory train peers measure

unfinished=0
device=cpu
[ "$gpu" = 1 ] && device=cuda
# What is looked at first where there is little time: whether the GPU computes the same, and how fast.
step machine cpu machine
short parity-cpu cpu "$tutor" parity --device cpu --json "$out/parity-cpu.json"
short parity-cuda gpu "$tutor" parity --device cuda --json "$out/parity-cuda.json"
short peers gpu peers
# The same steps of ours, images on the GPU too; once more with images that come from the host's memory
# in each step; and EfficientNet-B0's training.
for method in fixmatch uda; do
  short "step-$method" gpu measure step-$method --method $method --device cuda --peak 989 --steps 200
  short "step-$method-from-host" gpu measure step-$method-from-host --method $method --device cuda \
    --peak 989 --steps 200 --from-host
done
short step-efficientnet-b0 gpu measure step-efficientnet-b0 --net efficientnet-b0 --method supervised \
  --labeled 256 --device cuda --peak 989 --steps 100
# Meena's own size with random weights: a training step, beside what an H200 can do, and a reply. Both
# ways of a step, with what blocks keep and without.
short meena-full gpu "$tutor" measure replies --preset meena --device cuda --peak 989 \
  --json "$out/meena-full.json"
short meena-full-recomputed gpu "$tutor" measure replies --preset meena --device cuda --peak 989 \
  --pairs 64 --recompute --json "$out/meena-full-recomputed.json"
short step-cpu cpu measure step-cpu --net small-net --method uda --labeled 8 --unlabeled 24 --device cpu \
  --steps 3
short measure-cpu cpu "$tutor" measure replies --device cpu --steps 2 --json "$out/measure-cpu.json"
short auto-$device cpu auto
for recipe in $("$tutor" list --names); do
  step "quick-$device-${recipe//\//-}" cpu "$tutor" run "$recipe" --quick --device $device --out "$out/quick"
done
step resume-cpu cpu resume cpu
step resume-cuda gpu resume cuda
short out-of-memory data out_of_memory
# Whole trainings of some steps, reading and augmentation included: the time stands in cost.json, as
# images and seconds.
step steps-fixmatch data train fixmatch/cifar10 --set train.steps=400 --set cadence.evaluate=0
step steps-uda data train uda/cifar10-2020 --rows uda --set train.steps=400 --set cadence.evaluate=0
# ELECTRA-Small, 128 sequences of 128 tokens: its steps a second follow from cost.json. The embedded
# text has 14,944 pieces, about half of the published vocabulary.
step electra-small gpu train electra/addresses --rows electra --unset flops --set precision=bfloat16 \
  --set vocabulary=14944 --set sequences.longest=128 --set pretrain.encoder.positions=512 \
  --set pretrain.encoder.layers=12 --set pretrain.encoder.hidden=256 --set pretrain.encoder.heads=4 \
  --set pretrain.encoder.feed_forward=1024 --set pretrain.generator.fraction=0.25 \
  --set train.batch=128 --set train.steps=2000 --set cadence.evaluate=0 --set cadence.log=100 \
  --set finetune.labels=[400] --set finetune.train.steps=1
step electra gpu train electra/addresses
step meena gpu train meena/conversations
step cifar10-fast data train fixmatch/cifar10-fast --seeds 1
step cifar10 data train fixmatch/cifar10 --set data.labels=4000 --set train.steps=60000 \
  --set cadence.evaluate=2000 --set cadence.checkpoint=1000

collect
if [ "$unfinished" = 1 ]; then
  echo "to be gone on with: call ./gpu.sh again with the same OUT"
  exit 3
fi
failed=$(awk -F'\t' '$2 == "failed"' "$table" | wc -l)
echo "all steps are done: $(awk -F'\t' '{ n[$2]++ } END { for (s in n) printf "%d %s, ", n[s], s }' "$table" | sed 's/, $//'); see $out/results.tar.gz"
[ "$failed" = 0 ]
