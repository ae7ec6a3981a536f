/* What the test programs share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runicos.h"

#define CHECK(condition)                                                     \
    do {                                                                     \
        if (!(condition)) {                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);  \
            exit(1);                                                         \
        }                                                                    \
    } while (0)

/* Does a call that must succeed; `error` is in its arguments. */
#define OK(call)                                                             \
    do {                                                                     \
        runicos_error_t *error;                                              \
        if ((call) != RUNICOS_OK) {                                          \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call,    \
                    runicos_error_message(error));                           \
            exit(1);                                                         \
        }                                                                    \
        CHECK(error == NULL);                                                \
    } while (0)

/* Does a call that must fail with this status and these words in its message. */
#define FAILS(wanted, words, call)                                           \
    do {                                                                     \
        runicos_error_t *error = NULL;                                       \
        runicos_status_t status = (call);                                    \
        if (status != (wanted) || runicos_error_status(error) != (wanted)    \
            || strstr(runicos_error_message(error), words) == NULL) {        \
            fprintf(stderr, "%s:%d: %s: %d: %s\n", __FILE__, __LINE__,       \
                    #call, (int)status, runicos_error_message(error));       \
            exit(1);                                                         \
        }                                                                    \
        runicos_error_free(error);                                           \
    } while (0)

static runicos_rune_t *open_rune(const char *path)
{
    runicos_rune_t *rune;
    OK(runicos_rune_open(path, &rune, &error));
    return rune;
}

static runicos_grants_t *new_grants(void)
{
    runicos_grants_t *grants;
    OK(runicos_grants_new(&grants, &error));
    return grants;
}

/* Starts the rune of a file. */
static runicos_instance_t *start(const runicos_runtime_t *runtime, const char *path,
                                 runicos_grants_t *grants)
{
    runicos_rune_t *rune = open_rune(path);
    runicos_instance_t *instance;
    OK(runicos_instance_start(runtime, rune, grants, &instance, &error));
    runicos_rune_free(rune);
    return instance;
}

/* Calls a rune, which must succeed. */
static runicos_result_t *call(const runicos_instance_t *instance)
{
    runicos_result_t *result;
    OK(runicos_instance_call(instance, &result, &error));
    return result;
}
