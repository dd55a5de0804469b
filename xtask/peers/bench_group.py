"""Sums over processes by torch.distributed and Gloo, for `cargo xtask bench group --peers`.

Each process is told by the variables of torchrun who it is. Rank 0 answers questions, a line each:
`all-reduce N` with the median seconds in which N float32 numbers are summed over all processes,
`peak` with its most memory so far in MiB.
"""

import resource
import statistics
import sys
import time

import torch
import torch.distributed as dist

TIMES = 5


def from_first(numbers):
    asked = torch.tensor([numbers])
    dist.broadcast(asked, 0)
    return int(asked)


def seconds(numbers):
    x = torch.ones(numbers)
    times = []
    for _ in range(TIMES):
        dist.barrier()
        begin = time.perf_counter()
        dist.all_reduce(x)
        times.append(time.perf_counter() - begin)
    assert x[-1] == dist.get_world_size() ** TIMES
    return statistics.median(times)


def main():
    dist.init_process_group("gloo")
    if dist.get_rank() > 0:
        while (numbers := from_first(0)) > 0:
            seconds(numbers)
        dist.destroy_process_group()
        return
    for line in sys.stdin:
        match line.split():
            case ["all-reduce", numbers]:
                print(seconds(from_first(int(numbers))), flush=True)
            case ["peak"]:
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                print(peak, flush=True)
            case _:
                print("-", flush=True)
    from_first(0)
    dist.destroy_process_group()


main()
