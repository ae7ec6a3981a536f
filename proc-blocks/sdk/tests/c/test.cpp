#include "wave.cpp"
#include "test.inc"
