/* The block @NAME@: every element times a factor. */
#include "compute.h"
#include "rune_block.h"

RUNE_BLOCK("name = \"@NAME@\"\n"
           "version = \"0.1.0\"\n"
           "doc = \"Every element times a factor.\"\n"
           "example = \"PROC_BLOCK ./@NAME@ @NAME@ --factor 2.5\"\n"
           "[[inputs]]\n"
           "name = \"values\"\n"
           "type = \"f32[...s]\"\n"
           "[[outputs]]\n"
           "name = \"products\"\n"
           "type = \"f32[...s]\"\n"
           "[[args]]\n"
           "name = \"factor\"\n"
           "type = \"float\"\n"
           "default = 1\n"
           "min = -1000\n"
           "max = 1000\n"
           "doc = \"What every element is multiplied by.\"\n");

/* One use of the block in a Runefile. */
typedef struct {
    float factor;
} product;

/* Runs once, while compiling. */
RUNE_INIT void *init(rune_context *context)
{
    product *self = rune_frozen(context, sizeof *self);
    self->factor = (float)context->args[0].number;
    return self;
}

/* Runs in the rune, once per call. */
RUNE_RUN int32_t run(const product *self, void *scratch, const rune_tensor *in, rune_tensor *out)
{
    (void)scratch;
    multiply(self->factor, in->address, out->address, in->count);
    return RUNE_OUTPUT;
}
