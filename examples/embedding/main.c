/* Runs a rune that takes a number and gives its sine, with numbers of its own.
 * docs/book/embedding.md tells how it is built. */
#include <stdio.h>
#include <string.h>

#include "runicos.h"

/* A sensor: four numbers, and then it has no more. */
static int read_x(void *context, uint8_t *out, size_t len, uint64_t timeout_ns)
{
    int *count = context;
    float x = 0.5f * (float)*count;

    (void)timeout_ns;
    if (len != sizeof x)
        return -1;
    if (*count == 4)
        return RUNICOS_READ_END;
    memcpy(out, &x, sizeof x);
    ++*count;
    return RUNICOS_READ_SAMPLE;
}

/* Calls the rune until its sensor has no more. */
static runicos_status_t run(const runicos_instance_t *instance, runicos_error_t **error)
{
    runicos_result_t *result;
    runicos_outcome_t outcome;
    runicos_status_t status;

    do {
        status = runicos_instance_call(instance, &result, error);
        outcome = runicos_result_outcome(result);
        if (outcome == RUNICOS_OUTPUT) {
            runicos_tensor_t tensor;
            float sine;

            status = runicos_result_tensor(result, 0, 0, &tensor, error);
            if (status == RUNICOS_OK && tensor.element == RUNICOS_F32 && tensor.elements == 1) {
                memcpy(&sine, tensor.data, sizeof sine);
                printf("%.1f\n", sine);
            }
        }
        runicos_result_free(result);
    } while (status == RUNICOS_OK && outcome != RUNICOS_END);
    return status;
}

int main(int argc, char **argv)
{
    int count = 0;
    char *health = NULL;
    runicos_runtime_t *runtime = NULL;
    runicos_rune_t *rune = NULL;
    runicos_grants_t *grants = NULL;
    runicos_instance_t *instance = NULL;
    runicos_error_t *error = NULL;
    runicos_status_t status = runicos_runtime_new(NULL, NULL, &runtime, &error);

    if (status == RUNICOS_OK)
        status = runicos_rune_open(argc > 1 ? argv[1] : "sine.rune", &rune, &error);
    if (status == RUNICOS_OK)
        status = runicos_grants_new(&grants, &error);
    if (status == RUNICOS_OK)
        status = runicos_grants_source(grants, "x", read_x, &count, NULL, &error);
    if (status == RUNICOS_OK) {
        status = runicos_instance_start(runtime, rune, grants, &instance, &error);
        grants = NULL; /* It is the library's now. */
    }
    if (status == RUNICOS_OK)
        status = run(instance, &error);
    if (status == RUNICOS_OK)
        status = runicos_instance_health(instance, &health, &error);

    if (status == RUNICOS_OK)
        fprintf(stderr, "%s\n", health);
    else
        fprintf(stderr, "error %d: %s\n", (int)status, runicos_error_message(error));
    runicos_error_free(error);
    runicos_string_free(health);
    runicos_instance_free(instance);
    runicos_grants_free(grants);
    runicos_rune_free(rune);
    runicos_runtime_free(runtime);
    return status != RUNICOS_OK;
}
