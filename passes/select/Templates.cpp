#include "passes/select/Templates.h"

#include "dialects/kimi/Kimi.h"
#include "passes/select/LibraryProduct.h"
#include "passes/select/SkinnyGemm.h"
#include "passes/select/SkinnyProduct.h"

using namespace mlir;
using kimi::kernel::FuncOp;

namespace kimi::passes {

namespace {

/// compiler/kernels/cuda/SkinnyGemm.h
class SkinnyGemmTemplate : public Template {
public:
  explicit SkinnyGemmTemplate(const CudaTarget &target) : target(target) {}

  StringRef name() const override { return kSkinnyGemm; }

  StringRef reach() const override { return "entries of at most 128 rows"; }

  int64_t rowsServed(int64_t rows, model::EntryKind) const override {
    for (int64_t served : std::initializer_list<int64_t>{8, 16, 32, 64, kMostTemplateRows})
      if (rows <= served)
        return served;
    return 0;
  }

  llvm::Expected<DictionaryAttr> choose(FuncOp kernel, int64_t rows) const override {
    llvm::Expected<SkinnyProduct> product = findSkinnyProduct(kernel);
    if (!product)
      return product.takeError();
    for (unsigned weight : {product->weight, product->twin ? product->twin->weight : product->weight})
      if (!isWeight(kernel, weight))
        return llvm::createStringError("kernel '" + kernel.getSymName() + "': skinny_gemm reads its second factor before its "
                                       "predecessors have ended, but argument " + Twine(weight) + " is no weight");
    if (product->format == cuda::SkinnyFormat::e4m3xE4m3 && wantsFloat32(kernel))
      return llvm::createStringError("kernel '" + kernel.getSymName() + "': skinny_gemm sums products of e4m3 with fewer bits "
                                     "than f32, which this numeric profile asks for");
    llvm::Expected<cuda::SkinnyParameters> parameters = chooseSkinny(target, product->problem(rows), product->epilogue);
    if (!parameters)
      return llvm::createStringError("kernel '" + kernel.getSymName() + "': " + llvm::toString(parameters.takeError()));
    return toAttribute(kernel.getContext(), rows, *parameters);
  }

private:
  /// f32, w8a8-1x128-f32: profiles that serve as references.
  static bool wantsFloat32(FuncOp kernel) {
    auto numerics = kernel->getParentOfType<ModuleOp>()->getAttrOfType<StringAttr>(model::kNumericsAttr);
    return numerics && numerics.getValue().ends_with("f32");
  }

  static bool isWeight(FuncOp kernel, unsigned argument) {
    return bool(kernel.getArgAttr(argument, kernel::kWeightAttr));
  }

  CudaTarget target;
};

/// NVIDIA's library, for products of many rows. Decode entries are graphs, which hold kernels only.
class CublasLtCall : public Template {
public:
  explicit CublasLtCall(const CudaTarget &target) : target(target) {}

  StringRef name() const override { return kCublasLt; }
  StringRef reach() const override { return "mixed entries of more than 128 rows"; }
  bool isOnlyOnRequest() const override { return true; }

  int64_t rowsServed(int64_t rows, model::EntryKind kind) const override {
    return kind == model::EntryKind::mixed && rows > kMostTemplateRows ? kAnyRows : 0;
  }

  llvm::Expected<DictionaryAttr> choose(FuncOp kernel, int64_t) const override {
    auto products = findLibraryProducts(kernel);
    if (!products)
      return products.takeError();
    Builder b(kernel.getContext());
    return b.getDictionaryAttr(b.getNamedAttr("workspace", b.getI64IntegerAttr(libraryWorkspace(target))));
  }

private:
  CudaTarget target;
};

} // namespace

std::vector<std::unique_ptr<Template>> templatesOf(ModuleOp module, const Target &target) {
  std::vector<std::unique_ptr<Template>> templates;
  auto weights = module->getAttrOfType<StringAttr>(model::kWeightsAttr);
  bool isReference = weights && weights.getValue() == "reference";
  if (target.kind() != TargetKind::cuda || isReference)
    return templates;
  const auto &gpu = static_cast<const CudaTarget &>(target);
  templates.push_back(std::make_unique<SkinnyGemmTemplate>(gpu));
  templates.push_back(std::make_unique<CublasLtCall>(gpu));
  return templates;
}

bool isAllowed(const Template &tuned, FuncOp kernel, const Overrides &overrides) {
  return tuned.isOnlyOnRequest() ? overrides.asksFor(kernel, tuned.name()) : overrides.allow(kernel, tuned.name());
}

SmallVector<StringRef> implementationsOf(ArrayRef<std::unique_ptr<Template>> templates) {
  SmallVector<StringRef> names = {kGenerated};
  for (const auto &tuned : templates)
    names.push_back(tuned->name());
  return names;
}

} // namespace kimi::passes
