// Where buffers lie in an arena: first fit by lifetime. Knows nothing of the IR. Thread rule: plain functions.
#pragma once

#include "dialects/plan/Plan.h"

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <optional>

namespace kimi::passes {

struct Buffer {
  int64_t bytes = 0;
  int64_t first = 0, last = 0;   // the steps that need it, both included
  std::optional<int64_t> offset; // where it must lie; after placeBuffers(): where it lies
  int64_t alignment = plan::kArenaAlignment;
};

/// Gives every buffer without an offset the lowest aligned one where nothing else lies during its life, largest
/// first. Buffers that come with an offset stay; whether they disturb each other is the caller's business.
/// Returns the size of the arena, aligned.
int64_t placeBuffers(llvm::MutableArrayRef<Buffer> buffers);

} // namespace kimi::passes
