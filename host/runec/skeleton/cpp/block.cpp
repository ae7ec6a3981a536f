// The block @NAME@: every element times a factor.
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

// Runs once, while compiling. The instance is what `run` gets of it.
RUNE_INIT void *init(rune_context *context)
{
    auto *self = static_cast<Product *>(rune_frozen(context, sizeof(Product)));
    self->factor = static_cast<float>(context->args[0].number);
    return self;
}

// Runs in the rune, once per call.
RUNE_RUN int32_t run(const Product *self, void *, const rune_tensor *in, rune_tensor *out)
{
    (*self)(static_cast<const float *>(in->address), static_cast<float *>(out->address), in->count);
    return RUNE_OUTPUT;
}
