// Which tensors a checkpoint of a given config.json holds, and how each is filled. The same list as checkpoint.py.
// Thread rule: values.
#pragma once

#include "runtime/base/Status.h"

#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace kimi::golden {

/// What of a weight one stored tensor holds. A quantised weight is stored in two or three.
enum class StoredPart { bf16, f32, fp8Codes, fp8Scales, int4Codes, int4Scales, int4Shape };

/// One tensor of the checkpoint. Element i of the weight is offset + scale · sum, where the rows from `tailRow` on take
/// `tailScale`.
struct TensorPlan {
  std::string name;           // the weight's, of which the numbers depend
  std::vector<int64_t> shape; // the weight's
  StoredPart part = StoredPart::bf16;
  float offset = 0;
  float scale = 0;
  float tailScale = 0;
  int64_t tailRow = 0;

  int64_t numElements() const;
  std::string storedName() const;
  std::string_view storedType() const; // as safetensors spells it
  std::vector<int64_t> storedShape() const;
  int64_t sizeBytes() const;
};

/// Which weights a family stores quantised: "fp8" (all projections but those whose names end like one of `kept`),
/// "int4" (routed experts), or "".
struct QuantisedTraits {
  std::string kind;
  std::vector<std::string> kept;
};

/// All tensors in the order in which they are stored.
Expected<std::vector<TensorPlan>> listTensors(const boost::json::object &config, const QuantisedTraits &traits);

} // namespace kimi::golden
