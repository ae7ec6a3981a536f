// What the block @NAME@ computes: plain C++, which its test runs on any computer.
#pragma once

#include <stdint.h>

/// Multiplies by a factor.
struct Product {
    float factor;

    void operator()(const float *values, float *products, uint32_t count) const
    {
        for (uint32_t i = 0; i < count; i++)
            products[i] = values[i] * factor;
    }
};
