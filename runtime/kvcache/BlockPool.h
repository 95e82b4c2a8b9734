// Who holds which 64-token block of the paged cache. Book-keeping only: the memory belongs to the engine.
//
// A block is free or held by one or more holders (sequences that share a prefix). Thread rule: one thread at
// a time.
#pragma once

#include "runtime/base/Status.h"

#include <cstdint>
#include <vector>

namespace kimi::runtime {

class BlockPool {
public:
  /// Blocks 0 .. numBlocks-1, all free.
  explicit BlockPool(int64_t numBlocks);

  int64_t numBlocks() const { return int64_t(holders.size()); }
  int64_t numFree() const { return int64_t(freeBlocks.size()); }
  bool canAllocate(int64_t count) const { return count <= numFree(); }

  /// A free block, now with one holder; lowest numbers first while none was released. Error: none is free.
  Expected<int32_t> allocate();

  /// One holder more. Error: no such block, or it is free.
  Status retain(int32_t block);

  /// One holder less; a block without holders is free again. Error: no such block, or it is free already.
  Status release(int32_t block);

  int32_t numHolders(int32_t block) const { return holders[size_t(block)]; }

  /// The books: every block is either free or held, free + held = all. The message gives the numbers. Takes
  /// time in the number of blocks: call it when nobody waits.
  Status check() const;

private:
  Status requireHeld(int32_t block, const char *action) const;

  std::vector<int32_t> holders;    // per block
  std::vector<int32_t> freeBlocks; // a stack
};

} // namespace kimi::runtime
