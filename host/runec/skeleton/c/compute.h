/* What the block @NAME@ computes: plain C, which its test runs on any computer. */
#ifndef COMPUTE_H
#define COMPUTE_H

#include <stdint.h>

static inline void multiply(float factor, const float *values, float *products, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        products[i] = values[i] * factor;
}

#endif
