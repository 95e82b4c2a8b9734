#include "dialects/kimi/Kimi.h"
