#include "runtime/engine/PlanWalk.h"

#include <fmt/format.h>

namespace kimi::runtime {

std::string describePlace(const artifact::Rank &rank, const artifact::Entry &entry, size_t number) {
  size_t count = 0;
  std::string where;
  for (uint32_t i = 0; i < sizeOf(entry.steps()); ++i) {
    const artifact::Call *call = entry.steps()->Get(i)->kind_as_Call();
    const artifact::Block *block = call ? rank.blocks()->Get(call->block()) : nullptr;
    size_t launches = block ? sizeOf(block->steps()) : 1;
    if (call && number >= count && number < count + launches)
      where = fmt::format(" (block {}, layer {})", block->name()->string_view(), call->layer());
    count += launches;
  }
  return fmt::format("launch {} of {}{}", number + 1, count, where);
}

} // namespace kimi::runtime
