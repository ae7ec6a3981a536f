#include "wave.h"
