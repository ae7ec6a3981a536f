/* Whatever goes wrong is an error that says so, and nothing leaks. */
#include "check.h"

#define BAD "\xff"

/* Counts how often something is released. */
static void release(void *context)
{
    ++*(int *)context;
}

static int code = 0;

/* Gives whatever `code` is. */
static int read_code(void *context, uint8_t *out, size_t len, uint64_t timeout_ns)
{
    (void)context;
    (void)timeout_ns;
    memset(out, 7, len);
    return code;
}

static void arguments(const runicos_runtime_t *runtime)
{
    runicos_rune_t *rune = open_rune("echo.rune"), *none;
    runicos_grants_t *grants = new_grants();
    runicos_instance_t *instance = (runicos_instance_t *)&none;
    runicos_runtime_t *other;
    runicos_result_t *result;
    runicos_tensor_t tensor;
    runicos_capability_t capability;
    runicos_output_t output;
    runicos_param_t param;
    runicos_type_t type;
    char *json;
    int released = 0;

    FAILS(RUNICOS_ARGUMENT, "NULL", runicos_runtime_new(NULL, NULL, NULL, &error));
    FAILS(RUNICOS_ARGUMENT, "worker is not UTF-8", runicos_runtime_new(BAD, NULL, &other, &error));
    CHECK(other == NULL);
    FAILS(RUNICOS_ARGUMENT, "cache is not UTF-8", runicos_runtime_new(NULL, BAD, &other, &error));
    FAILS(RUNICOS_FILE, "/proc/no: ", runicos_runtime_new(NULL, "/proc/no", &other, &error));
    FAILS(RUNICOS_ARGUMENT, "path is NULL", runicos_rune_open(NULL, &none, &error));
    FAILS(RUNICOS_ARGUMENT, "path is not UTF-8", runicos_rune_open(BAD, &none, &error));
    FAILS(RUNICOS_ARGUMENT, "NULL", runicos_rune_open("echo.rune", NULL, &error));
    FAILS(RUNICOS_FILE, "none.rune: No such file", runicos_rune_open("none.rune", &none, &error));
    CHECK(none == NULL);
    FAILS(RUNICOS_FILE, ".: ", runicos_rune_open(".", &none, &error));
    FAILS(RUNICOS_RUNE, "not.rune: not a valid module", runicos_rune_open("not.rune", &none, &error));
    FAILS(RUNICOS_ARGUMENT, "bytes is NULL", runicos_rune_load(NULL, 4, &none, &error));
    FAILS(RUNICOS_RUNE, "not a valid module", runicos_rune_load((const uint8_t *)"", 0, &none, &error));

    FAILS(RUNICOS_ARGUMENT, "rune is NULL", runicos_rune_capability(NULL, 0, &capability, &error));
    FAILS(RUNICOS_ARGUMENT, "NULL", runicos_rune_capability(rune, 0, NULL, &error));
    FAILS(RUNICOS_ARGUMENT, "there is no capability 1: there are 1",
          runicos_rune_capability(rune, 1, &capability, &error));
    FAILS(RUNICOS_ARGUMENT, "there is no parameter 0", runicos_rune_param(rune, 0, 0, &param, &error));
    FAILS(RUNICOS_ARGUMENT, "there is no output 9", runicos_rune_output(rune, 9, &output, &error));
    FAILS(RUNICOS_ARGUMENT, "there is no tensor 1", runicos_rune_output_type(rune, 0, 1, &type, &error));
    CHECK(runicos_rune_name(NULL) == NULL && runicos_rune_version(NULL) == NULL);
    CHECK(runicos_rune_digest(NULL) == NULL);
    CHECK(runicos_rune_capabilities(NULL) == 0 && runicos_rune_outputs(NULL) == 0);

    FAILS(RUNICOS_ARGUMENT, "NULL", runicos_grants_new(NULL, &error));
    FAILS(RUNICOS_ARGUMENT, "grants is NULL", runicos_grants_flag(NULL, "raw", "a", &error));
    FAILS(RUNICOS_ARGUMENT, "name is NULL", runicos_grants_flag(grants, NULL, "a", &error));
    FAILS(RUNICOS_ARGUMENT, "value is not UTF-8", runicos_grants_flag(grants, "raw", BAD, &error));
    FAILS(RUNICOS_FLAGS, "there is no flag `--raws`", runicos_grants_flag(grants, "raws", "a", &error));
    FAILS(RUNICOS_ARGUMENT, "path is NULL", runicos_grants_policy(grants, NULL, &error));
    FAILS(RUNICOS_POLICY, "none.toml: No such file", runicos_grants_policy(grants, "none.toml", &error));
    FAILS(RUNICOS_POLICY, "bad.toml:2", runicos_grants_policy(grants, "bad.toml", &error));
    FAILS(RUNICOS_ARGUMENT, "grants is NULL", runicos_grants_memory(NULL, 1, &error));
    FAILS(RUNICOS_ARGUMENT, "grants is NULL", runicos_grants_call_time(NULL, 1, &error));
    /* A context is released also where it was not taken. */
    FAILS(RUNICOS_ARGUMENT, "read is NULL",
          runicos_grants_source(grants, "raw", NULL, &released, release, &error));
    FAILS(RUNICOS_ARGUMENT, "grants is NULL",
          runicos_grants_source(NULL, "raw", read_code, &released, release, &error));
    FAILS(RUNICOS_ARGUMENT, "log is NULL", runicos_grants_log(grants, NULL, &released, release, &error));
    CHECK(released == 3);
    OK(runicos_grants_source(grants, "raw", read_code, &released, release, &error));
    runicos_grants_free(grants);
    CHECK(released == 4);

    FAILS(RUNICOS_ARGUMENT, "runtime is NULL",
          runicos_instance_start(NULL, rune, new_grants(), &instance, &error));
    CHECK(instance == NULL);
    FAILS(RUNICOS_ARGUMENT, "rune is NULL",
          runicos_instance_start(runtime, NULL, new_grants(), &instance, &error));
    FAILS(RUNICOS_ARGUMENT, "grants is NULL", runicos_instance_start(runtime, rune, NULL, &instance, &error));
    FAILS(RUNICOS_ARGUMENT, "NULL", runicos_instance_start(runtime, rune, new_grants(), NULL, &error));
    FAILS(RUNICOS_ARGUMENT, "instance is NULL", runicos_instance_call(NULL, &result, &error));
    CHECK(result == NULL);
    FAILS(RUNICOS_ARGUMENT, "instance is NULL", runicos_instance_reset(NULL, &error));
    FAILS(RUNICOS_ARGUMENT, "instance is NULL", runicos_instance_health(NULL, &json, &error));
    CHECK(runicos_result_outcome(NULL) == RUNICOS_NONE && runicos_result_tensors(NULL, 0) == 0);
    CHECK(runicos_result_json(NULL) == NULL && runicos_result_interval_ns(NULL) == 0);
    FAILS(RUNICOS_ARGUMENT, "result is NULL", runicos_result_tensor(NULL, 0, 0, &tensor, &error));
    CHECK(runicos_error_status(NULL) == RUNICOS_OK && *runicos_error_message(NULL) == '\0');
    CHECK(runicos_error_reasons(NULL) == 0 && runicos_error_reason(NULL, 0) == NULL);

    /* Whoever does not ask for the error gets its status all the same, and NULL may be freed. */
    CHECK(runicos_rune_open(NULL, NULL, NULL) == RUNICOS_ARGUMENT);
    runicos_error_free(NULL);
    runicos_runtime_free(NULL);
    runicos_rune_free(rune);
    runicos_rune_free(NULL);
    runicos_grants_free(NULL);
    runicos_instance_free(NULL);
    runicos_result_free(NULL);
    runicos_string_free(NULL);
}

/* All that is missing is said at once. */
static void missing(const runicos_runtime_t *runtime)
{
    runicos_rune_t *rune = open_rune("pair.rune");
    runicos_grants_t *grants = new_grants();
    runicos_instance_t *instance;
    runicos_error_t *error;
    int released = 0;

    OK(runicos_grants_memory(grants, 1000, &error));
    CHECK(runicos_instance_start(runtime, rune, grants, &instance, &error) == RUNICOS_REFUSED);
    CHECK(instance == NULL && runicos_error_status(error) == RUNICOS_REFUSED);
    CHECK(runicos_error_reasons(error) == 3);
    CHECK(strcmp(runicos_error_reason(error, 0),
                 "the rune needs 65536 bytes of memory and the limit is 1000") == 0);
    CHECK(strcmp(runicos_error_reason(error, 1), "the rune reads RAW `raw` (U8[4]): give --raw FILE") == 0);
    CHECK(strcmp(runicos_error_reason(error, 2),
                 "the rune reads ACCEL `accel` (F32[2, 3]): give --accel FILE.csv") == 0);
    CHECK(runicos_error_reason(error, 3) == NULL);
    CHECK(strstr(runicos_error_message(error), "1000\nthe rune reads RAW") != NULL);
    runicos_error_free(error);

    /* What was granted is released, though nothing came of it. */
    grants = new_grants();
    OK(runicos_grants_source(grants, "raw", read_code, &released, release, &error));
    FAILS(RUNICOS_REFUSED, "the rune reads ACCEL",
          runicos_instance_start(runtime, rune, grants, &instance, &error));
    CHECK(released == 1);
    grants = new_grants();
    OK(runicos_grants_source(grants, "door", read_code, &released, release, &error));
    FAILS(RUNICOS_FLAGS, "there is no `door` to feed",
          runicos_instance_start(runtime, rune, grants, &instance, &error));
    CHECK(released == 2);
    runicos_rune_free(rune);

    rune = open_rune("echo.rune");
    grants = new_grants();
    OK(runicos_grants_flag(grants, "accel", "walk.csv", &error));
    FAILS(RUNICOS_FLAGS, "`--accel walk.csv` feeds nothing",
          runicos_instance_start(runtime, rune, grants, &instance, &error));
    grants = new_grants();
    OK(runicos_grants_flag(grants, "raw", "none.bin", &error));
    FAILS(RUNICOS_SOURCE, "none.bin: ", runicos_instance_start(runtime, rune, grants, &instance, &error));
    runicos_rune_free(rune);
}

/* Calls a rune that fails; it has stopped then, and still says what it did. */
static void stops(const runicos_runtime_t *runtime, const char *path, runicos_status_t wanted,
                  const char *words, const char *counted)
{
    runicos_grants_t *grants = new_grants();
    runicos_rune_t *rune = open_rune(path);
    runicos_instance_t *instance;
    runicos_result_t *result;
    char *health;

    if (runicos_rune_capabilities(rune) > 0)
        OK(runicos_grants_source(grants, "raw", read_code, NULL, NULL, &error));
    OK(runicos_grants_call_time(grants, 100, &error));
    OK(runicos_instance_start(runtime, rune, grants, &instance, &error));
    FAILS(wanted, words, runicos_instance_call(instance, &result, &error));
    CHECK(result == NULL);
    FAILS(RUNICOS_STOPPED, "must be started anew", runicos_instance_call(instance, &result, &error));
    FAILS(RUNICOS_STOPPED, "must be started anew", runicos_instance_reset(instance, &error));
    OK(runicos_instance_health(instance, &health, &error));
    CHECK(strstr(health, counted) != NULL);
    runicos_string_free(health);
    runicos_instance_free(instance);
    runicos_rune_free(rune);
}

/* A callback that uses what it is called by. */
static runicos_instance_t *own;

static int read_own(void *context, uint8_t *out, size_t len, uint64_t timeout_ns)
{
    runicos_result_t *result;
    char *health;

    (void)context;
    (void)timeout_ns;
    memset(out, 0, len);
    FAILS(RUNICOS_BUSY, "a callback may not use", runicos_instance_call(own, &result, &error));
    FAILS(RUNICOS_BUSY, "a callback may not use", runicos_instance_health(own, &health, &error));
    return RUNICOS_READ_SAMPLE;
}

static void busy(const runicos_runtime_t *runtime)
{
    runicos_grants_t *grants = new_grants();
    OK(runicos_grants_source(grants, "raw", read_own, NULL, NULL, &error));
    own = start(runtime, "echo.rune", grants);
    runicos_result_free(call(own));
    /* It goes on. */
    runicos_result_free(call(own));
    runicos_instance_free(own);
}

static runicos_runtime_t *runtime_of(const char *worker)
{
    runicos_runtime_t *runtime;
    OK(runicos_runtime_new(worker, NULL, &runtime, &error));
    return runtime;
}

/* A worker that is no good. */
static void worker(runicos_runtime_t *runtime)
{
    runicos_rune_t *rune = open_rune("quiet.rune");
    runicos_instance_t *instance;
    FAILS(RUNICOS_COMPILE, "the compiler", runicos_instance_start(runtime, rune, new_grants(), &instance, &error));
    runicos_rune_free(rune);
    runicos_runtime_free(runtime);
}

int main(int argc, char **argv)
{
    runicos_runtime_t *runtime = runtime_of(NULL);
    (void)argv;


    arguments(runtime);
    missing(runtime);
    stops(runtime, "trap.rune", RUNICOS_TRAP, "`unreachable`", "\"failures\":{\"trap_unreachable\":1}");
    /* Valgrind takes the read that the rune is stopped at for an error of this program. */
    if (argc == 1)
        stops(runtime, "bounds.rune", RUNICOS_TRAP, "out of bounds", "\"trap_memory_bounds\":1");
    stops(runtime, "loop.rune", RUNICOS_DEADLINE, "took longer than 100ms", "\"deadline\":1");
    stops(runtime, "fault.rune", RUNICOS_FAULT, "too humid", "\"failed\":1");
    stops(runtime, "greedy.rune", RUNICOS_CONTRACT, "it read 5 bytes of `raw`", "\"contract\":1");
    code = -5;
    stops(runtime, "echo.rune", RUNICOS_SOURCE, "raw: its callback gave -5", "\"source\":1");
    code = RUNICOS_READ_LATE;
    stops(runtime, "echo.rune", RUNICOS_SOURCE, "no sample within the time of the call", "\"failed\":1");
    busy(runtime);

    worker(runtime_of("./no-such-program"));
    /* It reads nothing, and nobody ignores SIGPIPE here. */
    worker(runtime_of("/bin/false"));
    runicos_runtime_free(runtime);
    return 0;
}
