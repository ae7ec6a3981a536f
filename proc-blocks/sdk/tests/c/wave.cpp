#include "wave.inc"

// What only C++ has.
[[maybe_unused]] static wave *made(rune_context *context)
{
    rune_state<double>(context, 3);
    return rune_frozen<wave>(context);
}
