// kimi-peel-products: kernels of several products become kernels of one, where a template could serve them.
#include "passes/select/Overrides.h"
#include "passes/select/Passes.h"
#include "passes/select/PeelProduct.h"
#include "passes/select/Templates.h"

namespace kimi::passes {
#define GEN_PASS_DEF_PEELPRODUCTS
#include "passes/select/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using kimi::kernel::FuncOp;
using kimi::passes::SkinnyProduct;

namespace {

/// Whether a template takes all products at once, with what follows them.
bool isServedWhole(FuncOp kernel) {
  llvm::Expected<SkinnyProduct> whole = kimi::passes::findSkinnyProduct(kernel);
  if (!whole)
    llvm::consumeError(whole.takeError());
  return bool(whole);
}

struct PeelProducts : kimi::passes::impl::PeelProductsBase<PeelProducts> {
  void runOnOperation() override {
    auto target = kimi::passes::Target::of(getOperation());
    if (failed(target))
      return signalPassFailure();
    auto templates = kimi::passes::templatesOf(getOperation(), **target);
    auto overrides = kimi::passes::Overrides::of(getOperation(), kimi::passes::implementationsOf(templates));
    if (failed(overrides))
      return signalPassFailure();
    SymbolTable symbols(getOperation());
    for (auto kernel : llvm::to_vector(getOperation().getOps<FuncOp>())) {
      bool isWanted = llvm::any_of(templates, [&](auto &tuned) { return kimi::passes::isAllowed(*tuned, kernel, *overrides); });
      SmallVector<SkinnyProduct> products = isWanted ? kimi::passes::findSkinnyProducts(kernel) : SmallVector<SkinnyProduct>();
      if (products.size() < 2 || isServedWhole(kernel))
        continue;
      for (const SkinnyProduct &product : ArrayRef(products).drop_back())
        kimi::passes::peelProduct(getOperation(), kernel, product, symbols);
    }
  }
};

} // namespace
