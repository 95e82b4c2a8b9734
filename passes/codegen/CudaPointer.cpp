#include "passes/codegen/CudaPointer.h"

using namespace mlir;

namespace kimi::passes {

using Texts = llvm::ArrayRef<std::string>;

/// A product; of two numbers, a number: C++ would multiply literals as int.
static std::string product(const std::string &a, const std::string &b) {
  int64_t x, y;
  if (!StringRef(a).getAsInteger(10, x) && !StringRef(b).getAsInteger(10, y))
    return std::to_string(x * y);
  if (a == "0" || b == "0")
    return "0";
  if (a == "1")
    return b;
  return b == "1" ? a : a + " * " + b;
}

CudaPointer CudaPointer::contiguous(std::string name, CudaTexts sizes) {
  CudaPointer result{std::move(name), std::move(sizes), {}};
  result.strides.resize(result.sizes.size());
  std::string stride = "1";
  for (size_t i = result.sizes.size(); i-- > 0;) {
    result.strides[i] = stride;
    stride = product(stride, result.sizes[i]);
  }
  return result;
}

std::string CudaPointer::offset(Texts indices) const {
  std::string total;
  for (auto [index, stride] : llvm::zip_equal(indices, strides))
    if (std::string term = product(index, stride); term != "0")
      total += total.empty() ? term : " + " + term;
  return total.empty() ? "0" : total;
}

CudaPointer CudaPointer::part(std::string pointer, Texts partSizes, Texts steps,
                              const llvm::SmallBitVector &dropped) const {
  CudaPointer result{std::move(pointer), {}, {}};
  for (size_t dim = 0; dim < strides.size(); ++dim) {
    if (dropped.test(dim))
      continue;
    result.sizes.push_back(partSizes[dim]);
    result.strides.push_back(product(strides[dim], steps[dim]));
  }
  return result;
}

CudaPointer CudaPointer::expanded(ArrayRef<ReassociationIndices> groups, Texts newSizes) const {
  CudaPointer result{name, CudaTexts(newSizes), CudaTexts(newSizes.size())};
  for (auto [from, group] : llvm::enumerate(groups)) {
    std::string stride = strides[from];
    for (int64_t dim : llvm::reverse(group)) {
      result.strides[dim] = stride;
      stride = product(stride, newSizes[dim]);
    }
  }
  return result;
}

CudaPointer CudaPointer::collapsed(ArrayRef<ReassociationIndices> groups) const {
  CudaPointer result{name, {}, {}};
  for (const ReassociationIndices &group : groups) {
    std::string size = "1";
    for (int64_t dim : group)
      size = product(size, sizes[dim]);
    result.sizes.push_back(size);
    result.strides.push_back(group.empty() ? "1" : strides[group.back()]);
  }
  return result;
}

} // namespace kimi::passes
