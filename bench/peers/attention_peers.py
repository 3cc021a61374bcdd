"""Times other implementations of attention on the shapes of `s2 bench attention`: PyTorch's SDPA and FlexAttention,
and FlashAttention, DKernel and FlashInfer where they are installed.

    python3 attention_peers.py --device cuda|cpu [--shapes OURS.json] [--quick] [--minutes 8] [--out PEERS.json]

OURS.json is what `s2 bench attention --out` wrote; without it, a list of shapes of its own. Prints (or writes) one JSON
object with the keys of our own file, and "peer" and "version" in every entry: {"device": ..., "date": ..., "entries":
[{"peer": "sdpa-flash", "version": "2.6.0", "work": "forward", ..., "milliseconds": 0.4}], "notes": ["sdpa-cudnn: ..."]}
What the installed version cannot do is left out, with the reason in the notes. `s2 bench compare OURS.json PEERS.json`
joins both. Exits with code 3 when PyTorch is not installed.

Peers: sdpa-flash, sdpa-cudnn, sdpa-mem-efficient (GPUs), sdpa (CPUs), flash-attn and flashinfer (dense), dkernel (our
patterns), flex and flex-64 (FlexAttention, compiled, its mask in blocks of 128 and of 64; the token mask is the same),
eager (softmax(Q K^T) V, where its scores fit into a gigabyte). What is compiled for every shape anew comes last and
ends when the minutes are over. The work "backward" is the backward pass alone, its forward pass done before.
"""

import argparse
import contextlib
import datetime
import functools
import json
import statistics
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    torch = None

NOT_INSTALLED = 3
BLOCK = 64
DENSE = "dense"
MOST_SCORE_BYTES = 1 << 30
DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


class Unsupported(Exception):
    """The installed version, or this device, cannot do it."""


# ---- shapes ----

def own_shapes(device, quick):
    """The default shapes: those of `s2 bench attention` on a GPU, tiny ones on a CPU."""
    if device == "cpu":
        sizes = [256] if quick else [1024, 4096]
        heads, kv_heads, head_dims, dtype, decode_tokens = 8, 2, [64], "fp32", 1 << 14
    else:
        sizes = [4096, 16384, 65536] if quick else [1 << n for n in range(10, 18)]
        heads, kv_heads, head_dims, dtype, decode_tokens = 32, 8, [128] if quick else [128, 64], "bf16", 1 << 20
    for work in ("forward", "backward", "decode"):
        for head_dim in head_dims:
            for tokens in sizes:
                for pattern in (DENSE, "B64 L16 s8", "B64 L8 s32", "B64 L8 s16"):
                    yield {"work": work, "headDim": head_dim, "heads": heads, "kvHeads": kv_heads, "dtype": dtype,
                           "pattern": pattern, "tokens": tokens,
                           "sequences": max(1, decode_tokens // tokens) if work == "decode" else 1}


def read_shapes(path):
    keys = ("work", "headDim", "heads", "kvHeads", "dtype", "pattern", "tokens")
    with open(path, encoding="utf-8") as file:
        return [{**{key: entry[key] for key in keys}, "sequences": entry.get("sequences", 1)}
                for entry in json.load(file)["entries"]]


def local_stride(pattern):
    """(local blocks, stride) of a name as in "B64 L16 s8"; (0, 1) for dense."""
    if pattern == DENSE:
        return 0, 1
    block, local, stride = pattern.split()
    if block != f"B{BLOCK}":
        raise Unsupported(f"pattern {pattern}: only blocks of {BLOCK}")
    return int(local[1:]), int(stride[1:])


def kept_blocks(shape):
    """[Hkv, query blocks, key blocks]: keep(h, i, j) = j <= i and (i - j < L or (j + h * step) mod s == 0),
    step = max(1, s // H) with H the query heads."""
    local, stride = local_stride(shape["pattern"])
    blocks = -(-shape["tokens"] // BLOCK)
    step = max(1, stride // shape["heads"])
    head = torch.arange(shape["kvHeads"])[:, None, None]
    query, key = torch.arange(blocks)[None, :, None], torch.arange(blocks)[None, None, :]
    return (key <= query) & ((query - key < local) | ((key + head * step) % stride == 0))


def kept_flops(shape):
    """Multiplications and additions over whole kept blocks, as we count them."""
    kept = kept_blocks(shape)
    if shape["work"] == "decode":
        kept = kept[:, -1:]
    products = {"forward": 4, "decode": 4, "backward": 10}[shape["work"]]
    rows = 1 if shape["work"] == "decode" else BLOCK
    group = shape["heads"] // shape["kvHeads"]
    return float(int(kept.sum()) * products * rows * BLOCK * shape["headDim"] * group * shape["sequences"])


# ---- time ----

def median_milliseconds(run, device, patience):
    """Median and quartile range of batches of calls: between events on a GPU, by the clock on a CPU."""
    for _ in range(2):
        run()
    synchronize(device)
    began = time.perf_counter()
    run()
    synchronize(device)
    once = max(time.perf_counter() - began, 1e-6)
    calls = 1 if device == "cpu" else max(1, min(1000, int(0.02 / once)))
    samples, start = [], time.perf_counter()
    while len(samples) < 3 or (len(samples) < 30 and time.perf_counter() - start < patience):
        samples.append(batch_milliseconds(run, device, calls))
    quartiles = statistics.quantiles(samples, n=4) if len(samples) > 1 else [samples[0]] * 3
    return statistics.median(samples), quartiles[2] - quartiles[0]


def batch_milliseconds(run, device, calls):
    if device == "cpu":
        began = time.perf_counter()
        for _ in range(calls):
            run()
        return (time.perf_counter() - began) * 1e3 / calls
    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    first.record()
    for _ in range(calls):
        run()
    last.record()
    torch.cuda.synchronize()
    return first.elapsed_time(last) / calls


def synchronize(device):
    if device != "cpu":
        torch.cuda.synchronize()


# ---- peers: each takes a shape and the inputs [B, heads, N, D] and returns a function that attends ----

def sdpa_backend(name):
    try:
        from torch.nn.attention import SDPBackend, sdpa_kernel
    except ImportError:
        raise Unsupported("torch.nn.attention is missing (before 2.3)")
    if not hasattr(SDPBackend, name):
        raise Unsupported(f"no SDPBackend.{name}")
    return lambda: sdpa_kernel([getattr(SDPBackend, name)])


def sdpa(shape, query, key, value, backend=None):
    if not hasattr(F, "scaled_dot_product_attention"):
        raise Unsupported("no scaled_dot_product_attention (before 2.0)")
    if shape["pattern"] != DENSE:
        raise Unsupported("")  # SDPA has no block mask that skips work: nothing to report
    context = sdpa_backend(backend) if backend else contextlib.nullcontext
    group = shape["heads"] // shape["kvHeads"]
    if shape["work"] == "decode":
        # One query sees all keys: the query heads of a group are as good as queries of one head, and no key is copied.
        rows = query.reshape(query.shape[0], shape["kvHeads"], group, query.shape[3])

        def decode():
            with context():
                return F.scaled_dot_product_attention(rows, key, value)
        return decode
    options = {}
    if group > 1:
        if "enable_gqa" in (F.scaled_dot_product_attention.__doc__ or ""):
            options["enable_gqa"] = True
        else:  # copied outside the clock
            key, value = (x.detach().repeat_interleave(group, dim=1).requires_grad_(x.requires_grad)
                          for x in (key, value))

    def attend():
        with context():
            return F.scaled_dot_product_attention(query, key, value, is_causal=True, **options)
    return attend


def ordered(mask):
    """Counts [1, H, rows] and, kept ones first, indices [1, H, rows, columns] of a mask [H, rows, columns]."""
    counts = mask.sum(dim=-1, dtype=torch.int32)
    indices = torch.argsort(mask.to(torch.int8), dim=-1, descending=True, stable=True).to(torch.int32)
    return counts[None].contiguous(), indices[None].contiguous()


def block_mask(shape, device, block):
    """FlexAttention's block mask, built from blocks: a mask over tokens would be N x N."""
    from torch.nn.attention.flex_attention import BlockMask
    local, stride = local_stride(shape["pattern"])
    group, step = shape["heads"] // shape["kvHeads"], max(1, stride // shape["heads"])
    kept = kept_blocks(shape).to(device)
    blocks = kept.shape[-1]
    full = kept & (torch.arange(blocks, device=device)[:, None] > torch.arange(blocks, device=device)[None, :])
    if block != BLOCK:
        factor = block // BLOCK
        padding = -blocks % factor
        padded = lambda mask: F.pad(mask, (0, padding, 0, padding))
        tiles = lambda mask: padded(mask).unflatten(-1, (-1, factor)).unflatten(-3, (-1, factor))
        kept, full = tiles(kept).any(dim=-1).any(dim=-2), tiles(full).all(dim=-1).all(dim=-2)
    if shape["tokens"] % block:
        full[:, :, -1] = False

    def causal(batch, head, query, key):  # blocks of the pattern's own size: only diagonal ones are masked
        return query >= key

    def mask_mod(batch, head, query, key):
        distance, kv_head = query // BLOCK - key // BLOCK, head // group
        return (query >= key) & ((distance < local) | ((key // BLOCK + kv_head * step) % stride == 0))

    kept, full = (mask.repeat_interleave(group, dim=0) for mask in (kept, full))
    (partial_counts, partial_indices), (full_counts, full_indices) = ordered(kept & ~full), ordered(full)
    return BlockMask.from_kv_blocks(partial_counts, partial_indices, full_counts, full_indices,
                                    BLOCK_SIZE=(block, block),
                                    mask_mod=causal if block == BLOCK or stride == 1 else mask_mod)


@functools.lru_cache(maxsize=None)
def compiled_flex():
    from torch.nn.attention.flex_attention import flex_attention
    # A backward pass is timed many times over one forward pass, so it may not take over the forward pass's memory.
    with contextlib.suppress(ImportError, AttributeError):
        import torch._functorch.config
        torch._functorch.config.donated_buffer = False
    return torch.compile(flex_attention, dynamic=False)  # sizes are constants: the fastest code


def flex(shape, query, key, value, block=128):
    try:
        from torch.nn.attention import flex_attention as _
    except ImportError:
        raise Unsupported("no torch.nn.attention.flex_attention (before 2.5)")
    if shape["work"] == "decode":
        raise Unsupported("")
    mask = block_mask(shape, query.device, block)
    options = {"enable_gqa": True} if shape["heads"] != shape["kvHeads"] else {}
    if block < 128:  # tiles must divide blocks
        options["kernel_options"] = {"BLOCK_M": block, "BLOCK_N": block, "BLOCK_M1": block // 2, "BLOCK_N1": block,
                                     "BLOCK_M2": block, "BLOCK_N2": block // 2}
    torch._dynamo.reset()  # after a few recompilations it would fall back to a version that holds all scores
    run = compiled_flex()
    return lambda: run(query, key, value, block_mask=mask, **options)


def eager(shape, query, key, value):
    if shape["pattern"] != DENSE:
        raise Unsupported("")
    rows = query.shape[2]
    if 4 * query.shape[0] * shape["heads"] * rows * key.shape[2] > MOST_SCORE_BYTES:
        raise Unsupported("its scores take more than a gigabyte")
    group, scale = shape["heads"] // shape["kvHeads"], shape["headDim"] ** -0.5
    hidden = torch.ones(rows, key.shape[2], dtype=torch.bool, device=query.device).triu(1) if rows > 1 else None

    def attend():
        keys, values = (x.repeat_interleave(group, dim=1) if group > 1 else x for x in (key, value))
        scores = query @ keys.transpose(-1, -2) * scale
        if hidden is not None:
            scores = scores.masked_fill(hidden, float("-inf"))
        return scores.softmax(dim=-1) @ values
    return attend


# ---- libraries of their own; they take [B, N, heads, D] ----

def token_order(*tensors):
    """[B, heads, N, D] as [B, N, heads, D] in memory; gradients go to the copies."""
    return [x.detach().transpose(1, 2).contiguous().requires_grad_(x.requires_grad) for x in tensors]


def flash_attn(shape, query, key, value):
    try:
        from flash_attn import flash_attn_func, flash_attn_with_kvcache
    except ImportError:
        raise Unsupported("flash_attn is not installed")
    if shape["pattern"] != DENSE:
        raise Unsupported("")
    query, key, value = token_order(query, key, value)
    if shape["work"] == "decode":
        return lambda: flash_attn_with_kvcache(query, key, value, causal=True)
    return Attend(lambda: flash_attn_func(query, key, value, causal=True), (query, key, value))


def flashinfer(shape, query, key, value):
    try:
        import flashinfer
    except ImportError:
        raise Unsupported("flashinfer is not installed")
    if shape["pattern"] != DENSE or shape["work"] == "backward":
        raise Unsupported("")
    query, key, value = token_order(query, key, value)
    if shape["work"] == "forward":
        query, key, value = query[0], key[0], value[0]
        return lambda: flashinfer.single_prefill_with_kv_cache(query, key, value, causal=True)
    page = 16
    sequences, tokens, kv_heads, head_dim = key.shape
    if tokens % page:
        raise Unsupported(f"{tokens} tokens are not whole pages of {page}")
    pages = tokens // page
    wrapper = flashinfer.BatchDecodeWithPagedKVCacheWrapper(
        torch.empty(128 << 20, dtype=torch.uint8, device=key.device), "NHD")
    integers = functools.partial(torch.tensor, dtype=torch.int32, device=key.device)
    order = torch.randperm(sequences * pages, device=key.device).int()  # as after a while of serving
    wrapper.plan(integers([pages * s for s in range(sequences + 1)]), order, integers([page] * sequences),
                 shape["heads"], kv_heads, head_dim, page, q_data_type=query.dtype, kv_data_type=key.dtype)
    cache = tuple(x.reshape(sequences * pages, page, kv_heads, head_dim) for x in (key, value))
    rows = query[:, 0]
    return lambda: wrapper.run(rows, cache)


def dkernel(shape, query, key, value):
    try:
        from dkernel import LocalStrideSparseAttention
    except ImportError:
        raise Unsupported("dkernel is not installed")
    local, stride = local_stride(shape["pattern"])
    if shape["pattern"] == DENSE or shape["work"] == "decode":
        raise Unsupported("")
    query, key, value = token_order(query, key, value)
    attention = LocalStrideSparseAttention(shape["heads"], shape["tokens"], BLOCK, local, stride,
                                           num_kv_heads=shape["kvHeads"], seq_dim=1)
    attention.to(query.device)
    return Attend(lambda: attention(query, key, value), (query, key, value))


class Attend:
    """Attention over tensors other than the inputs that were given: its gradients go to these."""

    def __init__(self, run, inputs):
        self.run, self.inputs = run, inputs

    def __call__(self):
        return self.run()


def peers_of(device):
    if device == "cpu":
        return {"sdpa": sdpa, "flex": flex, "eager": eager}
    backends = {"sdpa-flash": "FLASH_ATTENTION", "sdpa-cudnn": "CUDNN_ATTENTION",
                "sdpa-mem-efficient": "EFFICIENT_ATTENTION"}
    return {**{name: functools.partial(sdpa, backend=backend) for name, backend in backends.items()},
            "flash-attn": flash_attn, "flashinfer": flashinfer, "eager": eager,
            "dkernel": dkernel, "flex": flex, "flex-64": functools.partial(flex, block=64)}


def is_compiled_per_shape(name):
    return name.startswith("flex") or name == "dkernel"


# ---- the run ----

def inputs_of(shape, device, needs_gradient):
    dtype = getattr(torch, DTYPES[shape["dtype"]])
    rows = 1 if shape["work"] == "decode" else shape["tokens"]
    new = lambda heads, count: torch.randn(shape["sequences"], heads, count, shape["headDim"], device=device,
                                           dtype=dtype, requires_grad=needs_gradient)
    return new(shape["heads"], rows), new(shape["kvHeads"], shape["tokens"]), new(shape["kvHeads"], shape["tokens"])


def timed(peer, shape, device, patience):
    has_backward = shape["work"] == "backward"
    inputs = inputs_of(shape, device, has_backward)
    attend = peer(shape, *inputs)
    if not has_backward:
        with torch.no_grad():
            return median_milliseconds(attend, device, patience)
    output = attend()
    gradient = torch.randn_like(output)
    targets = getattr(attend, "inputs", inputs)

    def backward():
        for tensor in targets:
            tensor.grad = None
        output.backward(gradient, retain_graph=True)
    return median_milliseconds(backward, device, patience)


def measure(shapes, device, patience, seconds, log):
    entries, notes, broken = [], [], set()
    start = time.perf_counter()
    for is_compiled in (False, True):
        for shape in sorted(shapes, key=urgency) if is_compiled else shapes:
            for name, peer in peers_of(device).items():
                if is_compiled_per_shape(name) == is_compiled and (name, shape["work"], shape["headDim"]) not in broken:
                    if is_compiled and time.perf_counter() - start > seconds:
                        note(notes, f"{name}: no time left for {describe(shape)}")
                        continue
                    entry = attempt(name, peer, shape, device, patience, notes, broken)
                    if entry is not None:
                        entries.append(entry)
                        log(f"{name:20} {describe(shape):60} {entry['milliseconds']:12.4f} ms")
    return entries, notes


def attempt(name, peer, shape, device, patience, notes, broken):
    """An entry, or None when the peer cannot do it."""
    try:
        milliseconds, spread = timed(peer, shape, device, patience)
    except Unsupported as reason:
        if str(reason):
            note(notes, f"{name}: {reason}")
        return None
    except Exception as error:  # out of memory, a compiler that is missing, a shape that a kernel refuses
        note(notes, f"{name}, {describe(shape)}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
        if "memory" not in str(error):
            broken.add((name, shape["work"], shape["headDim"]))  # it will not work for other lengths either
        return None
    finally:
        release(device)
    flops = kept_flops(shape)
    return {"peer": name, "version": torch.__version__, **shape, "milliseconds": round(milliseconds, 6),
            "spread": round(spread, 6), "keptFlops": flops, "teraFlops": round(flops / milliseconds / 1e9, 4)}


def urgency(shape):
    """Lengths that tell most come first: 16K, 64K, 4K, then the others."""
    order = [16384, 65536, 4096]
    return order.index(shape["tokens"]) if shape["tokens"] in order else len(order)


def describe(shape):
    return f"{shape['work']} D{shape['headDim']} {shape['tokens']} tokens {shape['pattern']}"


def note(notes, text):
    if text not in notes:
        notes.append(text)


def release(device):
    if device != "cpu":
        torch.cuda.empty_cache()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shapes", help="what s2 bench attention wrote; default: shapes of its own")
    parser.add_argument("--device", choices=["cuda", "cpu"], required=True)
    parser.add_argument("--quick", action="store_true", help="fewer shapes of its own, less patience")
    parser.add_argument("--out", help="file for the JSON; default: standard output")
    parser.add_argument("--minutes", type=float, default=8,
                        help="after so many minutes FlexAttention gets no further shape")
    arguments = parser.parse_args()
    if torch is None:
        print("error: PyTorch is not installed", file=sys.stderr)
        return NOT_INSTALLED
    device = arguments.device
    if device == "cuda" and not torch.cuda.is_available():
        print("error: PyTorch finds no CUDA device", file=sys.stderr)
        return 1
    torch.manual_seed(1)
    shapes = read_shapes(arguments.shapes) if arguments.shapes else list(own_shapes(device, arguments.quick))
    log = (lambda line: print(line, file=sys.stderr, flush=True))
    entries, notes = measure(shapes, device, 0.3 if arguments.quick else 1.0, arguments.minutes * 60, log)
    name = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    text = json.dumps({"device": name, "date": datetime.date.today().isoformat(), "torch": torch.__version__,
                       "cuda": torch.version.cuda, "entries": entries, "notes": notes}, indent=2)
    if arguments.out:
        with open(arguments.out, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
