#include "dialects/plan/Plan.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace kimi::plan;
using kimi::kernel::DimSymbol;

#define GET_ATTRDEF_CLASSES
#include "dialects/plan/PlanAttrs.cpp.inc"

void PlanDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/plan/PlanAttrs.cpp.inc"
      >();
}

static std::optional<int64_t> sizeOf(CapacityAttr capacity, DimSymbol symbol) {
  switch (symbol) {
  case DimSymbol::one:
    return 1;
  case DimSymbol::tokens:
    return capacity.getTokens();
  case DimSymbol::sequences:
    return capacity.getSequences();
  case DimSymbol::logit_rows:
    return capacity.getLogitRows();
  case DimSymbol::table_blocks:
    return capacity.getTableBlocks();
  case DimSymbol::bias_entries:
    return capacity.getBiasEntries();
  case DimSymbol::penalty_entries:
    return capacity.getPenaltyEntries();
  case DimSymbol::cache_blocks:
  case DimSymbol::context_tokens:
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<int64_t> CapacityAttr::valueOf(kimi::kernel::ExtentAttr extent) const {
  std::optional<int64_t> size = sizeOf(*this, extent.getSymbol());
  if (!size || extent.getDivisor() <= 0 || extent.getMultiplier() < 0)
    return std::nullopt;
  __int128 product = static_cast<__int128>(*size) * extent.getMultiplier();
  __int128 value = (product + extent.getDivisor() - 1) / extent.getDivisor();
  if (value >> 62 != 0)
    return std::nullopt;
  return static_cast<int64_t>(value);
}
