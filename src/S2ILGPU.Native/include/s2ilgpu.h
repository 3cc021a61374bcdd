/*
 * S2ILGPU as a C library: sparsely-sharded (S2) attention, forward, backward, decoding, merging of partitions.
 *
 * Letters: B batch, H query heads, Hkv key/value heads (divides H), Nq queries, Nk keys, D head dim (a multiple of 8
 * from 8 to 256). Counts are in elements, never in bytes, unless a name ends in _bytes.
 *
 * Ways in. One function, s2_get_api, fills a table of functions:
 *  - the library S2ILGPU.Native.so (.dll, .dylib), compiled ahead of time, exports it: the CPU engine alone;
 *  - an installed .NET runtime finds it by hostfxr's load_assembly_and_get_function_pointer, with the assembly
 *    S2ILGPU.Native.dll, the type "S2ILGPU.Native.Exports, S2ILGPU.Native", the method "GetApi" and
 *    UNMANAGEDCALLERSONLY_METHOD: the engines of CUDA and OpenCL too. No compiler is needed.
 *
 * Errors. Functions return S2_OK (0) or another s2_status; last_error has the message of the last failure in the
 * calling thread. No exception leaves the library. A failed call has made no handle; its output tensors may hold
 * anything.
 *
 * Memory. Tensors are the caller's memory: the library reads and writes it in place, keeps no pointer after a call, and
 * frees nothing of it. It copies where an engine cannot reach or compute a type: fp16 on the CPU, everything on a GPU.
 * Pointers must be aligned to their element; a pointer that is not NULL is trusted.
 *
 * Handles. Engines, patterns and layouts are numbers that are never given twice, 0 is none. A released, made up or
 * wrong handle gives S2_ERROR_HANDLE. Patterns and layouts are immutable, and keep what they were made from.
 *
 * Threads. Every function may be called from any thread at any time. Calls on one engine wait for each other; engines
 * are independent. After fork() the child must not call the library.
 */
#ifndef S2ILGPU_H
#define S2ILGPU_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows when a function or a structure changes its form; s2_get_api refuses another one. */
#define S2_API_VERSION 1

typedef enum s2_status {
    S2_OK = 0,
    S2_ERROR_ARGUMENT = 1,    /* a value breaks its rule, or a pointer is NULL that must not be */
    S2_ERROR_SHAPE = 2,       /* a tensor's rank, extent, stride or element type does not fit */
    S2_ERROR_HANDLE = 3,      /* 0, released, made up, or of another kind */
    S2_ERROR_UNSUPPORTED = 4, /* this device, build or machine cannot do it */
    S2_ERROR_MEMORY = 5,      /* out of memory */
    S2_ERROR_VERSION = 6,     /* the table was asked for in a version or size that the library does not have */
    S2_ERROR_INTERNAL = 7     /* a fault of the library; the message has the exception */
} s2_status;

typedef enum s2_element_type { S2_FLOAT32 = 0, S2_FLOAT16 = 1, S2_BFLOAT16 = 2 } s2_element_type;

typedef uint64_t s2_engine;
typedef uint64_t s2_pattern;
typedef uint64_t s2_layout;

/* A strided view of memory. Read or written as the function says. */
typedef struct s2_tensor {
    void *data;         /* the first element; may be NULL where there are no elements */
    int32_t type;       /* s2_element_type */
    int32_t rank;       /* 1 to 4 */
    int64_t shape[4];   /* extents, outermost first, each at most INT32_MAX */
    int64_t strides[4]; /* distance of neighbours in elements, 0 to INT32_MAX; elements of a head are adjacent (1).
                           0 repeats what is read; what is written overlaps neither itself nor what is read, or the
                           call fails with S2_ERROR_SHAPE. Any strides where there are no elements. */
} s2_tensor;

/* Where one sequence lies in the token dimension of queries [B, Nq, H, D] and keys [B, Nk, Hkv, D]. Query i of the
   sequence sits at position key_count - query_count + i. Sequences do not overlap. Rows of no sequence are padding:
   output 0, log-sum-exp -inf, gradients 0. */
typedef struct s2_sequence {
    int32_t batch;       /* index of the batch dimension */
    int32_t query_start; /* first row of its queries */
    int32_t query_count;
    int32_t key_start;   /* first row of its keys */
    int32_t key_count;   /* at least query_count */
} s2_sequence;

/* What every pattern has. */
typedef struct s2_heads {
    int32_t query_heads;     /* H */
    int32_t key_value_heads; /* Hkv, divides H */
    int32_t block_tokens;    /* tokens per block: 16, 32, 64 or 128 */
    int32_t is_causal;       /* 1: queries see keys at or before their own position; 0: all */
} s2_heads;

/* How the stripes differ from head to head. All 0 is the default. */
typedef struct s2_stripes {
    int32_t head_offset;         /* o >= 0: block 0 belongs to the head with h * step = -o mod s */
    int32_t homogeneous_heads;   /* 1: every head has the stripes of head 0 */
    int32_t dense_heads;         /* heads that see everything, counted in KV heads, the last ones */
    int32_t slide_by_query_head; /* 1: stripes are shifted by query head (Phi-3-small); 0: by KV head */
} s2_stripes;

/* Local window, one block of every near_stride up to near_blocks, then one of every far_stride. */
typedef struct s2_two_range {
    int32_t local_blocks; /* L >= 1, the diagonal block included */
    int32_t near_blocks;  /* at least local_blocks */
    int32_t near_stride;
    int32_t far_stride;
} s2_two_range;

typedef struct s2_pattern_info {
    int32_t query_heads, key_value_heads;
    int32_t pattern_heads; /* distinct head patterns: KV heads, or query heads when the heads of a group differ */
    int32_t block_tokens;
    int32_t is_causal;
    int32_t is_cache_efficient; /* 1: a block that a head dropped never returns, so its cache can be freed */
    int32_t max_blocks;         /* blocks of a context at most; INT32_MAX unless the pattern is a table */
} s2_pattern_info;

typedef struct s2_layout_info {
    int32_t tokens; /* N, key positions covered */
    int32_t block_tokens;
    int32_t heads;      /* pattern heads */
    int32_t key_blocks; /* ceil(N / block_tokens) */
    int32_t first_query_block;
    int32_t query_blocks; /* rows per head: query blocks first_query_block to key_blocks - 1 */
    int64_t kept_blocks;  /* of all heads */
} s2_layout_info;

/* What a layout keeps and whether its heads together read everything. */
typedef struct s2_layout_report {
    int64_t kept_blocks;
    int64_t dense_blocks; /* what dense attention would compute; dense / kept is the ceiling of any speed-up */
    int32_t empty_rows;   /* rows that keep nothing: output 0, log-sum-exp -inf */
    int32_t is_cache_efficient;
    int32_t is_covered; /* 1: every block that a query may see is read by some head, for any length */
    int32_t reserved;
} s2_layout_report;

/* O = softmax(scale Q K^T over the kept blocks) V, LSE = ln sum exp(scale q k). */
typedef struct s2_forward {
    const s2_tensor *query;       /* Q [B, Nq, H, D], fp32, bf16 or fp16. Read. */
    const s2_tensor *key;         /* K [B, Nk, Hkv, D] of the type of Q. Read. */
    const s2_tensor *value;       /* V [B, Nk, Hkv, D] of the type of Q. Read. */
    const s2_tensor *output;      /* O [B, Nq, H, D] of the type of Q. Written. */
    const s2_tensor *log_sum_exp; /* LSE [B, H, Nq], fp32, natural logarithm; NULL when not wanted. Written. */
    const s2_sequence *sequences; /* NULL: B sequences that fill the tensors */
    int64_t sequence_count;
    const float *scale; /* NULL: 1 / sqrt(D) */
} s2_forward;

/* delta = rowsum(O dO) - dLSE, dS = P (dO V^T - delta) scale, dQ = dS K, dK = dS^T Q, dV = P^T dO. */
typedef struct s2_backward {
    const s2_tensor *query, *key, *value;         /* of the forward pass. Read. */
    const s2_tensor *output, *log_sum_exp;        /* of the forward pass, or of a merge. Read. */
    const s2_tensor *output_gradient;             /* dO [B, Nq, H, D] of the type of Q. Read. */
    const s2_tensor *log_sum_exp_gradient;        /* dLSE [B, H, Nq], fp32; NULL for 0. Read. */
    const s2_tensor *query_gradient;              /* dQ, shaped like Q; NULL when not wanted. Written. */
    const s2_tensor *key_gradient;                /* dK, shaped like K; NULL when not wanted. Written. */
    const s2_tensor *value_gradient;              /* dV, shaped like V; NULL when not wanted. Written. */
    const s2_sequence *sequences;                 /* of the forward pass */
    int64_t sequence_count;
    const float *scale; /* of the forward pass */
} s2_backward;

/* Attention over disjoint parts of the keys: LSE = ln sum_i exp(LSE_i), O = sum_i exp(LSE_i - LSE) O_i. */
typedef struct s2_merge {
    int64_t parts;                 /* at least 1 */
    const s2_tensor *outputs;      /* [parts] of O_i [B, N, H, D], of one type. Read. */
    const s2_tensor *log_sum_exps; /* [parts] of LSE_i [B, H, N], fp32. Read. */
    const s2_tensor *output;       /* O. Written. */
    const s2_tensor *log_sum_exp;  /* LSE. Written. */
} s2_merge;

/* For one part: w = exp(LSE_i - LSE), dO_i = w dO, dLSE_i = w (rowsum(dO (O_i - O)) + dLSE). */
typedef struct s2_merge_backward {
    const s2_tensor *part_output, *part_log_sum_exp; /* O_i, LSE_i. Read. */
    const s2_tensor *output, *log_sum_exp;           /* O, LSE of the merge. Read. */
    const s2_tensor *output_gradient;                /* dO. Read. */
    const s2_tensor *log_sum_exp_gradient;           /* dLSE; NULL for 0. Read. */
    const s2_tensor *part_output_gradient;           /* dO_i. Written. */
    const s2_tensor *part_log_sum_exp_gradient;      /* dLSE_i. Written. */
} s2_merge_backward;

/* The functions of the library. Texts are UTF-8. A function that gives a text writes at most capacity bytes, the last
   one 0, and the whole length without it to *length; a buffer of NULL with capacity 0 asks for the length alone. */
typedef struct s2_api {
    int32_t version; /* S2_API_VERSION */
    int32_t reserved;

    /* The message of the last call that failed in this thread; empty before the first. Changes no message. */
    int32_t (*last_error)(char *buffer, int64_t capacity, int64_t *length);

    /* The names that engine_create takes on this machine, fastest first, each on a line. */
    int32_t (*devices)(char *buffer, int64_t capacity, int64_t *length);

    /* An engine. device: "auto" (or NULL) for the fastest, "cpu", "cuda:0", ...; threads: of the CPU engine, 0 for all
       processors; other devices take 0. Its memory is a cache that a release gives back. */
    int32_t (*engine_create)(const char *device, int32_t threads, s2_engine *engine);

    /* Releases an engine, a pattern or a layout. Waits for a running call of an engine. */
    int32_t (*release)(uint64_t handle);

    /* What a person calls an engine, a pattern or a layout. */
    int32_t (*describe)(uint64_t handle, char *buffer, int64_t capacity, int64_t *length);

    /* Every head reads everything. */
    int32_t (*pattern_dense)(const s2_heads *heads, s2_pattern *pattern);

    /* The S2 pattern: local_blocks (L, the diagonal included), and one remote block of every vertical_stride (s).
       stripes: NULL for the default. */
    int32_t (*pattern_local_stride)(const s2_heads *heads, int32_t local_blocks, int32_t vertical_stride,
                                    const s2_stripes *stripes, s2_pattern *pattern);

    /* A window of window_blocks, the diagonal included, and the first sink_blocks of the context. */
    int32_t (*pattern_sliding_window)(const s2_heads *heads, int32_t window_blocks, int32_t sink_blocks,
                                      s2_pattern *pattern);

    /* Two ranges; causal. stripes: NULL for the default. */
    int32_t (*pattern_two_range)(const s2_heads *heads, const s2_two_range *ranges, const s2_stripes *stripes,
                                 s2_pattern *pattern);

    /* table [table_heads, blocks, blocks] of 0 and 1: head, query block, key block; table_heads is Hkv or H. Copied. */
    int32_t (*pattern_table)(const s2_heads *heads, const uint8_t *table, int32_t table_heads, int32_t blocks,
                             s2_pattern *pattern);

    /* What either pattern keeps (is_union 1) or what both keep (0); they agree in s2_heads. */
    int32_t (*pattern_combine)(s2_pattern left, s2_pattern right, int32_t is_union, s2_pattern *pattern);

    /* Query heads first to end - 1 by their global index, as one device of a tensor-parallel group needs them: whole
       groups, or a part of one group. Head 0 of the result is head `first`. */
    int32_t (*pattern_slice_heads)(s2_pattern pattern, int32_t first, int32_t end, s2_pattern *slice);

    int32_t (*pattern_info)(s2_pattern pattern, s2_pattern_info *info);

    /* The kept blocks of a pattern over `tokens` keys, for the last query_tokens queries (-1 for all). Serves every
       sequence of at most `tokens` keys, on every engine. */
    int32_t (*layout_create)(s2_pattern pattern, int32_t tokens, int32_t query_tokens, s2_layout *layout);

    int32_t (*layout_info)(s2_layout layout, s2_layout_info *info);

    /* The layout as CSR. row_starts [heads * query_blocks + 1], columns [kept_blocks]: row (h, i) is at h *
       query_blocks + i - first_query_block, its columns are absolute key blocks, ascending. Counts must be these. */
    int32_t (*layout_rows)(s2_layout layout, int32_t *row_starts, int64_t row_start_count, int32_t *columns,
                           int64_t column_count);

    /* Counts block by block: O(kept_blocks). */
    int32_t (*layout_report)(s2_layout layout, s2_layout_report *report);

    /* Any number of queries at the end of any number of keys: training, prefill, chunks, decoding. */
    int32_t (*attention_forward)(s2_engine engine, s2_layout layout, const s2_forward *call);

    /* Deterministic: the same bits on every run, for any number of threads. */
    int32_t (*attention_backward)(s2_engine engine, s2_layout layout, const s2_backward *call);

    /* Forward over a contiguous cache: K and V are [B, capacity, Hkv, D], sequence b has key_counts[b] (int32 [B]) keys
       with those of its Nq queries, the last ones. call->sequences must be NULL. The layout covers the longest. */
    int32_t (*attention_decode)(s2_engine engine, s2_layout layout, const s2_forward *call, const int32_t *key_counts);

    /* Merges compose in a tree. A part with -inf counts nothing, one with NaN makes the row NaN. */
    int32_t (*attention_merge)(s2_engine engine, const s2_merge *call);

    int32_t (*attention_merge_backward)(s2_engine engine, const s2_merge_backward *call);
} s2_api;

/* Fills the table. version: S2_API_VERSION; size_bytes: sizeof(s2_api). S2_ERROR_VERSION and an untouched table where
   the library has another version or size, S2_ERROR_ARGUMENT where api is NULL. */
int32_t s2_get_api(int32_t version, int64_t size_bytes, s2_api *api);

typedef int32_t (*s2_get_api_function)(int32_t version, int64_t size_bytes, s2_api *api);

#ifdef __cplusplus
}
#endif

#endif
