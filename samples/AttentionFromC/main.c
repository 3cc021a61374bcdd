/* Sparse attention from C: loads the library either way, runs forward and backward, and checks one gradient against a
   finite difference.

   cc -I src/S2ILGPU.Native/include samples/AttentionFromC/main.c -o attention -lm
   ./attention PATH/S2ILGPU.Native.dll    (an installed .NET runtime)
   ./attention PATH/S2ILGPU.Native.so     (compiled ahead of time) */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "s2ilgpu_load.h"

enum { TOKENS = 200, HEADS = 2, HEAD_DIM = 16, COUNT = TOKENS * HEADS * HEAD_DIM };

static s2_api api;

static void check(int32_t status) {
    char message[1024];
    int64_t length;
    if (status == S2_OK)
        return;
    api.last_error(message, sizeof message, &length);
    fprintf(stderr, "status %d: %s\n", status, message);
    exit(1);
}

/* [1, TOKENS, HEADS, HEAD_DIM], one value after the other. */
static s2_tensor view(float *values) {
    s2_tensor tensor = {values, S2_FLOAT32, 4, {1, TOKENS, HEADS, HEAD_DIM}, {COUNT, HEADS * HEAD_DIM, HEAD_DIM, 1}};
    return tensor;
}

static float *random_values(void) {
    float *values = malloc(COUNT * sizeof *values);
    int n;
    for (n = 0; n < COUNT; n++)
        values[n] = 2.0f * (float)rand() / (float)RAND_MAX - 1;
    return values;
}

/* The loss sum O dO in double precision. */
static double loss(const float *output, const float *gradient) {
    double sum = 0;
    int n;
    for (n = 0; n < COUNT; n++)
        sum += (double)output[n] * gradient[n];
    return sum;
}

int main(int argc, char **argv) {
    float *q = random_values(), *k = random_values(), *v = random_values(), *d_o = random_values();
    float *o = random_values(), *d_q = random_values(), lse[HEADS * TOKENS], original;
    s2_tensor query = view(q), key = view(k), value = view(v), output = view(o), d_output = view(d_o);
    s2_tensor d_query = view(d_q);
    s2_tensor log_sum_exp = {lse, S2_FLOAT32, 3, {1, HEADS, TOKENS}, {HEADS * TOKENS, TOKENS, 1}};
    s2_heads heads = {HEADS, HEADS, 16, 1};
    s2_forward forward = {&query, &key, &value, &output, &log_sum_exp, NULL, 0, NULL};
    s2_backward backward = {&query, &key, &value, &output, &log_sum_exp, &d_output, NULL, &d_query, NULL, NULL, NULL,
                            0, NULL};
    s2_layout_report report;
    s2_engine engine;
    s2_pattern pattern;
    s2_layout layout;
    double above, below, difference;
    const float step = 1e-2f;
    const int at = COUNT / 2;
    char name[256];
    int64_t length;
    int32_t status;

    if (argc != 2) {
        fprintf(stderr, "usage: attention S2ILGPU.Native.dll|S2ILGPU.Native.so\n");
        return 2;
    }
    status = s2_load(argv[1], &api);
    if (status != S2_OK) {
        fprintf(stderr, "%s cannot be loaded: status %d\n", argv[1], status);
        return 1;
    }
    check(api.engine_create("cpu", 0, &engine));
    check(api.describe(engine, name, sizeof name, &length));
    check(api.pattern_local_stride(&heads, 2, 2, NULL, &pattern));
    check(api.layout_create(pattern, TOKENS, -1, &layout));
    check(api.layout_report(layout, &report));
    printf("%s keeps %lld of %lld blocks\n", name, (long long)report.kept_blocks, (long long)report.dense_blocks);

    check(api.attention_forward(engine, layout, &forward));
    check(api.attention_backward(engine, layout, &backward));
    original = q[at];
    q[at] = original + step;
    check(api.attention_forward(engine, layout, &forward));
    above = loss(o, d_o);
    q[at] = original - step;
    check(api.attention_forward(engine, layout, &forward));
    below = loss(o, d_o);
    difference = (above - below) / (2 * step);
    printf("dQ[%d] %.4f, finite difference %.4f\n", at, d_q[at], difference);

    check(api.release(layout));
    check(api.release(pattern));
    check(api.release(engine));
    status = api.attention_forward(engine, layout, &forward);
    printf("after the release: status %d\n", status);
    return fabs(difference - d_q[at]) < 1e-3 && status == S2_ERROR_HANDLE ? 0 : 1;
}
