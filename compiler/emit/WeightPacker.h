// From checkpoint elements to artifact bytes: widened, rearranged, streamed in pieces of a few megabytes, so that
// memory stays small whatever the weight's size. Thread rule: a packer belongs to one thread.
#pragma once

#include "compiler/emit/Files.h"
#include "compiler/emit/WeightSource.h"

namespace kimi::emit {

/// Receives source bytes (before) or packed bytes (after), in order.
using Sink = llvm::function_ref<llvm::Error(llvm::ArrayRef<char>)>;

class WeightPacker {
public:
  /// `files` are those of the checkpoint, open.
  WeightPacker(plan::WeightOp weight, const WeightSource &source, llvm::ArrayRef<InputFile> files);

  /// Streams the source once: its bytes to `seeSource`, what becomes of them to `writePacked`; either may be null.
  llvm::Error stream(Sink seeSource, Sink writePacked);

private:
  llvm::Error read(const SourceRun &run, uint64_t done, uint64_t elements, Sink seeSource);
  void pack(llvm::ArrayRef<char> piece);

  const WeightSource &source;
  std::optional<model::QuantisedPart> part; // of a quantised weight
  llvm::ArrayRef<InputFile> files;
  uint64_t sourceElementBytes, elementBytes;
  uint64_t columns = 0; // of a panel: K; 0 = row-major
  uint64_t width = 0;   // rows of a panel
  uint64_t pieceElements = 0;
  std::vector<char> input, spread, widened, packed;
};

} // namespace kimi::emit
