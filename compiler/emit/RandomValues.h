// Random values by position: the bytes of a file that is nowhere. Thread rule: a value; plain functions.
#pragma once

#include "compiler/import/InventedCheckpoint.h"

namespace kimi::emit {

/// Fills `bytes` with those from `offset` on: they depend on the seed, the kind and the place alone, never on how the
/// file is cut into reads. Floats are uniform between kind.low and kind.high, rounded to their type; integers and f8
/// take any bits but NaN.
void fillRandom(uint64_t seed, const import_::RandomKind &kind, uint64_t offset, llvm::MutableArrayRef<char> bytes);

} // namespace kimi::emit
