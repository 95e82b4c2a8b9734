// What skinny_gemm_bench reads of a compiled variant, and its operands on the device.
#pragma once

#include "tests/gpu/Driver.h"

#include <memory>
#include <string>
#include <vector>

namespace kimi::gpu {

struct MapRow {
  int argument, elementBytes;
  long long shape[2], stride;
  int box[2];
};

/// A line of kernels.txt (skinny_gemm_cubins writes it).
struct Variant {
  std::string purpose, file, format, prologue, epilogue, label;
  int columns, depth, tokens;
  Kernel kernel;
  std::vector<MapRow> maps;

  bool tokensAreE4m3() const { return format == "w8a8"; }
  bool weightsAreE4m3() const { return format != "bf16"; }
  /// Two weights of columns / 2 rows each, one behind the other.
  bool hasTwins() const { return epilogue.starts_with("twin_"); }
  /// Of the weights one behind the other, the row that is column `column` of the product.
  int rowOf(int column) const { return hasTwins() ? column % 2 * (columns / 2) + column / 2 : column; }
  /// Of the scales of both, the one of row `row`.
  int scaleRowOf(int row) const {
    const int first = columns / 2;
    return hasTwins() && row >= first ? (first + 127) / 128 + (row - first) / 128 : row / 128;
  }
  int chunks() const { return (depth + 127) / 128; }
  size_t weightBytes() const { return static_cast<size_t>(columns) * depth * (weightsAreE4m3() ? 1 : 2); }
  size_t tokenBytes() const {
    return static_cast<size_t>(depth) * (tokensAreE4m3() ? 1 : 2);
  } ///< of one token
};

/// Says what is wrong, and ends the program.
[[noreturn]] void fail(const std::string &message);

/// The variants of DIR/kernels.txt; ends the program where there is none, or one that it cannot read.
std::vector<Variant> readVariants(const std::string &folder);

/// Random data for one shape and format: 128 tokens, `copies` of the weight, each other values.
struct Operands {
  Operands(const Kernel &fill, const Variant &shape, int copies);

  std::vector<std::unique_ptr<Buffer>> weights;
  Buffer weightScales, tokens, tokenScales, factors, addend, scaleRows, dims;
  Buffer usedTokens, usedTokenScales; ///< what a run sees: rows beyond its tokens are poisoned
  Buffer out, extra;

  void use(const Variant &variant, int count);
};

/// One launch of `variant` on weight copy `copy`.
class Call {
public:
  Call(const Variant &variant, const Operands &operands, int copy);
  void launchOn(CUstream stream, bool programmatic) const;

private:
  const Variant &variant;
  std::vector<CUdeviceptr> pointers;
  std::vector<CUtensorMap> maps;
};

/// Runs all check variants of `variants`; returns how many failed.
int checkAll(const std::string &folder, const std::vector<Variant> &variants);
/// Times all others and prints the table; `alsoPlain`: without programmatic dependent launch, too.
void timeAll(const std::string &folder, const std::vector<Variant> &variants, bool alsoPlain);

} // namespace kimi::gpu
