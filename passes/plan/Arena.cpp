#include "passes/plan/Arena.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

namespace kimi::passes {

static int64_t align(int64_t offset, int64_t alignment) {
  return static_cast<int64_t>(llvm::alignTo(static_cast<uint64_t>(offset), static_cast<uint64_t>(alignment)));
}

/// The lowest offset where `buffer` meets none of `placed`.
static int64_t firstFit(const Buffer &buffer, llvm::ArrayRef<const Buffer *> placed) {
  llvm::SmallVector<const Buffer *> rivals;
  for (const Buffer *other : placed)
    if (buffer.first <= other->last && other->first <= buffer.last)
      rivals.push_back(other);
  llvm::stable_sort(rivals, [](const Buffer *a, const Buffer *b) { return *a->offset < *b->offset; });
  int64_t offset = 0;
  for (const Buffer *rival : rivals) {
    if (offset + buffer.bytes <= *rival->offset)
      break;
    offset = std::max(offset, align(*rival->offset + rival->bytes, buffer.alignment));
  }
  return offset;
}

int64_t placeBuffers(llvm::MutableArrayRef<Buffer> buffers) {
  llvm::SmallVector<Buffer *> order;
  llvm::SmallVector<const Buffer *> placed;
  for (Buffer &buffer : buffers) {
    if (buffer.offset)
      placed.push_back(&buffer);
    else
      order.push_back(&buffer);
  }
  // Large ones first: small ones fill the gaps they leave. Among equals in program order, so that plans are the same
  // from run to run.
  llvm::stable_sort(order, [](const Buffer *a, const Buffer *b) { return a->bytes > b->bytes; });
  for (Buffer *buffer : order) {
    buffer->offset = firstFit(*buffer, placed);
    placed.push_back(buffer);
  }
  int64_t end = 0;
  for (const Buffer &buffer : buffers)
    end = std::max(end, *buffer.offset + buffer.bytes);
  return align(end, plan::kArenaAlignment);
}

} // namespace kimi::passes
