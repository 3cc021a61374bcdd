#!/usr/bin/env python3
"""Writes the checkpoints and logits that CheckpointTests read: tiny models of every architecture, computed in NumPy in
float64 from the published formulas. It shares nothing with the library. Run it in its folder: python3 checkpoints.py"""
import json
import math
import struct

import numpy as np

VOCABULARY, DIM, LAYERS, HEADS, KV_HEADS, HEAD_DIM, INNER, CONTEXT = 64, 32, 2, 4, 2, 8, 48, 160
POSITIONS = [0, 1, 17, 63, 64, 100, 129, 149]


# ---- files ----

def bfloat16(x):
    bits = np.asarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def widened(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, array in tensors.items():
        raw = array.tobytes()
        kind = "BF16" if array.dtype == np.uint16 else "F32"
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


# ---- weights ----

def weights(kind, rng, head_dim):
    def normal(*shape, scale=0.3):
        return bfloat16(rng.normal(0, scale, shape))

    def norm(size):
        return bfloat16(1 + rng.normal(0, 0.2, size))

    tensors = {"model.embed_tokens.weight": normal(VOCABULARY, DIM, scale=1.0)}
    q, kv = HEADS * head_dim, KV_HEADS * head_dim
    for layer in range(LAYERS):
        name = f"model.layers.{layer}."

        def linear(part, rows, columns, bias):
            tensors[f"{name}{part}.weight"] = normal(rows, columns)
            if bias:
                tensors[f"{name}{part}.bias"] = normal(rows, scale=0.5)

        small = kind == "phi3small"
        for part in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{name}{part}.weight"] = norm(DIM)
            if small:
                tensors[f"{name}{part}.bias"] = normal(DIM, scale=0.2)
        if small:
            linear("self_attn.query_key_value", q + 2 * kv, DIM, True)
            linear("self_attn.dense", DIM, q, True)
            linear("mlp.up_proj", 2 * INNER, DIM, True)
            linear("mlp.down_proj", DIM, INNER, True)
            continue
        if kind == "phi3":
            linear("self_attn.qkv_proj", q + 2 * kv, DIM, False)
            linear("mlp.gate_up_proj", 2 * INNER, DIM, False)
        else:
            for part, rows in (("q_proj", q), ("k_proj", kv), ("v_proj", kv)):
                linear(f"self_attn.{part}", rows, DIM, kind in ("qwen2", "llama-bias"))
            for part in ("gate_proj", "up_proj"):
                linear(f"mlp.{part}", INNER, DIM, kind == "llama-bias")
        if kind == "qwen3":
            tensors[f"{name}self_attn.q_norm.weight"] = norm(head_dim)
            tensors[f"{name}self_attn.k_norm.weight"] = norm(head_dim)
        linear("self_attn.o_proj", DIM, q, kind == "llama-bias")
        linear("mlp.down_proj", DIM, INNER, kind == "llama-bias")
    if kind == "phi3small":
        tensors["model.final_layernorm.weight"] = norm(DIM)
        tensors["model.final_layernorm.bias"] = normal(DIM, scale=0.2)
    else:
        tensors["model.norm.weight"] = norm(DIM)
    if kind not in ("phi3small", "qwen3"):
        tensors["lm_head.weight"] = normal(VOCABULARY, DIM)
    return tensors


# ---- the models ----

def rms_norm(x, w, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * w


def layer_norm(x, w, b, eps):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps) * w + b


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def yarn(config, scaling, dim, base):
    factor, original = scaling["factor"], scaling.get("original_max_position_embeddings", CONTEXT)

    def turns(scale, m):
        return 1.0 if scale <= 1 else 0.1 * m * math.log(scale) + 1.0

    attention = scaling.get("attention_factor")
    if attention is None:
        m, m_all = scaling.get("mscale"), scaling.get("mscale_all_dim")
        attention = turns(factor, m) / turns(factor, m_all) if m and m_all else turns(factor, 1)

    def correction(rotations):
        return dim * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(base))

    low, high = correction(scaling.get("beta_fast", 32)), correction(scaling.get("beta_slow", 1))
    if scaling.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dim - 1)
    if low == high:
        high += 0.001
    ramp = np.clip((np.arange(dim // 2) - low) / (high - low), 0, 1)
    powers = base ** (np.arange(0, dim, 2) / dim)
    return ramp / (factor * powers) + (1 - ramp) / powers, attention


def llama3(scaling, frequency):
    low, high, factor = scaling["low_freq_factor"], scaling["high_freq_factor"], scaling["factor"]
    old, result = scaling["original_max_position_embeddings"], []
    for f in frequency:
        wave = 2 * math.pi / f
        if wave < old / high:
            result.append(f)
        elif wave > old / low:
            result.append(f / factor)
        else:
            smooth = (old / wave - low) / (high - low)
            result.append((1 - smooth) * f / factor + smooth * f)
    return np.array(result)


def longrope(config, scaling, frequency, tokens):
    original = scaling.get("original_max_position_embeddings") or config["original_max_position_embeddings"]
    factor = config["max_position_embeddings"] / original
    is_long = tokens > original
    attention = scaling.get("long_mscale" if is_long else "short_mscale") or scaling.get("attention_factor")
    if attention is None:
        attention = 1.0 if factor <= 1 else math.sqrt(1 + math.log(factor) / math.log(original))
    return frequency / np.array(scaling["long_factor" if is_long else "short_factor"]), attention


def dynamic(config, scaling, dim, base, tokens):
    trained = scaling.get("original_max_position_embeddings") or config["max_position_embeddings"]
    grown = scaling["factor"] * max(tokens, trained) / trained - (scaling["factor"] - 1)
    return (base * grown ** (dim / (dim - 2))) ** (-np.arange(0, dim, 2) / dim)


def angles(config, dim, tokens):
    scaling = config.get("rope_scaling") or config.get("rope_parameters") or {}
    base = config.get("rope_theta") or scaling.get("rope_theta") or config.get("rope_embedding_base") or 10000.0
    frequency, attention = base ** (-np.arange(0, dim, 2) / dim), 1.0
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind == "linear":
        frequency = frequency / scaling["factor"]
    elif kind == "dynamic":
        frequency = dynamic(config, scaling, dim, base, tokens)
    elif kind == "llama3":
        frequency = llama3(scaling, frequency)
    elif kind == "yarn":
        frequency, attention = yarn(config, scaling, dim, base)
    elif kind in ("longrope", "su"):
        frequency, attention = longrope(config, scaling, frequency, tokens)
    frequency = frequency / config.get("rope_position_scale", 1.0)
    turn = np.outer(np.arange(tokens), frequency)
    turn = np.concatenate([turn, turn], -1)
    return attention * np.cos(turn), attention * np.sin(turn)


def rotate(x, cosine, sine):
    """x [heads, tokens, D]; the first numbers of a head turn, the rest stays."""
    dim = cosine.shape[-1]
    part, rest = x[..., :dim], x[..., dim:]
    half = np.concatenate([-part[..., dim // 2:], part[..., :dim // 2]], -1)
    return np.concatenate([part * cosine + half * sine, rest], -1)


def visible(config, kind, layer, head, tokens):
    q, k = np.arange(tokens)[:, None], np.arange(tokens)[None, :]
    mask = k <= q
    if kind == "phi3small":
        if (layer + 1) % config["dense_attention_every_n_layers"] == 0:
            return mask
        block, stride = config["blocksparse_block_size"], config["blocksparse_vert_stride"]
        step = max(1, int(stride / HEADS))
        if config["blocksparse_homo_head_pattern"]:
            head, step = 0, 0
        qb, kb = q // block, k // block
        return mask & ((qb - kb < config["blocksparse_num_local_blocks"]) | ((kb + head * step + 1) % stride == 0))
    window = config.get("sliding_window")
    if kind.startswith("qwen"):
        types = config.get("layer_types")
        slides = types[layer] == "sliding_attention" if types else layer >= config.get("max_window_layers", 28)
        if not config.get("use_sliding_window", False) or not slides:
            window = None
    return mask if window is None else mask & (k > q - window)


def gegelu(x, limit):
    gate, linear = np.minimum(x[:, ::2], limit), np.clip(x[:, 1::2], -limit, limit)
    return gate * sigmoid(1.702 * gate) * (linear + 1)


def logits(kind, config, stored, ids):
    w = {name: widened(bits) for name, bits in stored.items()}
    tokens, head_dim = len(ids), config.get("head_dim") or DIM // HEADS
    small, fused = kind == "phi3small", kind in ("phi3", "phi3small")
    eps = config.get("rms_norm_eps", config.get("layer_norm_epsilon"))
    x = w["model.embed_tokens.weight"][ids]
    if small:
        x = x * config["mup_embedding_multiplier"]
    cosine, sine = angles(config, int(head_dim * config.get("partial_rotary_factor", 1.0)), tokens)
    scale = 1 / math.sqrt(head_dim)
    if small and config["mup_use_scaling"]:
        scale = config["mup_attn_multiplier"] / head_dim

    def linear(x, name):
        y = x @ w[f"{name}.weight"].T
        return y + w[f"{name}.bias"] if f"{name}.bias" in w else y

    def norm(x, name):
        return layer_norm(x, w[f"{name}.weight"], w[f"{name}.bias"], eps) if small \
            else rms_norm(x, w[f"{name}.weight"], eps)

    for layer in range(LAYERS):
        name = f"model.layers.{layer}."
        h = norm(x, f"{name}input_layernorm")
        if small:
            group = HEADS // KV_HEADS
            parts = linear(h, f"{name}self_attn.query_key_value").reshape(tokens, KV_HEADS, group + 2, head_dim)
            q, k, v = parts[:, :, :group].reshape(tokens, HEADS, head_dim), parts[:, :, group], parts[:, :, group + 1]
        elif fused:
            parts = linear(h, f"{name}self_attn.qkv_proj").reshape(tokens, -1, head_dim)
            q, k, v = parts[:, :HEADS], parts[:, HEADS:HEADS + KV_HEADS], parts[:, HEADS + KV_HEADS:]
        else:
            q, k, v = (linear(h, f"{name}self_attn.{p}_proj").reshape(tokens, -1, head_dim) for p in "qkv")
        if kind == "qwen3":
            q = rms_norm(q, w[f"{name}self_attn.q_norm.weight"], eps)
            k = rms_norm(k, w[f"{name}self_attn.k_norm.weight"], eps)
        q, k = (rotate(part.transpose(1, 0, 2), cosine, sine) for part in (q, k))
        outputs = []
        for head in range(HEADS):
            kv = head // (HEADS // KV_HEADS)
            scores = np.where(visible(config, kind, layer, head, tokens), scale * q[head] @ k[kv].T, -np.inf)
            p = np.exp(scores - scores.max(-1, keepdims=True))
            outputs.append(p / p.sum(-1, keepdims=True) @ v[:, kv])
        x = x + linear(np.concatenate(outputs, -1), f"{name}self_attn.{'dense' if small else 'o_proj'}")
        h = norm(x, f"{name}post_attention_layernorm")
        if small:
            inner = gegelu(linear(h, f"{name}mlp.up_proj"), config["gegelu_limit"])
        elif fused:
            both = linear(h, f"{name}mlp.gate_up_proj")
            inner = both[:, :INNER] * sigmoid(both[:, :INNER]) * both[:, INNER:]
        else:
            gate = linear(h, f"{name}mlp.gate_proj")
            inner = gate * sigmoid(gate) * linear(h, f"{name}mlp.up_proj")
        x = x + linear(inner, f"{name}mlp.down_proj")
    x = norm(x, "model.final_layernorm" if small else "model.norm")
    head = w.get("lm_head.weight", w["model.embed_tokens.weight"])
    result = x @ head.T
    if small:
        result = result / config["mup_width_multiplier"]
        result[:, config["dummy_token_indices"]] = -np.inf
    return result


# ---- the cases ----

def common(model_type, architecture, **more):
    return {"architectures": [architecture], "model_type": model_type, "vocab_size": VOCABULARY, "hidden_size": DIM,
            "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS,
            "intermediate_size": INNER, "max_position_embeddings": CONTEXT, "rms_norm_eps": 1e-5, "rope_theta": 1000.0,
            "hidden_act": "silu", "tie_word_embeddings": False, "torch_dtype": "bfloat16", **more}


SMALL = {"architectures": ["Phi3SmallForCausalLM"], "model_type": "phi3small", "vocab_size": VOCABULARY,
         "hidden_size": DIM, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
         "num_key_value_heads": KV_HEADS, "ff_intermediate_size": INNER, "ff_dim_multiplier": None,
         "max_position_embeddings": CONTEXT, "layer_norm_epsilon": 1e-5, "hidden_act": "gegelu", "gegelu_limit": 2.0,
         "rope_embedding_base": 5000, "rope_position_scale": 1.0, "mup_use_scaling": True, "mup_attn_multiplier": 1.5,
         "mup_embedding_multiplier": 2.5, "mup_width_multiplier": 4.0, "blocksparse_block_size": 16,
         "blocksparse_triton_kernel_block_size": 16, "blocksparse_num_local_blocks": 2, "blocksparse_vert_stride": 3,
         "blocksparse_homo_head_pattern": False, "dense_attention_every_n_layers": 2,
         "dummy_token_indices": [5, 60, 61], "attention_bias": False, "gegelu_pad_to_256": True,
         "pad_sequence_to_multiple_of_64": True, "reorder_and_upcast_attn": False, "torch_dtype": "bfloat16"}

LLAMA3 = {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}
LONG = {"type": "longrope", "short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [1.5, 2.0, 3.0, 4.0]}


def cases():
    llama = common("llama", "LlamaForCausalLM")
    yield "llama", "llama", llama, 150
    yield "llama-linear", "llama", {**llama, "rope_scaling": {"type": "linear", "factor": 2.5}}, 150
    grows = {"type": "dynamic", "factor": 2.0}
    yield "llama-dynamic", "llama", {**llama, "max_position_embeddings": 100, "rope_scaling": grows}, 150
    yield "llama-dynamic-short", "llama", {**llama, "rope_scaling": grows}, 150
    yield "llama-dynamic-original", "llama", {
        **llama, "rope_scaling": {**grows, "original_max_position_embeddings": 70}}, 150
    yield "llama-llama3", "llama", {**llama, "rope_scaling": LLAMA3}, 150
    yarned = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 40}
    yield "llama-yarn", "llama", {**llama, "rope_scaling": yarned}, 150
    yield "llama-yarn-all", "llama", {**llama, "rope_scaling": {
        **yarned, "beta_fast": 8.0, "beta_slow": 2.0, "mscale": 0.8, "mscale_all_dim": 0.5, "truncate": False}}, 150
    yield "llama-yarn-factor", "llama", {**llama, "rope_scaling": {**yarned, "attention_factor": 1.3}}, 150
    yield "llama-rope-parameters", "llama", {
        **{k: v for k, v in llama.items() if k != "rope_theta"},
        "rope_parameters": {"rope_type": "default", "rope_theta": 300.0}}, 150
    yield "llama-bias", "llama-bias", {**llama, "attention_bias": True, "mlp_bias": True}, 150
    mistral = common("mistral", "MistralForCausalLM")
    yield "mistral", "llama", {**mistral, "sliding_window": None}, 150
    yield "mistral-window", "llama", {**mistral, "sliding_window": 70}, 150
    yield "mistral-window-1", "llama", {**mistral, "sliding_window": 1}, 150
    yield "mistral-window-64", "llama", {**mistral, "sliding_window": 64}, 150
    qwen2 = common("qwen2", "Qwen2ForCausalLM", use_sliding_window=False, sliding_window=70, max_window_layers=1)
    yield "qwen2", "qwen2", qwen2, 150
    yield "qwen2-window", "qwen2", {**qwen2, "use_sliding_window": True}, 150
    qwen3 = common("qwen3", "Qwen3ForCausalLM", head_dim=16, attention_bias=False, use_sliding_window=False,
                   sliding_window=None, max_window_layers=2)
    qwen3["tie_word_embeddings"] = True
    yield "qwen3", "qwen3", qwen3, 150
    yield "qwen3-window", "qwen3", {**qwen3, "use_sliding_window": True, "sliding_window": 33,
                                    "layer_types": ["sliding_attention", "full_attention"]}, 150
    phi3 = common("phi3", "Phi3ForCausalLM", original_max_position_embeddings=CONTEXT, rope_scaling=None,
                  sliding_window=None, attention_bias=False)
    yield "phi3", "phi3", phi3, 150
    yield "phi3-window", "phi3", {**phi3, "sliding_window": 47}, 150
    yield "phi3-partial", "phi3", {**phi3, "partial_rotary_factor": 0.5}, 150
    yield "phi3-long", "phi3", {**phi3, "original_max_position_embeddings": 64, "rope_scaling": LONG}, 150
    yield "phi3-long-short", "phi3", {**phi3, "original_max_position_embeddings": 64, "rope_scaling": LONG}, 64
    yield "phi3small", "phi3small", SMALL, 150
    yield "phi3small-plain", "phi3small", {
        **SMALL, "mup_use_scaling": False, "blocksparse_homo_head_pattern": True, "rope_position_scale": 2.0}, 150
    yield "phi3small-long", "phi3small", {**SMALL, "rope_scaling": {
        **LONG, "type": "su", "original_max_position_embeddings": 64, "short_mscale": 1.1, "long_mscale": 1.2}}, 150


def main():
    stored, index, results = {}, [], {}
    for number, kind in enumerate(("llama", "llama-bias", "qwen2", "qwen3", "phi3", "phi3small")):
        stored[kind] = weights(kind, np.random.default_rng(number), 16 if kind == "qwen3" else HEAD_DIM)
        write_safetensors(f"{kind}.safetensors", stored[kind])
    for name, kind, config, tokens in cases():
        ids = np.random.default_rng(100).integers(0, VOCABULARY, tokens)
        positions = [p for p in POSITIONS if p < tokens]
        results[name] = logits(kind, config, stored[kind], ids)[positions].astype(np.float32)
        index.append({"name": name, "weights": kind, "tokens": ids.tolist(), "positions": positions, "config": config})
    write_safetensors("logits.safetensors", results)
    with open("checkpoints.json", "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(case) for case in index) + "\n]\n")


if __name__ == "__main__":
    main()
