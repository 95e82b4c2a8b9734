// Which tensors a checkpoint of a given config.json holds, and how each is filled. The same list as tensors.py.
// Thread rule: values.
#pragma once

#include "runtime/base/Status.h"

#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace kimi::golden {

/// One tensor of the checkpoint. Element i is offset + scale · sum, where the rows from `tailRow` on take `tailScale`.
struct TensorPlan {
  std::string name;
  std::vector<int64_t> shape;
  bool isFloat32 = false;
  float offset = 0;
  float scale = 0;
  float tailScale = 0;
  int64_t tailRow = 0;

  int64_t numElements() const;
  int64_t sizeBytes() const { return numElements() * (isFloat32 ? 4 : 2); }
};

/// All tensors in the order in which they are stored.
Expected<std::vector<TensorPlan>> listTensors(const boost::json::object &config);

} // namespace kimi::golden
