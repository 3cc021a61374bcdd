"""Times PyTorch's scaled_dot_product_attention, dense causal forward, float32, on the CPU, and prints one line of JSON.

    python3 attention_cpu.py THREADS HEADS SECONDS TOKENSxHEADDIM...

prints {"version": "2.6.0", "figures": [{"tokens": 4096, "headDim": 64, "seconds": 0.021}, ...]}: medians,
[1, HEADS, TOKENS, HEADDIM] each. Versions before 2.2 have no flash kernel for CPUs and hold all scores in memory: sizes
that would need more than 4 GB are left out there. Exits with code 3 when PyTorch is not installed or has no such
function (before 2.0). `s2 bench cpu` runs it when it finds python3.
"""

import json
import statistics
import sys
import time

try:
    import torch
    from torch.nn.functional import scaled_dot_product_attention
except ImportError:
    sys.exit(3)

HAS_FLASH = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 2)
MOST_SCORE_BYTES = 4e9


def median_seconds(run, patience):
    """Median over at least 3 calls, and as many more as `patience` seconds hold."""
    run()
    start, seconds = time.perf_counter(), []
    while len(seconds) < 3 or (len(seconds) < 50 and time.perf_counter() - start < patience):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def main(threads, heads, patience, sizes):
    torch.set_num_threads(threads)
    figures = []
    with torch.no_grad():
        for tokens, head_dim in sizes:
            if not HAS_FLASH and heads * tokens * tokens * 4 > MOST_SCORE_BYTES:
                continue
            query, key, value = (torch.randn(1, heads, tokens, head_dim) for _ in range(3))
            attend = lambda: scaled_dot_product_attention(query, key, value, is_causal=True)
            figures.append({"tokens": tokens, "headDim": head_dim, "seconds": median_seconds(attend, patience)})
    print(json.dumps({"version": torch.__version__, "figures": figures}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]),
         [tuple(map(int, size.split("x"))) for size in sys.argv[4:]])
