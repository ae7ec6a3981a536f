/* A block with a phase that goes on from call to call: every element times a sine wave. C and C++ alike. */
#include <math.h>
#include <string.h>

#include "rune_block.h"

RUNE_BLOCK("name = \"wave\"\n"
           "version = \"1.0.0\"\n"
           "doc = \"Every element times a sine wave that goes on from call to call.\"\n"
           "[[inputs]]\nname = \"values\"\ntype = \"f32[n]\"\n"
           "[[outputs]]\nname = \"waves\"\ntype = \"f32[n]\"\n"
           "[[args]]\nname = \"step\"\ntype = \"float\"\ndefault = 0.5\n");

typedef struct {
    float step;
    float *phase;
} wave;

RUNE_INIT void *init(rune_context *context)
{
    if (!(context->args[0].number > 0))
        return rune_refuse(context, "`--step` must be above 0");
    wave *self = (wave *)rune_frozen(context, sizeof *self);
    self->step = (float)context->args[0].number;
    self->phase = (float *)rune_state(context, sizeof *self->phase);
    context->scratch = (rune_count(&context->types[0]) * sizeof(float) + 15) & ~15u;
    return self;
}

RUNE_RUN int32_t run(const wave *self, void *scratch, const rune_tensor *in, rune_tensor *out)
{
    float *values = (float *)scratch;
    uint32_t count = in->count;
    memcpy(values, in->address, count * sizeof *values);
    for (uint32_t i = 0; i < count; i++) {
        values[i] *= sinf(*self->phase);
        *self->phase = fmodf(*self->phase + self->step, 6.2831855f);
    }
    memmove(out->address, values, count * sizeof *values);
    return memcmp(out->address, values, count * sizeof *values) == 0 ? RUNE_OUTPUT : RUNE_FAULT;
}
