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
  std::string name;
  StringRef previous;
  for (StringRef op : operationsOf(kernel)) {
    if (op != previous && op != "linear")
      name += op.str() + "_";
    previous = op;
  }
  return (name.empty() ? "rest_" : name) + std::to_string(columns);
}

class Splitter {
public:
  explicit Splitter(ModuleOp module) : module(module), symbols(module) {}

  void run() {
    SmallVector<FuncOp> others;
    for (auto kernel : module.getOps<FuncOp>())
      if (isLibraryCall(kernel)) {
        if (isWholeKernel(kernel, productOf(kernel)))
          products.try_emplace(textOf(kernel), kernel);
        else
          others.push_back(kernel);
      }
    for (FuncOp kernel : others)
      split(kernel, productOf(kernel));
  }

private:
  static SkinnyProduct productOf(FuncOp kernel) {
    llvm::Expected<SkinnyProduct> product = findLibraryProduct(kernel);
    if (!product)
      llvm_unreachable("instantiateTemplates chose it");
    return *product;
  }

  void split(FuncOp kernel, const SkinnyProduct &product) {
    std::string sizes = std::to_string(product.columns) + "x" + std::to_string(product.depth);
    std::string rest = nameOfRest(kernel, product.columns);
    FuncOp peeled = peelProduct(module, kernel, product, symbols);
    peeled.setImplAttr(kernel.getImplAttr());
    kernel.removeImplAttr();
    share(peeled, "linear_" + sizes);
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

llvm::Expected<SkinnyProduct> findLibraryProduct(FuncOp kernel) {
  SmallVector<SkinnyProduct> products = findSkinnyProducts(kernel);
  if (products.size() != 1)
    return refuse(kernel, "takes one product x[t, k] * w[n, k], row-major; here are " + Twine(products.size()));
  const SkinnyProduct &product = products[0];
  if (product.format != cuda::SkinnyFormat::bf16xBf16)
    return refuse(kernel, "multiplies bf16 by bf16 only, not codes with scales");
  if (!kernel.getArgAttr(product.weight, kernel::kWeightAttr))
    return refuse(kernel, "multiplies by weights, and argument " + Twine(product.weight) + " is none");
  if (product.columns % kElementsOf16Bytes != 0 || product.depth % kElementsOf16Bytes != 0)
    return refuse(kernel, "wants rows of whole 16 bytes: " + Twine(product.columns) + " columns and depth " +
                              Twine(product.depth) + " are not both multiples of 8");
  return product;
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
