// How the operands of a sum can be read when each lane takes several neighbouring terms at once.
#pragma once

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace kimi::passes {

/// How an operand's element changes with the index of a loop, over a chunk of neighbouring indices that begins at a
/// multiple of its length.
struct AlongLoop {
  enum Kind {
    Same,   // one element for the whole chunk
    Vector, // neighbouring elements, aligned: chunk / divisor of them
    Each    // an element per index
  } kind;
  int64_t divisor = 1; // indices per element (values of 4 bits lie in pairs)
};

/// How many neighbouring indices of `loop` a lane should take at once: 16 bytes of the operand with the smallest elements;
/// 1 where the loop's length is not known or no multiple.
int64_t chunkOf(mlir::linalg::GenericOp op, unsigned loop);

/// How `operand` is read along `loop` in chunks of `chunk` indices.
AlongLoop alongLoop(mlir::linalg::GenericOp op, mlir::OpOperand &operand, unsigned loop, int64_t chunk);

} // namespace kimi::passes
