#include "passes/select/LibraryProduct.h"

#include "passes/select/PeelProduct.h"
#include "passes/select/Templates.h"

using namespace mlir;
using kimi::kernel::FuncOp;

namespace kimi::passes {

namespace {

// Rows of all operands begin at multiples of 16 bytes: what tensor cores' copies need.
constexpr int64_t kElementsOf16Bytes = 8;

llvm::Error refuse(FuncOp kernel, const Twine &why) {
  return llvm::createStringError("kernel '" + kernel.getSymName() + "': cublaslt " + why);
}

/// y[t, n] = bf16(x[t, n])
bool isRounding(linalg::GenericOp op) {
  auto rounding = op.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::TruncFOp>();
  return op.getNumDpsInputs() == 1 && op.getNumResults() == 1 && op.getNumReductionLoops() == 0 && rounding &&
         rounding.getIn() == op.getBody()->getArgument(0) && rounding.getType().isBF16() &&
         llvm::all_of(op.getIndexingMapsArray(), [](AffineMap map) { return map.isIdentity(); });
}

/// "add_round_96": what is left of linear_add_round_96x256 without its product.
std::string nameOfRest(FuncOp kernel, int64_t columns) {
  SmallVector<StringRef> rest = operationsOf(kernel);
  llvm::erase(rest, "linear");
  return (rest.empty() ? "rest" : joinedNames(rest)) + "_" + std::to_string(columns);
}

class Splitter {
public:
  explicit Splitter(ModuleOp module) : module(module), symbols(module) {}

  void run() {
    SmallVector<FuncOp> others;
    for (auto kernel : module.getOps<FuncOp>())
      if (isLibraryCall(kernel)) {
        SmallVector<SkinnyProduct> found = findSkinnyProducts(kernel);
        if (found.size() == 1 && isWholeKernel(kernel, found[0]))
          products.try_emplace(textOf(kernel), kernel);
        else
          others.push_back(kernel);
      }
    for (FuncOp kernel : others)
      split(kernel);
  }

private:
  void split(FuncOp kernel) {
    kernel::ImplAttr library = kernel.getImplAttr();
    kernel.removeImplAttr();
    SmallVector<SkinnyProduct> found = findSkinnyProducts(kernel);
    std::string rest = nameOfRest(kernel, found.back().columns);
    for (; !found.empty(); found = findSkinnyProducts(kernel)) { // arguments have other numbers after each
      std::string name = "linear_" + std::to_string(found[0].columns) + "x" + std::to_string(found[0].depth);
      FuncOp peeled = peelProduct(module, kernel, found[0], symbols);
      peeled.setImplAttr(library);
      share(peeled, name);
    }
    rename(kernel, rest);
  }

  static std::string textOf(FuncOp kernel) {
    std::string own = kernel.getSymName().str(), text;
    kernel.setSymName("product");
    llvm::raw_string_ostream(text) << kernel;
    kernel.setSymName(own);
    return text;
  }

  /// Calls of `peeled` become those of an equal product that is there already.
  void share(FuncOp peeled, const std::string &name) {
    auto [found, isNew] = products.try_emplace(textOf(peeled), peeled);
    if (isNew)
      return rename(peeled, name);
    if (failed(SymbolTable::replaceAllSymbolUses(peeled, found->second.getSymNameAttr(), module)))
      llvm_unreachable("the module holds all uses");
    symbols.erase(peeled);
  }

  /// NAME_over128, with a number where that is taken.
  void rename(FuncOp kernel, std::string name) {
    name += kOverTemplates;
    for (unsigned number = 2; symbols.lookup(name); ++number)
      name = name.substr(0, name.rfind(kOverTemplates)) + kOverTemplates.str() + "_v" + std::to_string(number);
    if (failed(symbols.rename(kernel, name)))
      llvm_unreachable("the name is free");
  }

  ModuleOp module;
  SymbolTable symbols;
  llvm::StringMap<FuncOp> products; // by text without the name
};

} // namespace

bool isLibraryCall(FuncOp kernel) { return kernel.getImplAttr() && kernel.getImplAttr().getName().getValue() == kCublasLt; }

llvm::Expected<SmallVector<SkinnyProduct>> findLibraryProducts(FuncOp kernel) {
  SmallVector<SkinnyProduct> products = findSkinnyProducts(kernel);
  if (products.empty())
    return refuse(kernel, "takes products x[t, k] * w[n, k], row-major; here is none");
  for (const SkinnyProduct &product : products) {
    if (product.format != cuda::SkinnyFormat::bf16xBf16)
      return refuse(kernel, "multiplies bf16 by bf16 only, not codes with scales");
    if (!kernel.getArgAttr(product.weight, kernel::kWeightAttr))
      return refuse(kernel, "multiplies by weights, and argument " + Twine(product.weight) + " is none");
    if (product.columns % kElementsOf16Bytes != 0 || product.depth % kElementsOf16Bytes != 0)
      return refuse(kernel, "wants rows of whole 16 bytes: " + Twine(product.columns) + " columns and depth " +
                                Twine(product.depth) + " are not both multiples of 8");
  }
  return products;
}

llvm::Expected<SkinnyProduct> findLibraryProduct(FuncOp kernel) {
  llvm::Expected<SmallVector<SkinnyProduct>> products = findLibraryProducts(kernel);
  if (!products)
    return products.takeError();
  if (products->size() > 1)
    return refuse(kernel, "takes one product at a time; here are " + Twine(products->size()) + ": run select again");
  return products->front();
}

bool isWholeKernel(FuncOp kernel, const SkinnyProduct &product) {
  if (kernel.getNumResults() != 1)
    return false;
  Value result = kernel.getBody().front().getTerminator()->getOperand(0);
  auto last = result.getDefiningOp<linalg::GenericOp>();
  if (last && last != product.op && isRounding(last))
    last = last.getDpsInputs()[0].getDefiningOp<linalg::GenericOp>();
  return last && last == product.op;
}

// What cuBLAS itself takes by default on these architectures (cuBLAS library, CUBLAS_WORKSPACE_CONFIG).
int64_t libraryWorkspace(const CudaTarget &target) {
  constexpr int64_t kMiB = 1 << 20;
  return target.architecture() == "sm_90a" ? 32 * kMiB : 4 * kMiB;
}

void splitLibraryCalls(ModuleOp module) { Splitter(module).run(); }

} // namespace kimi::passes
