"""Times sparse attention from PyTorch beside masked dense attention of PyTorch, forward and backward, on the CPU.

    PYTHONPATH=python S2ILGPU_LIBRARY=PATH/S2ILGPU.Native.dll python3 bench/python/attention.py --tokens 4096

Both are timed in turn and the fastest of the repeats is printed. Masked dense attention is
scaled_dot_product_attention where this PyTorch has it, or softmax(Q K^T) V with the mask. The ceiling is the number of
blocks of dense causal attention over the kept ones.
"""

import argparse
import time

import numpy as np
import s2ilgpu
import torch
import torch.nn.functional as F
from s2ilgpu.torch import attention


def main():
    options = parse()
    torch.manual_seed(0)
    if options.threads:
        torch.set_num_threads(options.threads)
    engine = s2ilgpu.Engine(threads=options.threads)
    pattern = s2ilgpu.Pattern.local_stride(options.heads, options.heads, 64, options.local, options.stride)
    layout = s2ilgpu.Layout(pattern, options.tokens)
    report = layout.report()
    shape = (1, options.tokens, options.heads, options.head_dim)
    tensors = [torch.randn(shape).to(getattr(torch, options.dtype)).requires_grad_() for _ in range(3)]
    mask = token_mask(layout)
    print(f"{engine}, {torch.get_num_threads()} threads of PyTorch {torch.__version__}, {options.dtype} {list(shape)}, "
          f"L{options.local} s{options.stride}, ceiling {report['dense_blocks'] / report['kept_blocks']:.2f}")
    rivals = {
        "sparse": lambda: attention(*tensors, layout, engine=engine)[0],
        "masked dense": lambda: dense(tensors, mask),
    }
    for work in ("forward", "forward and backward"):
        times = {name: [] for name in rivals}
        for _ in range(options.repeats + 1):  # the first warms up
            for name, function in rivals.items():
                times[name].append(measure(function, work != "forward"))
        for name, values in times.items():
            print(f"{work}: {name} {1000 * min(values[1:]):.2f} ms")
    difference = (rivals["sparse"]() - rivals["masked dense"]()).abs().max().item()
    print(f"largest difference {difference:.1e}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("tokens", 4096), ("heads", 8), ("head-dim", 64), ("local", 4), ("stride", 8), ("threads", 0),
                          ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    return parser.parse_args()


def token_mask(layout):
    """[H, N, N], bool."""
    blocks = torch.from_numpy(layout.mask())
    mask = blocks.repeat_interleave(layout.block_tokens, 1).repeat_interleave(layout.block_tokens, 2)
    causal = torch.ones(layout.tokens, layout.tokens, dtype=torch.bool).tril()
    return mask[:, :layout.tokens, :layout.tokens] & causal


def dense(tensors, mask):
    """[B, N, H, D]."""
    q, k, v = (tensor.transpose(1, 2) for tensor in tensors)
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2)
    scores = (q @ k.transpose(2, 3) * q.shape[3] ** -0.5).masked_fill(~mask, -np.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2)


def measure(function, with_backward):
    start = time.perf_counter()
    output = function()
    if with_backward:
        output.sum().backward()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
