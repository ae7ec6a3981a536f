/* The test of what the block computes, on this computer. */
#include "../compute.h"

#include <stdio.h>

int main(void)
{
    const float values[] = {1, -2, 0}, expected[] = {2.5f, -5, 0};
    float products[3];
    multiply(2.5f, values, products, 3);
    for (int i = 0; i < 3; i++)
        if (products[i] != expected[i]) {
            printf("product %d is %g, not %g\n", i, products[i], expected[i]);
            return 1;
        }
    puts("ok");
    return 0;
}
