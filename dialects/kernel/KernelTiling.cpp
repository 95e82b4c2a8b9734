#include "dialects/kernel/Kernel.h"
