#include "wave.inc"
