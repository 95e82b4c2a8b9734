// The dialects' enums as the schema's. Thread rule: pure functions.
#pragma once

#include "dialects/plan/Plan.h"
#include "runtime/schema/artifact_generated.h"

namespace kimi::emit {

artifact::DimSymbol toSchema(kernel::DimSymbol symbol);
artifact::StepInput toSchema(model::StepInput input);
artifact::StepOutput toSchema(model::StepOutput output);
artifact::EntryKind toSchema(model::EntryKind kind);
/// Of a type for which plan::isStorageType() holds.
artifact::DataType toSchema(mlir::Type type);
/// Of a span of 0, 32, 64 or 128 bytes.
artifact::Swizzle toSwizzle(int64_t bytes);

} // namespace kimi::emit
