// The random draw of kimi.sample.
#include "dialects/kimi/KimiSampleBody.h"

using namespace mlir;
using kimi::kernel::BodyBuilder;

namespace kimi::model {

Value drawToken(BodyBuilder &body, const SampleRow &row, Value z, Value temperature) { return firstLargest(body, z); }

} // namespace kimi::model
