// The functions of NCCL that S2ILGPU.Distributed calls, between threads of one process and on host memory: for tests
// of declarations, groups, counts, types and failures without a GPU. A call does its work before it returns, which
// NCCL need not do; what two ranks do not agree upon is an error here, where NCCL may hang.
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RANKS = 8, MAX_CALLS = 64, ALIVE = 0x4e43434c };
enum { OK = 0, SYSTEM_ERROR = 2, INVALID_ARGUMENT = 4, INVALID_USAGE = 5, REMOTE_ERROR = 6 };
enum { SEND, RECEIVE, ALL_GATHER, BROADCAST };

typedef struct { char bytes[128]; } unique_id;

typedef struct clique clique;

typedef struct {
    int alive, rank, async_error;
    long collectives;
    clique *clique;
} communicator;

typedef struct call {
    int kind, type, peer, done, error;
    const char *from;
    char *into;
    size_t count;
    communicator *comm;
    long number;        // of a collective among those of its rank
    struct call *next;  // waits for its counterpart
} call;

struct clique {
    unique_id id;
    int size, joined, left, failed;
    communicator *members[MAX_RANKS];
    int gone[MAX_RANKS];
    call *waiting;
    clique *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static clique *cliques;
static int ids, live, failing_rank = -1, refuses;
static _Thread_local int depth, group_error, calls;
static _Thread_local call group[MAX_CALLS];

// Control by tests.

// The rank whose connections break at its next group of calls, in every clique of several; -1 for none.
void double_break(int rank) { pthread_mutex_lock(&lock); failing_rank = rank; pthread_mutex_unlock(&lock); }

// Refuses every new communicator with an error of the system.
void double_refuse(int refuse) { pthread_mutex_lock(&lock); refuses = refuse; pthread_mutex_unlock(&lock); }

// Communicators that were neither destroyed nor aborted.
int double_live(void) { pthread_mutex_lock(&lock); int n = live; pthread_mutex_unlock(&lock); return n; }

static size_t size_of(int type) {
    switch (type) {
        case 2: case 7: return 4; // int32, float32
        case 9: return 2;         // bfloat16
        default: return 0;
    }
}

static int is_communicator(const communicator *comm) { return comm != NULL && comm->alive == ALIVE; }

int ncclGetVersion(int *version) { *version = 22105; return OK; }

const char *ncclGetErrorString(int code) {
    switch (code) {
        case OK: return "no error";
        case SYSTEM_ERROR: return "a system call failed";
        case INVALID_ARGUMENT: return "invalid argument";
        case INVALID_USAGE: return "invalid usage";
        case REMOTE_ERROR: return "a remote rank failed";
        default: return "unknown";
    }
}

int ncclGetUniqueId(unique_id *id) {
    pthread_mutex_lock(&lock);
    int number = ++ids;
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < (int)sizeof id->bytes; i++) // all bytes count
        id->bytes[i] = (char)(number * 31 + i * 7);
    memcpy(id->bytes, &number, sizeof number);
    return OK;
}

int ncclCommInitRank(communicator **result, int size, unique_id id, int rank) {
    if (result == NULL || size < 1 || size > MAX_RANKS || rank < 0 || rank >= size)
        return INVALID_ARGUMENT;
    int number;
    memcpy(&number, id.bytes, sizeof number);
    for (int i = sizeof number; i < (int)sizeof id.bytes; i++)
        if (id.bytes[i] != (char)(number * 31 + i * 7))
            return INVALID_ARGUMENT;
    pthread_mutex_lock(&lock);
    clique *c = cliques;
    while (c != NULL && memcmp(&c->id, &id, sizeof id) != 0)
        c = c->next;
    if (refuses || (c != NULL && (c->size != size || c->members[rank] != NULL))) {
        int code = refuses ? SYSTEM_ERROR : INVALID_ARGUMENT;
        pthread_mutex_unlock(&lock);
        return code;
    }
    if (c == NULL) {
        c = calloc(1, sizeof *c);
        c->id = id;
        c->size = size;
        c->next = cliques;
        cliques = c;
    }
    communicator *comm = calloc(1, sizeof *comm);
    comm->alive = ALIVE;
    comm->rank = rank;
    comm->clique = c;
    c->members[rank] = comm;
    c->joined++;
    live++;
    pthread_cond_broadcast(&changed);
    while (c->joined < size)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    *result = comm;
    return OK;
}

static int leave(communicator *comm) {
    if (!is_communicator(comm))
        return INVALID_ARGUMENT;
    pthread_mutex_lock(&lock);
    clique *c = comm->clique;
    comm->alive = 0;
    c->gone[comm->rank] = 1;
    live--;
    if (++c->left == c->size) {
        clique **at = &cliques;
        while (*at != c)
            at = &(*at)->next;
        *at = c->next;
        for (int rank = 0; rank < c->size; rank++)
            free(c->members[rank]);
        free(c);
    }
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return OK;
}

int ncclCommDestroy(communicator *comm) { return leave(comm); }

int ncclCommAbort(communicator *comm) { return leave(comm); }

int ncclCommGetAsyncError(communicator *comm, int *error) {
    if (!is_communicator(comm))
        return INVALID_ARGUMENT;
    pthread_mutex_lock(&lock);
    *error = comm->async_error;
    pthread_mutex_unlock(&lock);
    return OK;
}

// A message between two ranks, both sides known.
static void match(call *send, call *receive) {
    send->done = receive->done = 1;
    if (send->count != receive->count || send->type != receive->type)
        send->error = receive->error = INVALID_USAGE;
    else
        memmove(receive->into, send->from, send->count * size_of(send->type));
}

// All ranks of a collective, by rank.
static void complete(call **all, int size) {
    size_t bytes = all[0]->count * size_of(all[0]->type);
    int error = OK;
    for (int r = 1; r < size; r++)
        if (all[r]->kind != all[0]->kind || all[r]->count != all[0]->count || all[r]->type != all[0]->type
            || all[r]->peer != all[0]->peer)
            error = INVALID_USAGE;
    for (int into = 0; into < size; into++) {
        all[into]->done = 1;
        all[into]->error = error;
        for (int from = 0; error == OK && from < size; from++)
            if (all[0]->kind == ALL_GATHER)
                memmove(all[into]->into + from * bytes, all[from]->from, bytes);
            else if (from == all[0]->peer)
                memmove(all[into]->into, all[from]->from, bytes);
    }
}

static void unlink_call(clique *c, call *one) {
    call **at = &c->waiting;
    while (*at != NULL && *at != one)
        at = &(*at)->next;
    if (*at != NULL)
        *at = one->next;
}

static void append(clique *c, call *one) {
    call **at = &c->waiting;
    while (*at != NULL)
        at = &(*at)->next;
    one->next = NULL;
    *at = one;
}

static void post(call *one) {
    communicator *comm = one->comm;
    clique *c = comm->clique;
    if (one->kind == SEND || one->kind == RECEIVE) {
        for (call *other = c->waiting; other != NULL; other = other->next)
            if (other->kind == (one->kind == SEND ? RECEIVE : SEND) && other->comm->rank == one->peer
                && other->peer == comm->rank) {
                unlink_call(c, other);
                match(one->kind == SEND ? one : other, one->kind == SEND ? other : one);
                return;
            }
        append(c, one);
        return;
    }
    one->number = comm->collectives++;
    append(c, one);
    call *all[MAX_RANKS] = { NULL };
    int found = 0;
    for (call *other = c->waiting; other != NULL; other = other->next)
        if (other->kind >= ALL_GATHER && other->number == one->number) {
            all[other->comm->rank] = other;
            found++;
        }
    if (found < c->size)
        return;
    for (int r = 0; r < c->size; r++)
        unlink_call(c, all[r]);
    complete(all, c->size);
}

// Whether a rank that a call waits for will not come any more.
static int is_lost(const call *one) {
    const clique *c = one->comm->clique;
    if (c->failed)
        return 1;
    for (int r = 0; r < c->size; r++)
        if (c->gone[r] && (one->kind >= ALL_GATHER || one->peer == r))
            return 1;
    return 0;
}

int ncclGroupStart(void) {
    if (depth++ == 0)
        calls = group_error = 0;
    return OK;
}

int ncclGroupEnd(void) {
    if (depth == 0)
        return INVALID_USAGE;
    if (--depth > 0)
        return OK;
    if (group_error != OK)
        return group_error;
    int error = OK;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < calls; i++) {
        communicator *comm = group[i].comm;
        if (comm->rank == failing_rank && comm->clique->size > 1 && !comm->clique->failed) {
            comm->async_error = SYSTEM_ERROR;
            comm->clique->failed = 1;
        }
    }
    for (int i = 0; i < calls; i++)
        post(&group[i]);
    pthread_cond_broadcast(&changed);
    for (int i = 0; i < calls; i++) {
        call *one = &group[i];
        while (!one->done && !is_lost(one))
            pthread_cond_wait(&changed, &lock);
        if (!one->done) { // the calls were queued; that they failed shows later
            unlink_call(one->comm->clique, one);
            if (one->comm->async_error == OK)
                one->comm->async_error = REMOTE_ERROR;
        }
        if (one->error != OK)
            error = one->error;
    }
    pthread_mutex_unlock(&lock);
    calls = 0;
    return error;
}

static int add(int kind, const void *from, void *into, size_t count, int type, int peer, communicator *comm) {
    int error = !is_communicator(comm) || size_of(type) == 0 || peer < 0 || peer >= comm->clique->size
        || calls == MAX_CALLS || (count > 0 && (kind == SEND ? from == NULL : into == NULL)) ? INVALID_ARGUMENT : OK;
    if (error != OK) {
        group_error = error;
        return error;
    }
    group[calls++] = (call){ .kind = kind, .type = type, .peer = peer, .from = from, .into = into, .count = count,
        .comm = comm };
    return OK;
}

// A call outside a group is a group of its own.
static int run(int kind, const void *from, void *into, size_t count, int type, int peer, communicator *comm,
    void *stream) {
    if (stream != NULL)
        return INVALID_ARGUMENT; // the stream of the emulated device
    ncclGroupStart();
    int error = add(kind, from, into, count, type, peer, comm), end = ncclGroupEnd();
    return error != OK ? error : end;
}

int ncclSend(const void *from, size_t count, int type, int peer, communicator *comm, void *stream) {
    return run(SEND, from, NULL, count, type, peer, comm, stream);
}

int ncclRecv(void *into, size_t count, int type, int peer, communicator *comm, void *stream) {
    return run(RECEIVE, NULL, into, count, type, peer, comm, stream);
}

int ncclAllGather(const void *from, void *into, size_t count, int type, communicator *comm, void *stream) {
    return run(ALL_GATHER, from, into, count, type, 0, comm, stream);
}

int ncclBroadcast(const void *from, void *into, size_t count, int type, int root, communicator *comm, void *stream) {
    return run(BROADCAST, from, into, count, type, root, comm, stream);
}
