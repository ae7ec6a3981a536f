/* NAME in the firmware: the functions that it imports are the firmware's. */
#include "NAME.h"

int32_t figure3_read(uint8_t *out, uint32_t length);
int32_t figure3_write(const uint8_t *memory, uint32_t at);
void figure3_fault(void);

static uint8_t memory[BYTES] __attribute__((aligned(16)));
static NAME_context context;

static void on_trap(void *host, int why) {
    (void)host, (void)why;
    figure3_fault();
}

static uint32_t on_read(void *host, uint32_t capability, uint32_t at, uint32_t length) {
    (void)host, (void)capability;
    return (uint32_t)figure3_read(memory + at, length);
}

static uint32_t on_write(void *host, uint32_t output, uint32_t at) {
    (void)host, (void)output;
    return (uint32_t)figure3_write(memory, at);
}

#ifdef HAS_FAULT
static void on_fault(void *host, uint32_t code, uint32_t at, uint32_t length) {
    (void)host, (void)code, (void)at, (void)length;
    figure3_fault();
}
#endif

void figure3_NAME_start(void) {
    context.memory = memory;
    context.trap = on_trap;
    context.read = on_read;
    context.write = on_write;
#ifdef HAS_FAULT
    context.fault = on_fault;
#endif
    NAME_init(&context);
}

int32_t figure3_NAME_call(void) {
    return (int32_t)NAME_call(&context);
}
