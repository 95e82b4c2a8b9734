#include "passes/select/SkinnyGemm.h"

#include "compiler/kernels/cuda/SkinnyGemmAmpere.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace kimi::passes {

namespace {

using Member = int cuda::SkinnyParameters::*;

constexpr std::pair<const char *, Member> kMembers[] = {
    {"token_tile", &cuda::SkinnyParameters::tokenTile},       {"row_tiles", &cuda::SkinnyParameters::rowTiles},
    {"depth_groups", &cuda::SkinnyParameters::depthGroups},   {"split", &cuda::SkinnyParameters::split},
    {"weight_stages", &cuda::SkinnyParameters::weightStages}, {"token_stages", &cuda::SkinnyParameters::tokenStages},
    {"accumulators", &cuda::SkinnyParameters::accumulators},  {"successors", &cuda::SkinnyParameters::successors},
    {"residency", &cuda::SkinnyParameters::residency},        {"token_rows", &cuda::SkinnyParameters::tokenRows},
    {"token_blocks", &cuda::SkinnyParameters::tokenBlocks},   {"weights_first", &cuda::SkinnyParameters::weightsFirst},
    {"lead", &cuda::SkinnyParameters::lead}};
static_assert(std::size(kMembers) * sizeof(int) == sizeof(cuda::SkinnyParameters), "every parameter is an attribute");

llvm::Expected<int64_t> readNumber(DictionaryAttr attribute, StringRef name) {
  auto number = attribute.getAs<IntegerAttr>(name);
  if (!number)
    return llvm::createStringError("skinny_gemm has no parameter '" + name + "', an integer: run select again");
  return number.getInt();
}

} // namespace

llvm::Expected<cuda::SkinnyParameters> chooseSkinny(const CudaTarget &target, const cuda::SkinnyProblem &problem,
                                                    const cuda::Splice &epilogue) {
  if (!target.isHopper())
    return cuda::chooseSkinnyAmpere(problem, {}, epilogue);
  return cuda::chooseSkinny(problem, {}, epilogue, static_cast<int>(target.multiprocessors()));
}

DictionaryAttr toAttribute(MLIRContext *context, int64_t rows, const cuda::SkinnyParameters &parameters) {
  Builder b(context);
  SmallVector<NamedAttribute> attributes = {b.getNamedAttr("rows", b.getI64IntegerAttr(rows))};
  for (auto [name, member] : kMembers)
    attributes.push_back(b.getNamedAttr(name, b.getI64IntegerAttr(parameters.*member)));
  return b.getDictionaryAttr(attributes);
}

llvm::Expected<std::pair<int64_t, cuda::SkinnyParameters>> fromAttribute(DictionaryAttr attribute) {
  cuda::SkinnyParameters parameters{};
  for (auto [name, member] : kMembers) {
    llvm::Expected<int64_t> number = readNumber(attribute, name);
    if (!number)
      return number.takeError();
    parameters.*member = static_cast<int>(*number);
  }
  llvm::Expected<int64_t> rows = readNumber(attribute, "rows");
  if (!rows)
    return rows.takeError();
  return std::pair(*rows, parameters);
}

} // namespace kimi::passes
