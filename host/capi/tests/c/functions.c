/* Every function does what its comment says. */
#include "check.h"

/* A sensor of `left` samples, all of which begin with how many were left. */
struct sensor {
    int left;
    int released;
};

static int read_sensor(void *context, uint8_t *out, size_t len, uint64_t timeout_ns)
{
    struct sensor *sensor = context;
    CHECK(len == 4 || len == 24);
    CHECK(timeout_ns > 0);
    if (sensor->left == 0)
        return RUNICOS_READ_END;
    memset(out, 0, len);
    out[0] = (uint8_t)sensor->left--;
    return RUNICOS_READ_SAMPLE;
}

static void release_sensor(void *context)
{
    ++((struct sensor *)context)->released;
}

static void manifest_is_read(void)
{
    runicos_rune_t *rune = open_rune("pair.rune");
    runicos_capability_t capability;
    runicos_param_t param;
    runicos_output_t output;
    runicos_type_t type;

    CHECK(strcmp(runicos_rune_name(rune), "test") == 0);
    CHECK(strcmp(runicos_rune_version(rune), "0.0.0") == 0);
    CHECK(strlen(runicos_rune_digest(rune)) == 64);
    CHECK(runicos_rune_capabilities(rune) == 2);
    OK(runicos_rune_capability(rune, 0, &capability, &error));
    CHECK(strcmp(capability.kind, "RAW") == 0 && strcmp(capability.name, "raw") == 0);
    CHECK(capability.params == 0 && capability.type.bytes == 4);
    OK(runicos_rune_capability(rune, 1, &capability, &error));
    CHECK(strcmp(capability.kind, "ACCEL") == 0 && strcmp(capability.name, "accel") == 0);
    CHECK(strcmp(capability.type.text, "F32[2, 3]") == 0);
    CHECK(capability.type.element == RUNICOS_F32 && capability.type.bytes == 24);
    CHECK(capability.type.rank == 2 && capability.type.bounds == 0);
    CHECK(capability.type.dims[0] == 2 && capability.type.dims[1] == 3);
    CHECK(capability.params == 1);
    OK(runicos_rune_param(rune, 1, 0, &param, &error));
    CHECK(strcmp(param.name, "hz") == 0);
    CHECK(param.kind == RUNICOS_INTEGER && param.integer == 50 && param.text == NULL);

    CHECK(runicos_rune_outputs(rune) == 2);
    OK(runicos_rune_output(rune, 1, &output, &error));
    CHECK(strcmp(output.kind, "SERIAL") == 0 && strcmp(output.name, "serial") == 0);
    CHECK(output.tensors == 2);
    OK(runicos_rune_output_type(rune, 1, 0, &type, &error));
    CHECK(strcmp(type.text, "F32[<=4, 3]") == 0 && type.bounds == 1 && type.dims[0] == 4);
    runicos_rune_free(rune);
}

static void tensors_are_read(const runicos_runtime_t *runtime)
{
    struct sensor raw = {2, 0}, accel = {3, 0};
    runicos_grants_t *grants = new_grants();
    runicos_instance_t *instance;
    runicos_result_t *result;
    runicos_tensor_t tensor;
    char *health;

    OK(runicos_grants_source(grants, "raw", read_sensor, &raw, release_sensor, &error));
    OK(runicos_grants_source(grants, "accel", read_sensor, &accel, release_sensor, &error));
    OK(runicos_grants_memory(grants, 65536, &error));
    instance = start(runtime, "pair.rune", grants);
    result = call(instance);
    CHECK(runicos_result_outcome(result) == RUNICOS_OUTPUT);
    CHECK(runicos_result_tensors(result, 0) == 0);
    CHECK(runicos_result_tensors(result, 1) == 2);
    CHECK(runicos_result_tensors(result, 2) == 0);
    OK(runicos_result_tensor(result, 1, 0, &tensor, &error));
    CHECK(tensor.element == RUNICOS_F32 && tensor.rank == 2);
    CHECK(tensor.dims[0] == 2 && tensor.dims[1] == 3);
    CHECK(tensor.elements == 6 && tensor.bytes == 24 && tensor.data[0] == 3);
    CHECK((uintptr_t)tensor.data % sizeof(double) == 0);
    OK(runicos_result_tensor(result, 1, 1, &tensor, &error));
    CHECK(tensor.rank == 1 && tensor.elements == 3 && ((const float *)(const void *)tensor.data)[1] == 0);
    CHECK(strstr(runicos_result_json(result), "{\"serial\": [{\"element_type\": \"f32\", \"dimensions\": [2, 3], ")
          == runicos_result_json(result));
    CHECK(runicos_result_json(result) == runicos_result_json(result));
    CHECK(runicos_result_interval_ns(result) == 0);
    runicos_result_free(result);
    runicos_result_free(call(instance));
    result = call(instance);
    CHECK(runicos_result_outcome(result) == RUNICOS_END);
    CHECK(strcmp(runicos_result_json(result), "{}") == 0);
    OK(runicos_instance_health(instance, &health, &error));
    CHECK(strstr(health, "\"calls\":2") != NULL && strstr(health, "\"name\":\"test\"") != NULL);
    runicos_string_free(health);
    CHECK(raw.released == 0 && accel.released == 0);
    runicos_instance_free(instance);
    CHECK(raw.released == 1 && accel.released == 1);
    /* It needs the instance no more. */
    CHECK(runicos_result_outcome(result) == RUNICOS_END);
    runicos_result_free(result);
}

static void texts_are_read(const runicos_runtime_t *runtime)
{
    runicos_instance_t *instance = start(runtime, "texts.rune", new_grants());
    runicos_result_t *result = call(instance);
    runicos_tensor_t tensor;
    const char *text;
    size_t len;

    OK(runicos_result_tensor(result, 0, 0, &tensor, &error));
    CHECK(tensor.element == RUNICOS_UTF8 && tensor.data == NULL && tensor.elements == 2);
    OK(runicos_result_text(result, 0, 0, 0, &text, &len, &error));
    CHECK(len == 4 && memcmp(text, "Ring", 4) == 0);
    OK(runicos_result_text(result, 0, 0, 1, &text, &len, &error));
    CHECK(len == 3 && memcmp(text, "a\0b", 3) == 0);
    CHECK(strcmp(runicos_result_json(result),
                 "{\"serial\": [{\"element_type\": \"utf8\", \"dimensions\": [2], \"elements\": "
                 "[\"Ring\", \"a\\u0000b\"]}]}") == 0);
    FAILS(RUNICOS_ARGUMENT, "there is no text 2: there are 2",
          runicos_result_text(result, 0, 0, 2, &text, &len, &error));
    runicos_result_free(result);
    runicos_instance_free(instance);
}

static void flags_grant(const runicos_runtime_t *runtime)
{
    runicos_grants_t *grants = new_grants();
    runicos_instance_t *instance;
    runicos_result_t *result;
    runicos_tensor_t tensor;

    OK(runicos_grants_flag(grants, "raw", "four.bin", &error));
    instance = start(runtime, "echo.rune", grants);
    runicos_result_free(call(instance));
    result = call(instance);
    OK(runicos_result_tensor(result, 0, 0, &tensor, &error));
    CHECK(tensor.bytes == 4 && memcmp(tensor.data, "\5\6\7\10", 4) == 0);
    runicos_result_free(result);
    runicos_instance_free(instance);
}

static void policies_grant(const runicos_runtime_t *runtime)
{
    runicos_grants_t *grants = new_grants();
    runicos_instance_t *instance;
    runicos_result_t *result;
    runicos_tensor_t tensor;

    OK(runicos_grants_policy(grants, "policy.toml", &error));
    instance = start(runtime, "echo.rune", grants);
    result = call(instance);
    OK(runicos_result_tensor(result, 0, 0, &tensor, &error));
    CHECK(memcmp(tensor.data, "\1\2\3\4", 4) == 0);
    CHECK(runicos_result_interval_ns(result) == 10000000);
    runicos_result_free(result);
    runicos_instance_free(instance);
}

static uint32_t counted(const runicos_instance_t *instance)
{
    runicos_result_t *result = call(instance);
    runicos_tensor_t tensor;
    uint32_t count;
    OK(runicos_result_tensor(result, 0, 0, &tensor, &error));
    memcpy(&count, tensor.data, sizeof count);
    runicos_result_free(result);
    return count;
}

static void state_is_reset(const runicos_runtime_t *runtime)
{
    runicos_instance_t *instance = start(runtime, "count.rune", new_grants());
    CHECK(counted(instance) == 1 && counted(instance) == 2);
    OK(runicos_instance_reset(instance, &error));
    CHECK(counted(instance) == 1);
    runicos_instance_free(instance);
}

struct ear {
    char text[64];
    uint32_t level;
    int released;
};

static void hear(void *context, uint32_t level, const char *text)
{
    struct ear *ear = context;
    ear->level = level;
    strncpy(ear->text, text, sizeof ear->text - 1);
}

static void release_ear(void *context)
{
    ++((struct ear *)context)->released;
}

static void logs_are_heard(const runicos_runtime_t *runtime)
{
    struct ear first = {"", 0, 0}, ear = {"", 0, 0};
    runicos_grants_t *grants = new_grants();
    runicos_instance_t *instance;

    OK(runicos_grants_log(grants, hear, &first, release_ear, &error));
    OK(runicos_grants_log(grants, hear, &ear, release_ear, &error));
    CHECK(first.released == 1);
    instance = start(runtime, "log.rune", grants);
    runicos_result_free(call(instance));
    CHECK(ear.level == 2 && strcmp(ear.text, "test: too humid") == 0 && first.level == 0);
    runicos_instance_free(instance);
    CHECK(ear.released == 1 && first.released == 1);
}

int main(int argc, char **argv)
{
    runicos_runtime_t *runtime, *cached;
    runicos_instance_t *instance;
    unsigned char bytes[4096];
    runicos_rune_t *rune;
    size_t len;
    FILE *file;

    (void)argv;
    CHECK(runicos_abi_version() == RUNICOS_ABI_VERSION);
    CHECK(strchr(runicos_version(), '.') != NULL);
    OK(runicos_runtime_new(NULL, NULL, &runtime, &error));
    manifest_is_read();
    tensors_are_read(runtime);
    texts_are_read(runtime);
    flags_grant(runtime);
    /* Valgrind does not know openat2, by which the files of a policy are opened. */
    if (argc == 1)
        policies_grant(runtime);
    state_is_reset(runtime);
    logs_are_heard(runtime);

    /* From memory, by a runtime with a cache, which may go before the instance. */
    file = fopen("quiet.rune", "rb");
    CHECK(file != NULL);
    len = fread(bytes, 1, sizeof bytes, file);
    CHECK(len > 0 && len < sizeof bytes);
    fclose(file);
    OK(runicos_rune_load(bytes, len, &rune, &error));
    memset(bytes, 0, sizeof bytes);
    OK(runicos_runtime_new(NULL, "cache", &cached, &error));
    OK(runicos_instance_start(cached, rune, new_grants(), &instance, &error));
    runicos_runtime_free(cached);
    runicos_rune_free(rune);
    {
        runicos_result_t *result = call(instance);
        CHECK(runicos_result_outcome(result) == RUNICOS_NO_OUTPUT);
        runicos_result_free(result);
    }
    runicos_instance_free(instance);
    runicos_runtime_free(runtime);
    return 0;
}
