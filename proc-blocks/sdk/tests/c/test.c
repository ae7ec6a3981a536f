#include "wave.c"
#include "test.inc"
