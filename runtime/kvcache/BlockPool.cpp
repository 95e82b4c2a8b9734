#include "runtime/kvcache/BlockPool.h"

#include <algorithm>
#include <fmt/format.h>

namespace kimi::runtime {

BlockPool::BlockPool(int64_t numBlocks) : holders(size_t(numBlocks), 0) {
  freeBlocks.reserve(size_t(numBlocks));
  for (int64_t block = numBlocks - 1; block >= 0; --block)
    freeBlocks.push_back(int32_t(block));
}

Expected<int32_t> BlockPool::allocate() {
  if (freeBlocks.empty())
    return failure(fmt::format("all {} cache blocks are held", numBlocks()));
  int32_t block = freeBlocks.back();
  freeBlocks.pop_back();
  holders[size_t(block)] = 1;
  return block;
}

Status BlockPool::requireHeld(int32_t block, const char *action) const {
  if (block < 0 || block >= numBlocks())
    return failure(fmt::format("cannot {} cache block {}: the pool has {}", action, block, numBlocks()));
  if (holders[size_t(block)] <= 0)
    return failure(fmt::format("cannot {} cache block {}: it is free", action, block));
  return {};
}

Status BlockPool::retain(int32_t block) {
  TRY(requireHeld(block, "retain"));
  ++holders[size_t(block)];
  return {};
}

Status BlockPool::release(int32_t block) {
  TRY(requireHeld(block, "release"));
  if (--holders[size_t(block)] == 0)
    freeBlocks.push_back(block);
  return {};
}

Status BlockPool::check() const {
  int64_t held = std::count_if(holders.begin(), holders.end(), [](int32_t count) { return count > 0; });
  if (numFree() + held != numBlocks())
    return failure(fmt::format("cache blocks: free {} + held {} = {}, but the pool has {}", numFree(), held,
                               numFree() + held, numBlocks()));
  std::vector<bool> seen(holders.size());
  for (int32_t block : freeBlocks) {
    if (holders[size_t(block)] != 0 || seen[size_t(block)])
      return failure(fmt::format("cache block {} is free {} with {} holders", block,
                                 seen[size_t(block)] ? "twice" : "once", holders[size_t(block)]));
    seen[size_t(block)] = true;
  }
  return {};
}

} // namespace kimi::runtime
