/* One runtime and one rune for all threads, an instance for each, and an instance for several. */
#include <pthread.h>

#include "check.h"

#define THREADS 4
#define CALLS 25

struct shared {
    const runicos_runtime_t *runtime;
    const runicos_rune_t *rune;
    const runicos_instance_t *instance;
};

struct worker {
    const struct shared *shared;
    pthread_t thread;
    uint8_t number;
    int reads;
    int released;
    /* Made by the worker, used and freed by the main thread. */
    runicos_instance_t *instance;
    /* Which counts of the common instance came to this thread. */
    uint32_t counts[CALLS];
};

static int read_number(void *context, uint8_t *out, size_t len, uint64_t timeout_ns)
{
    struct worker *worker = context;
    (void)timeout_ns;
    memset(out, worker->number, len);
    ++worker->reads;
    return RUNICOS_READ_SAMPLE;
}

static void release_worker(void *context)
{
    ++((struct worker *)context)->released;
}

/* Checks that a call of a worker's own instance gives what only its callback gives. */
static void check_own(const struct worker *worker)
{
    runicos_result_t *result = call(worker->instance);
    runicos_tensor_t tensor;
    OK(runicos_result_tensor(result, 0, 0, &tensor, &error));
    CHECK(tensor.bytes == 4 && tensor.data[0] == worker->number && tensor.data[3] == worker->number);
    runicos_result_free(result);
}

static void *work(void *context)
{
    struct worker *worker = context;
    const struct shared *shared = worker->shared;
    runicos_grants_t *grants = new_grants();
    int i;

    OK(runicos_grants_source(grants, "raw", read_number, worker, release_worker, &error));
    OK(runicos_instance_start(shared->runtime, shared->rune, grants, &worker->instance, &error));
    for (i = 0; i < CALLS; i++) {
        runicos_result_t *result;
        runicos_tensor_t tensor;
        char *health;

        check_own(worker);
        result = call(shared->instance);
        OK(runicos_result_tensor(result, 0, 0, &tensor, &error));
        memcpy(&worker->counts[i], tensor.data, sizeof worker->counts[i]);
        runicos_result_free(result);
        OK(runicos_instance_health(shared->instance, &health, &error));
        CHECK(strstr(health, "\"failed\":0") != NULL);
        runicos_string_free(health);
    }
    return NULL;
}

int main(void)
{
    runicos_runtime_t *runtime;
    runicos_rune_t *rune = open_rune("echo.rune");
    runicos_instance_t *instance;
    struct shared shared;
    struct worker workers[THREADS];
    unsigned char seen[THREADS * CALLS + 1] = {0};
    int i, j;

    OK(runicos_runtime_new(NULL, NULL, &runtime, &error));
    instance = start(runtime, "count.rune", new_grants());
    shared.runtime = runtime;
    shared.rune = rune;
    shared.instance = instance;
    memset(workers, 0, sizeof workers);
    for (i = 0; i < THREADS; i++) {
        workers[i].shared = &shared;
        workers[i].number = (uint8_t)(i + 1);
        CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_join(workers[i].thread, NULL) == 0);
    runicos_rune_free(rune);
    runicos_runtime_free(runtime);
    runicos_instance_free(instance);

    /* Every call of the common instance was one of its own, in some order. */
    for (i = 0; i < THREADS; i++)
        for (j = 0; j < CALLS; j++) {
            uint32_t count = workers[i].counts[j];
            CHECK(count >= 1 && count <= THREADS * CALLS && !seen[count]++);
        }
    /* An instance outlives the thread that made it, and runtime and rune. */
    for (i = 0; i < THREADS; i++) {
        check_own(&workers[i]);
        CHECK(workers[i].reads == CALLS + 1 && workers[i].released == 0);
        runicos_instance_free(workers[i].instance);
        CHECK(workers[i].released == 1);
    }
    return 0;
}
