/* librunicos: runs runes from C. docs/book/embedding.md tells how to build with it.
 *
 * Who owns what: a function with `_new`, `_load`, `_open`, `_start` or `_call` in its name makes an object, and the
 * function with `_free` in its name ends it; pointers that an object gave are good until then. NULL may be freed.
 *
 * Errors: a function that can fail gives a `runicos_status_t`. What went wrong is left in `*error`, to be freed with
 * `runicos_error_free`; `*error` is NULL after success, and `error` may be NULL for whoever does not ask. What a
 * function should have made is NULL after an error. No argument may be NULL unless it says so, and one that is NULL, or
 * a string that is not UTF-8, comes to RUNICOS_ARGUMENT.
 *
 * Threads: every object may be used by any thread, and by several at once, but for its `_free`, which comes last and
 * once. Functions on the same `runicos_instance_t` wait for each other; from a callback of its own they give
 * RUNICOS_BUSY instead. The library keeps no state beside these objects.
 *
 * Versions: RUNICOS_ABI_VERSION changes when a program that was compiled before would no longer work. Functions and
 * values of enumerations may be added without that. */

/* Made of host/capi/src by cbindgen. Do not edit: BLESS=1 cargo test -p rune-capi writes it. */


#ifndef RUNICOS_H
#define RUNICOS_H

#include <stddef.h>
#include <stdint.h>

// The version of this interface that a program is compiled for; see `runicos_abi_version`.
#define RUNICOS_ABI_VERSION 1

// What a `runicos_read_t` gives when it has filled `out`.
#define RUNICOS_READ_SAMPLE 0

// What a `runicos_read_t` gives when there is nothing more: calls come to `RUNICOS_END`.
#define RUNICOS_READ_END 1

// What a `runicos_read_t` gives when it had no sample in time: the call fails with `RUNICOS_SOURCE`.
#define RUNICOS_READ_LATE 2

// What a call of a function came to. A number keeps its meaning for ever.
typedef enum runicos_status_t {
  // It did what it should.
  RUNICOS_OK = 0,
  // An argument is NULL, a string that is not UTF-8, or a number beyond the last.
  RUNICOS_ARGUMENT = 1,
  // A file or folder cannot be read or made.
  RUNICOS_FILE = 2,
  // The bytes are not a rune, or one that this runtime cannot run.
  RUNICOS_RUNE = 3,
  // The policy cannot be read, or makes no sense.
  RUNICOS_POLICY = 4,
  // What is granted does not fit what the rune reads.
  RUNICOS_FLAGS = 5,
  // The rune needs what was not granted: each reason is something that is missing.
  RUNICOS_REFUSED = 6,
  // A source could not be opened, or failed.
  RUNICOS_SOURCE = 7,
  // The rune could not be turned into machine code.
  RUNICOS_COMPILE = 8,
  // Memory or a thread could not be had.
  RUNICOS_START = 9,
  // The rune said that it failed.
  RUNICOS_FAULT = 10,
  // The code of the rune trapped.
  RUNICOS_TRAP = 11,
  // The call took too long.
  RUNICOS_DEADLINE = 12,
  // The rune asked its host for what it may not.
  RUNICOS_CONTRACT = 13,
  // The instance has stopped at an error before, for good.
  RUNICOS_STOPPED = 14,
  // A callback used what it was called by.
  RUNICOS_BUSY = 15,
  // The library failed at a mistake of its own, or a callback unwound. What was in use is of no more use.
  RUNICOS_PANIC = 16,
} runicos_status_t;

// What a call came to that did not fail.
typedef enum runicos_outcome_t {
  // There is no result: it is NULL.
  RUNICOS_NONE = 0,
  // The rune wrote something.
  RUNICOS_OUTPUT = 1,
  // It wrote nothing this time, as when a block waits for more data.
  RUNICOS_NO_OUTPUT = 2,
  // A source has no more data.
  RUNICOS_END = 3,
} runicos_outcome_t;

// The type of an element of a tensor.
typedef enum runicos_element_t {
  // `uint8_t`
  RUNICOS_U8 = 1,
  // `int8_t`
  RUNICOS_I8 = 2,
  // `uint16_t`
  RUNICOS_U16 = 3,
  // `int16_t`
  RUNICOS_I16 = 4,
  // `uint32_t`
  RUNICOS_U32 = 5,
  // `int32_t`
  RUNICOS_I32 = 6,
  // `uint64_t`
  RUNICOS_U64 = 7,
  // `int64_t`
  RUNICOS_I64 = 8,
  // `float`
  RUNICOS_F32 = 9,
  // `double`
  RUNICOS_F64 = 10,
  // A text in UTF-8.
  RUNICOS_UTF8 = 11,
} runicos_element_t;

// Which field of a parameter holds its value.
typedef enum runicos_param_kind_t {
  // `integer`.
  RUNICOS_INTEGER = 0,
  // `number`.
  RUNICOS_FLOAT = 1,
  // `text`.
  RUNICOS_TEXT = 2,
} runicos_param_kind_t;

// Why something failed.
typedef struct runicos_error_t runicos_error_t;

// What is granted to one instance of a rune. Everything stays in it until the instance is started.
typedef struct runicos_grants_t runicos_grants_t;

// A rune that is ready to be called. It needs neither its runtime nor its rune any more.
typedef struct runicos_instance_t runicos_instance_t;

// What one call came to. It does not change.
typedef struct runicos_result_t runicos_result_t;

// A rune that was read and checked. Nothing of it has run. It does not change.
typedef struct runicos_rune_t runicos_rune_t;

// Starts runes. One serves a whole process. It has a thread, which counts deadlines.
typedef struct runicos_runtime_t runicos_runtime_t;

// Fills `out`, which is `len` bytes and no place to keep, with the next sample of a capability: numbers
// little-endian, as the type of the capability says. `timeout_ns` nanoseconds are left for it. Gives
// `RUNICOS_READ_SAMPLE`, `RUNICOS_READ_END` or `RUNICOS_READ_LATE`; any other number is a failure, and stands in the message.
//
// It is called during `runicos_instance_call`, by the thread that calls that, and never twice at once. It may not leave
// by longjmp or an exception, nor free what it is called by.
typedef int (*runicos_read_t)(void *context, uint8_t *out, size_t len, uint64_t timeout_ns);

// Told once that its `context` is needed no more, by whatever thread it was that needed it last.
typedef void (*runicos_release_t)(void *context);

// Hears a line of a rune, or about it: `level` is 1 (error), 2 (warning), 3 (note), 4 (debug) or 5 (trace), and `text`
// one line, good during the call. It is called as `runicos_read_t` is.
typedef void (*runicos_log_t)(void *context, uint32_t level, const char *text);

// A tensor that a rune wrote.
typedef struct runicos_tensor_t {
  // The type of its elements.
  enum runicos_element_t element;
  // How many dimensions it has; 0 for a scalar.
  uint32_t rank;
  // As many dimensions, the outermost first.
  const uint32_t *dims;
  // How many elements it has.
  size_t elements;
  // Its numbers in row order, little-endian, and aligned as from malloc; NULL where they are texts, which
  // `runicos_result_text` gives.
  const uint8_t *data;
  // The bytes of its numbers.
  size_t bytes;
} runicos_tensor_t;

// The type of a tensor that enters or leaves a rune.
typedef struct runicos_type_t {
  // Of its elements.
  enum runicos_element_t element;
  // How many dimensions it has; 0 for a scalar.
  uint32_t rank;
  // As many dimensions, the outermost first.
  const uint32_t *dims;
  // Bit i is set where dimension i is the largest that may be, and not what it always is.
  uint32_t bounds;
  // Bytes of a sample: what a callback fills.
  uint32_t bytes;
  // As a Runefile spells it: `F32[<=100, 6]`.
  const char *text;
} runicos_type_t;

// Something that a rune reads.
typedef struct runicos_capability_t {
  // `ACCEL`, `RAW` and so on.
  const char *kind;
  // Its name in the rune, by which it is granted.
  const char *name;
  // What one read gives.
  struct runicos_type_t type;
  // How many parameters it has.
  size_t params;
} runicos_capability_t;

// A parameter of a capability, such as `hz`.
typedef struct runicos_param_t {
  // Its name.
  const char *name;
  // Which of the fields below is its value; the others are 0 and NULL.
  enum runicos_param_kind_t kind;
  // A whole number.
  int64_t integer;
  // A number.
  double number;
  // A text.
  const char *text;
} runicos_param_t;

// Something that a rune writes.
typedef struct runicos_output_t {
  // `SERIAL`.
  const char *kind;
  // Its name in the rune.
  const char *name;
  // How many tensors are written to it at once.
  size_t tensors;
} runicos_output_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of this interface that the library has. A program that is linked dynamically compares it with
// `RUNICOS_ABI_VERSION` before it calls anything else.
uint32_t runicos_abi_version(void);

// The version of the library, such as `0.1.0`: a string that is always there.
const char *runicos_version(void);

// The status that a function gave with this error; `RUNICOS_OK` for NULL.
enum runicos_status_t runicos_error_status(const struct runicos_error_t *error);

// What went wrong, in words: its reasons, a line each. Belongs to the error; an empty string for NULL.
const char *runicos_error_message(const struct runicos_error_t *error);

// How many reasons there are: one, or all that is missing of `RUNICOS_REFUSED`; 0 for NULL.
size_t runicos_error_reasons(const struct runicos_error_t *error);

// One of the reasons, counted from 0. Belongs to the error; NULL beyond the last.
const char *runicos_error_reason(const struct runicos_error_t *error, size_t index);

// Ends an error, which may be NULL.
void runicos_error_free(struct runicos_error_t *error);

// Grants nothing yet, with 256 MiB of memory and ten seconds for a call. Goes into `runicos_instance_start`; where it
// does not get so far, it is ended with `runicos_grants_free`.
enum runicos_status_t runicos_grants_new(struct runicos_grants_t **grants,
                                         struct runicos_error_t **error);

// Grants a file, sensor or seed as the command line does: `"accel"`, `"walk.csv"` is `--accel walk.csv`.
//
// # Safety
// Both are strings that end with NUL.
enum runicos_status_t runicos_grants_flag(const struct runicos_grants_t *grants,
                                          const char *name,
                                          const char *value,
                                          struct runicos_error_t **error);

// Grants by the policy in a file, in place of another that was set before. Its limits and signers count, and its
// sources for what no flag and no callback feeds. Its outputs do not: what a rune writes goes to this program.
//
// # Safety
// `path` is a string that ends with NUL.
enum runicos_status_t runicos_grants_policy(const struct runicos_grants_t *grants,
                                            const char *path,
                                            struct runicos_error_t **error);

// Grants a callback to the capability of a name. `release`, which may be NULL, is called once with `context` when
// neither grants nor instance need it any more, and also where this function fails. `context` may be used by other
// threads than this one, if others call the instance.
//
// # Safety
// `name` is a string that ends with NUL, and the callbacks keep to what their types say.
enum runicos_status_t runicos_grants_source(const struct runicos_grants_t *grants,
                                            const char *name,
                                            runicos_read_t read,
                                            void *context,
                                            runicos_release_t release,
                                            struct runicos_error_t **error);

// The most bytes of memory that the rune may have, where no policy says it.
enum runicos_status_t runicos_grants_memory(const struct runicos_grants_t *grants,
                                            uint64_t bytes,
                                            struct runicos_error_t **error);

// The most milliseconds that a call may take, in steps of ten, where no policy says it.
enum runicos_status_t runicos_grants_call_time(const struct runicos_grants_t *grants,
                                               uint64_t milliseconds,
                                               struct runicos_error_t **error);

// Says who hears what the rune logs, in place of who did before. `context` and `release` are as in
// `runicos_grants_source`.
//
// # Safety
// The callbacks keep to what their types say.
enum runicos_status_t runicos_grants_log(const struct runicos_grants_t *grants,
                                         runicos_log_t log,
                                         void *context,
                                         runicos_release_t release,
                                         struct runicos_error_t **error);

// Ends grants that were not used; they may be NULL.
void runicos_grants_free(struct runicos_grants_t *grants);

// Starts a rune with what it was granted. `grants` are the library's from now on, whatever this gives; where they are
// not enough, it gives `RUNICOS_REFUSED` with everything that is missing. Ended with `runicos_instance_free`.
enum runicos_status_t runicos_instance_start(const struct runicos_runtime_t *runtime,
                                             const struct runicos_rune_t *rune,
                                             struct runicos_grants_t *grants,
                                             struct runicos_instance_t **instance,
                                             struct runicos_error_t **error);

// Runs the pipeline of a rune once. The result is ended with `runicos_result_free` and needs the instance no more.
// After an error the instance has stopped, and every further call is `RUNICOS_STOPPED`.
//
// A rune takes up to 512 KiB of the stack of the thread that calls it: one with less than 1 MiB is too small.
enum runicos_status_t runicos_instance_call(const struct runicos_instance_t *instance,
                                            struct runicos_result_t **result,
                                            struct runicos_error_t **error);

// Puts the rune's own state back to what it was at the start; its sources stay where they are.
enum runicos_status_t runicos_instance_reset(const struct runicos_instance_t *instance,
                                             struct runicos_error_t **error);

// What an instance did so far, as JSON: calls, failures, latencies, stages and outputs, also once it has stopped. The
// string is ended with `runicos_string_free`.
enum runicos_status_t runicos_instance_health(const struct runicos_instance_t *instance,
                                              char **json,
                                              struct runicos_error_t **error);

// Ends an instance, which may be NULL, with its sources: their `release` is called.
void runicos_instance_free(struct runicos_instance_t *instance);

// Ends a string that a function made, which may be NULL.
//
// # Safety
// It was made by this library, and is ended once.
void runicos_string_free(char *string);

// What a call came to; `RUNICOS_NONE` for NULL.
enum runicos_outcome_t runicos_result_outcome(const struct runicos_result_t *result);

// How many tensors were written to an output, counted from 0 as in the manifest; 0 where nothing was, and for NULL.
size_t runicos_result_tensors(const struct runicos_result_t *result,
                              size_t output);

// Describes a tensor that was written to an output, both counted from 0. What it points to belongs to the result.
enum runicos_status_t runicos_result_tensor(const struct runicos_result_t *result,
                                            size_t output,
                                            size_t index,
                                            struct runicos_tensor_t *tensor,
                                            struct runicos_error_t **error);

// An element of a tensor of texts: UTF-8 of `*len` bytes, with no NUL behind it. It belongs to the result.
enum runicos_status_t runicos_result_text(const struct runicos_result_t *result,
                                          size_t output,
                                          size_t tensor,
                                          size_t index,
                                          const char **text,
                                          size_t *len,
                                          struct runicos_error_t **error);

// All that was written, as the line of JSON that `rune run` prints: an object with a key for each output. Belongs to
// the result; NULL for NULL.
const char *runicos_result_json(const struct runicos_result_t *result);

// How many nanoseconds there must be from the begin of this call to the begin of the next by the rates of the policy;
// 0 where it has none, and for NULL.
uint64_t runicos_result_interval_ns(const struct runicos_result_t *result);

// Ends a result, which may be NULL.
void runicos_result_free(struct runicos_result_t *result);

// Takes `len` bytes as a rune and checks them; they are copied. Ended with `runicos_rune_free`; instances go on.
//
// # Safety
// There are `len` bytes.
enum runicos_status_t runicos_rune_load(const uint8_t *bytes,
                                        size_t len,
                                        struct runicos_rune_t **rune,
                                        struct runicos_error_t **error);

// Reads a file as a rune. Ended with `runicos_rune_free`; instances go on.
//
// # Safety
// `path` is a string that ends with NUL.
enum runicos_status_t runicos_rune_open(const char *path,
                                        struct runicos_rune_t **rune,
                                        struct runicos_error_t **error);

// The name of a rune. Belongs to the rune; NULL for NULL.
const char *runicos_rune_name(const struct runicos_rune_t *rune);

// The version of a rune, such as `1.2.3`. Belongs to the rune; NULL for NULL.
const char *runicos_rune_version(const struct runicos_rune_t *rune);

// SHA-256 of the bytes of a rune, in hexadecimal. Belongs to the rune; NULL for NULL.
const char *runicos_rune_digest(const struct runicos_rune_t *rune);

// How many capabilities a rune has; 0 for NULL.
size_t runicos_rune_capabilities(const struct runicos_rune_t *rune);

// Describes a capability, counted from 0. What it points to belongs to the rune.
enum runicos_status_t runicos_rune_capability(const struct runicos_rune_t *rune,
                                              size_t index,
                                              struct runicos_capability_t *capability,
                                              struct runicos_error_t **error);

// Describes a parameter of a capability, both counted from 0. What it points to belongs to the rune.
enum runicos_status_t runicos_rune_param(const struct runicos_rune_t *rune,
                                         size_t capability,
                                         size_t index,
                                         struct runicos_param_t *param,
                                         struct runicos_error_t **error);

// How many outputs a rune has; 0 for NULL.
size_t runicos_rune_outputs(const struct runicos_rune_t *rune);

// Describes an output, counted from 0. What it points to belongs to the rune.
enum runicos_status_t runicos_rune_output(const struct runicos_rune_t *rune,
                                          size_t index,
                                          struct runicos_output_t *output,
                                          struct runicos_error_t **error);

// The type of a tensor of an output, both counted from 0. What it points to belongs to the rune.
enum runicos_status_t runicos_rune_output_type(const struct runicos_rune_t *rune,
                                               size_t output,
                                               size_t tensor,
                                               struct runicos_type_t *type,
                                               struct runicos_error_t **error);

// Ends a rune, which may be NULL.
void runicos_rune_free(struct runicos_rune_t *rune);

// Makes a runtime.
//
// `worker` is the path of the program `rune`, which then compiles runes in processes of its own with limits on their
// time and memory; this is for runes that you do not trust. NULL: runes are compiled in this process.
//
// `cache` is a folder that keeps machine code between processes, with the key that authenticates it. It is made where it
// is missing, and must be writable by nobody but this user. NULL: nothing is kept.
//
// The runtime is ended with `runicos_runtime_free`; instances that were started before go on.
//
// # Safety
// Both are NULL, or strings that end with NUL.
enum runicos_status_t runicos_runtime_new(const char *worker,
                                          const char *cache,
                                          struct runicos_runtime_t **runtime,
                                          struct runicos_error_t **error);

// Ends a runtime, which may be NULL.
void runicos_runtime_free(struct runicos_runtime_t *runtime);

// The status that a function gave with this error; `RUNICOS_OK` for NULL.
enum runicos_status_t runicos_error_status(const struct runicos_error_t *error);

// What went wrong, in words: its reasons, a line each. Belongs to the error; an empty string for NULL.
const char *runicos_error_message(const struct runicos_error_t *error);

// How many reasons there are: one, or all that is missing of `RUNICOS_REFUSED`; 0 for NULL.
size_t runicos_error_reasons(const struct runicos_error_t *error);

// One of the reasons, counted from 0. Belongs to the error; NULL beyond the last.
const char *runicos_error_reason(const struct runicos_error_t *error, size_t index);

// Ends an error, which may be NULL.
void runicos_error_free(struct runicos_error_t *error);

// Makes a runtime.
//
// `worker` is the path of the program `rune`, which then compiles runes in processes of its own with limits on their
// time and memory; this is for runes that you do not trust. NULL: runes are compiled in this process.
//
// `cache` is a folder that keeps machine code between processes, with the key that authenticates it. It is made where it
// is missing, and must be writable by nobody but this user. NULL: nothing is kept.
//
// The runtime is ended with `runicos_runtime_free`; instances that were started before go on.
//
// # Safety
// Both are NULL, or strings that end with NUL.
enum runicos_status_t runicos_runtime_new(const char *worker,
                                          const char *cache,
                                          struct runicos_runtime_t **runtime,
                                          struct runicos_error_t **error);

// Ends a runtime, which may be NULL.
void runicos_runtime_free(struct runicos_runtime_t *runtime);

// Takes `len` bytes as a rune and checks them; they are copied. Ended with `runicos_rune_free`; instances go on.
//
// # Safety
// There are `len` bytes.
enum runicos_status_t runicos_rune_load(const uint8_t *bytes,
                                        size_t len,
                                        struct runicos_rune_t **rune,
                                        struct runicos_error_t **error);

// Reads a file as a rune. Ended with `runicos_rune_free`; instances go on.
//
// # Safety
// `path` is a string that ends with NUL.
enum runicos_status_t runicos_rune_open(const char *path,
                                        struct runicos_rune_t **rune,
                                        struct runicos_error_t **error);

// The name of a rune. Belongs to the rune; NULL for NULL.
const char *runicos_rune_name(const struct runicos_rune_t *rune);

// The version of a rune, such as `1.2.3`. Belongs to the rune; NULL for NULL.
const char *runicos_rune_version(const struct runicos_rune_t *rune);

// SHA-256 of the bytes of a rune, in hexadecimal. Belongs to the rune; NULL for NULL.
const char *runicos_rune_digest(const struct runicos_rune_t *rune);

// How many capabilities a rune has; 0 for NULL.
size_t runicos_rune_capabilities(const struct runicos_rune_t *rune);

// Describes a capability, counted from 0. What it points to belongs to the rune.
enum runicos_status_t runicos_rune_capability(const struct runicos_rune_t *rune,
                                              size_t index,
                                              struct runicos_capability_t *capability,
                                              struct runicos_error_t **error);

// Describes a parameter of a capability, both counted from 0. What it points to belongs to the rune.
enum runicos_status_t runicos_rune_param(const struct runicos_rune_t *rune,
                                         size_t capability,
                                         size_t index,
                                         struct runicos_param_t *param,
                                         struct runicos_error_t **error);

// How many outputs a rune has; 0 for NULL.
size_t runicos_rune_outputs(const struct runicos_rune_t *rune);

// Describes an output, counted from 0. What it points to belongs to the rune.
enum runicos_status_t runicos_rune_output(const struct runicos_rune_t *rune,
                                          size_t index,
                                          struct runicos_output_t *output,
                                          struct runicos_error_t **error);

// The type of a tensor of an output, both counted from 0. What it points to belongs to the rune.
enum runicos_status_t runicos_rune_output_type(const struct runicos_rune_t *rune,
                                               size_t output,
                                               size_t tensor,
                                               struct runicos_type_t *type,
                                               struct runicos_error_t **error);

// Ends a rune, which may be NULL.
void runicos_rune_free(struct runicos_rune_t *rune);

// Grants nothing yet, with 256 MiB of memory and ten seconds for a call. Goes into `runicos_instance_start`; where it
// does not get so far, it is ended with `runicos_grants_free`.
enum runicos_status_t runicos_grants_new(struct runicos_grants_t **grants,
                                         struct runicos_error_t **error);

// Grants a file, sensor or seed as the command line does: `"accel"`, `"walk.csv"` is `--accel walk.csv`.
//
// # Safety
// Both are strings that end with NUL.
enum runicos_status_t runicos_grants_flag(const struct runicos_grants_t *grants,
                                          const char *name,
                                          const char *value,
                                          struct runicos_error_t **error);

// Grants by the policy in a file, in place of another that was set before. Its limits and signers count, and its
// sources for what no flag and no callback feeds. Its outputs do not: what a rune writes goes to this program.
//
// # Safety
// `path` is a string that ends with NUL.
enum runicos_status_t runicos_grants_policy(const struct runicos_grants_t *grants,
                                            const char *path,
                                            struct runicos_error_t **error);

// Grants a callback to the capability of a name. `release`, which may be NULL, is called once with `context` when
// neither grants nor instance need it any more, and also where this function fails. `context` may be used by other
// threads than this one, if others call the instance.
//
// # Safety
// `name` is a string that ends with NUL, and the callbacks keep to what their types say.
enum runicos_status_t runicos_grants_source(const struct runicos_grants_t *grants,
                                            const char *name,
                                            runicos_read_t read,
                                            void *context,
                                            runicos_release_t release,
                                            struct runicos_error_t **error);

// The most bytes of memory that the rune may have, where no policy says it.
enum runicos_status_t runicos_grants_memory(const struct runicos_grants_t *grants,
                                            uint64_t bytes,
                                            struct runicos_error_t **error);

// The most milliseconds that a call may take, in steps of ten, where no policy says it.
enum runicos_status_t runicos_grants_call_time(const struct runicos_grants_t *grants,
                                               uint64_t milliseconds,
                                               struct runicos_error_t **error);

// Says who hears what the rune logs, in place of who did before. `context` and `release` are as in
// `runicos_grants_source`.
//
// # Safety
// The callbacks keep to what their types say.
enum runicos_status_t runicos_grants_log(const struct runicos_grants_t *grants,
                                         runicos_log_t log,
                                         void *context,
                                         runicos_release_t release,
                                         struct runicos_error_t **error);

// Ends grants that were not used; they may be NULL.
void runicos_grants_free(struct runicos_grants_t *grants);

// Starts a rune with what it was granted. `grants` are the library's from now on, whatever this gives; where they are
// not enough, it gives `RUNICOS_REFUSED` with everything that is missing. Ended with `runicos_instance_free`.
enum runicos_status_t runicos_instance_start(const struct runicos_runtime_t *runtime,
                                             const struct runicos_rune_t *rune,
                                             struct runicos_grants_t *grants,
                                             struct runicos_instance_t **instance,
                                             struct runicos_error_t **error);

// Runs the pipeline of a rune once. The result is ended with `runicos_result_free` and needs the instance no more.
// After an error the instance has stopped, and every further call is `RUNICOS_STOPPED`.
//
// A rune takes up to 512 KiB of the stack of the thread that calls it: one with less than 1 MiB is too small.
enum runicos_status_t runicos_instance_call(const struct runicos_instance_t *instance,
                                            struct runicos_result_t **result,
                                            struct runicos_error_t **error);

// Puts the rune's own state back to what it was at the start; its sources stay where they are.
enum runicos_status_t runicos_instance_reset(const struct runicos_instance_t *instance,
                                             struct runicos_error_t **error);

// What an instance did so far, as JSON: calls, failures, latencies, stages and outputs, also once it has stopped. The
// string is ended with `runicos_string_free`.
enum runicos_status_t runicos_instance_health(const struct runicos_instance_t *instance,
                                              char **json,
                                              struct runicos_error_t **error);

// Ends an instance, which may be NULL, with its sources: their `release` is called.
void runicos_instance_free(struct runicos_instance_t *instance);

// Ends a string that a function made, which may be NULL.
//
// # Safety
// It was made by this library, and is ended once.
void runicos_string_free(char *string);

// What a call came to; `RUNICOS_NONE` for NULL.
enum runicos_outcome_t runicos_result_outcome(const struct runicos_result_t *result);

// How many tensors were written to an output, counted from 0 as in the manifest; 0 where nothing was, and for NULL.
size_t runicos_result_tensors(const struct runicos_result_t *result,
                              size_t output);

// Describes a tensor that was written to an output, both counted from 0. What it points to belongs to the result.
enum runicos_status_t runicos_result_tensor(const struct runicos_result_t *result,
                                            size_t output,
                                            size_t index,
                                            struct runicos_tensor_t *tensor,
                                            struct runicos_error_t **error);

// An element of a tensor of texts: UTF-8 of `*len` bytes, with no NUL behind it. It belongs to the result.
enum runicos_status_t runicos_result_text(const struct runicos_result_t *result,
                                          size_t output,
                                          size_t tensor,
                                          size_t index,
                                          const char **text,
                                          size_t *len,
                                          struct runicos_error_t **error);

// All that was written, as the line of JSON that `rune run` prints: an object with a key for each output. Belongs to
// the result; NULL for NULL.
const char *runicos_result_json(const struct runicos_result_t *result);

// How many nanoseconds there must be from the begin of this call to the begin of the next by the rates of the policy;
// 0 where it has none, and for NULL.
uint64_t runicos_result_interval_ns(const struct runicos_result_t *result);

// Ends a result, which may be NULL.
void runicos_result_free(struct runicos_result_t *result);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* RUNICOS_H */
