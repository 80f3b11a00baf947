"""The PyTorch side of the speed comparison: a worker that does units of work on command.

    python bench/peers/peer.py CASE --threads N --data DIR

Prints `{"ready": …}` when model and data are built. For each line `go K` on standard input it does K units
and prints `{"secs": …, "loss": …, "units": …}`; at the end of the input it prints `{"peak_mb": …}`.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import torch

from cases import CASES, Case


def main() -> None:
    args = parse_args()
    if args.list:
        print("\n".join(CASES))
        return
    if args.case not in CASES:
        fail(f"unknown case {args.case!r}; known are {', '.join(CASES)}")
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    try:
        case = CASES[args.case](args.data)
    except OSError as error:
        fail(f"cannot read the data of {args.case!r}: {error}")
    name = f"PyTorch {torch.__version__.split('+')[0]}"
    say({"ready": {"parameters": case.parameters, "name": name}})
    for line in sys.stdin:
        say(work(case, units_of(line)))
    say({"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="PyTorch worker of the speed comparison")
    parser.add_argument("case", nargs="?", default="")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of images/, or of PNGs")
    parser.add_argument("--list", action="store_true", help="print the cases")
    return parser.parse_args()


def units_of(line: str) -> int:
    """K of a line `go K`."""
    match line.split():
        case ["go", count] if count.isdigit() and int(count) > 0:
            return int(count)
    fail(f"expected a line `go K`, got {line!r}")


def work(case: Case, count: int) -> dict[str, float | int | None]:
    """Does `count` units and says how long they took."""
    start = time.perf_counter()
    losses = [case.unit() for _ in range(count)]
    secs = time.perf_counter() - start
    known = [loss for loss in losses if loss is not None]
    mean = sum(known) / len(known) if known else None
    return {"secs": secs, "loss": mean, "units": count * case.things}


def say(message: dict) -> None:
    print(json.dumps(message), flush=True)


def fail(message: str) -> None:
    print(f"peer.py: {message}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
