"""Times PyTorch's training step on the models of `s2 bench train`: the same shape with dense attention, compiled.

    python3 training_peers.py --shapes OURS.json --device cuda|cpu [--quick] [--minutes 4] [--out PEERS.json]

OURS.json is what `s2 bench train --out` wrote. The model is a transformer of Llama's shape in the preset's size:
pre-norm RMSNorm, rotary positions, grouped queries, SwiGLU, tied embeddings, dense causal attention by SDPA; bf16 under
autocast with fp32 weights where ours is bf16; fused AdamW and clipping by the global norm. Peers: torch-compile
(torch.compile of the model and its loss) and torch-eager. Forward, backward and optimizer are timed apart, as ours are;
our forward pass computes the gradients of the head too. Prints (or writes) one JSON object with the keys of our own
file, and "peer" and "version" in every entry. Exits with code 3 when PyTorch is not installed.
"""

import argparse
import datetime
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
PHASES = ("forward", "backward", "optimizer")


def create_model(shape):
    """The parameters of a model of ours, and its mean loss as a function of tokens and targets [B, N]."""
    dim, head_dim, heads, kv_heads = shape["dim"], shape["headDim"], shape["heads"], shape["kvHeads"]
    rows = (heads + 2 * kv_heads) * head_dim

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.second_norm = (torch.nn.Parameter(torch.ones(dim)) for _ in range(2))
            self.qkv, self.output = linear(dim, rows), linear(heads * head_dim, dim)
            self.gate_up, self.down = linear(dim, 2 * shape["feedForward"]), linear(shape["feedForward"], dim)

        def forward(self, x, cosine, sine):
            batch, tokens, _ = x.shape
            qkv = self.qkv(norm(x, self.norm)).view(batch, tokens, heads + 2 * kv_heads, head_dim).transpose(1, 2)
            query, key, value = qkv.split([heads, kv_heads, kv_heads], dim=1)
            query, key = rotate(query, cosine, sine), rotate(key, cosine, sine)
            if heads != kv_heads:
                key, value = (t.repeat_interleave(heads // kv_heads, dim=1) for t in (key, value))
            attended = F.scaled_dot_product_attention(query, key, value.to(query.dtype), is_causal=True)
            x = x + self.output(attended.transpose(1, 2).reshape(batch, tokens, heads * head_dim))
            gate, up = self.gate_up(norm(x, self.second_norm)).chunk(2, dim=-1)
            return x + self.down(F.silu(gate) * up)

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Parameter(torch.randn(shape["vocabulary"], dim) * 0.02)
            self.layers = torch.nn.ModuleList(Layer() for _ in range(shape["layers"]))
            self.norm = torch.nn.Parameter(torch.ones(dim))

        def forward(self, tokens, targets, cosine, sine):
            x = F.embedding(tokens, self.embedding)
            for layer in self.layers:
                x = layer(x, cosine, sine)
            logits = F.linear(norm(x, self.norm), self.embedding)
            return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())

    def linear(inputs, outputs):
        return torch.nn.Linear(inputs, outputs, bias=False)

    def norm(x, weight):
        return x * torch.rsqrt(x.float().square().mean(dim=-1, keepdim=True) + 1e-5).to(x.dtype) * weight

    def rotate(x, cosine, sine):
        first, second = x.float().chunk(2, dim=-1)
        turned = torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)
        return turned.to(x.dtype)

    return Model()


def angles(shape, device):
    half = shape["headDim"] // 2
    rates = shape["ropeTheta"] ** (-torch.arange(half, device=device, dtype=torch.float32) / half)
    turns = torch.arange(shape["tokens"], device=device)[:, None] * rates
    return turns.cos(), turns.sin()


def synchronize(device):
    if device != "cpu":
        torch.cuda.synchronize()


def measure(shape, device, is_compiled, most_steps):
    """Seconds of the phases of each step after the first two."""
    torch.manual_seed(1)
    model = create_model(shape).to(device)
    run = torch.compile(model, dynamic=False) if is_compiled else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1,
                                  fused=device != "cpu")
    cosine, sine = angles(shape, device)
    tokens, targets = (torch.randint(shape["vocabulary"], (shape["sequences"], shape["tokens"]), device=device)
                       for _ in range(2))
    steps = []
    for _ in range(most_steps + 2):
        synchronize(device)
        times = [time.perf_counter()]
        with torch.autocast(device, dtype=torch.bfloat16, enabled=shape["dtype"] == "bf16"):
            loss = run(tokens, targets, cosine, sine)
        synchronize(device)
        times.append(time.perf_counter())
        loss.backward()
        synchronize(device)
        times.append(time.perf_counter())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        synchronize(device)
        times.append(time.perf_counter())
        steps.append([later - earlier for earlier, later in zip(times, times[1:])])
    return steps[2:], sum(p.numel() for p in model.parameters())


def entry_of(name, shape, steps):
    totals = [sum(step) * 1e3 for step in steps]
    quartiles = statistics.quantiles(totals, n=4) if len(totals) > 1 else [totals[0]] * 3
    milliseconds = statistics.median(totals)
    keys = ("work", "preset", "attention", "dtype", "sequences", "tokens")
    phases = {f"{phase}Milliseconds": round(statistics.median(step[n] for step in steps) * 1e3, 4)
              for n, phase in enumerate(PHASES)}
    return {"peer": name, "version": torch.__version__, **{key: shape[key] for key in keys},
            "milliseconds": round(milliseconds, 4), "spread": round(quartiles[2] - quartiles[0], 4),
            "tokensPerSecond": round(shape["sequences"] * shape["tokens"] / milliseconds * 1e3, 1), **phases}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shapes", required=True, help="what s2 bench train wrote")
    parser.add_argument("--device", choices=["cuda", "cpu"], required=True)
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    parser.add_argument("--minutes", type=float, default=4, help="after so many minutes no further model begins")
    parser.add_argument("--out", help="file for the JSON; default: standard output")
    arguments = parser.parse_args()
    if torch is None:
        print("error: PyTorch is not installed", file=sys.stderr)
        return NOT_INSTALLED
    device = arguments.device
    if device == "cuda" and not torch.cuda.is_available():
        print("error: PyTorch finds no CUDA device", file=sys.stderr)
        return 1
    with open(arguments.shapes, encoding="utf-8") as file:
        shapes = [entry for entry in json.load(file)["entries"] if entry["attention"] == "dense"]
    entries, notes, start = [], [], time.perf_counter()
    for shape in shapes:
        for name in ("torch-compile", "torch-eager"):
            if time.perf_counter() - start > arguments.minutes * 60:
                notes.append(f"{name}: no time left for {shape['preset']}")
                continue
            try:
                steps, parameters = measure(shape, device, name == "torch-compile", 5 if arguments.quick else 20)
            except Exception as error:  # out of memory, a compiler that is missing
                notes.append(f"{name}, {shape['preset']}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
                continue
            finally:
                if device != "cpu":
                    torch.cuda.empty_cache()
            if parameters != shape["parameters"]:
                raise SystemExit(f"error: {parameters} parameters, ours has {shape['parameters']}")
            entries.append(entry_of(name, shape, steps))
            print(f"{name:14} {shape['preset']} {entries[-1]['milliseconds']:12.3f} ms", file=sys.stderr, flush=True)
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
