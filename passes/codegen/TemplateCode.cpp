#include "passes/codegen/TemplateCode.h"

#include "compiler/kernels/cuda/SkinnyGemmAmpere.h"
#include "passes/codegen/SkinnyEpilogue.h"
#include "passes/select/Overrides.h"
#include "passes/select/SkinnyGemm.h"

using namespace mlir;
using kimi::kernel::ExtentAttr;
using kimi::kernel::FuncOp;

namespace kimi::passes {

namespace {

/// The names of all arguments in the kernel's own order: the template's for its operands, b3 for the others.
std::vector<std::string> argumentOrder(FuncOp kernel, const SkinnyProduct &product) {
  std::vector<std::string> order;
  for (unsigned number = 0; number < kernel.getNumArguments() + kernel.getNumResults(); ++number)
    order.push_back(number == product.weight                                ? "weight"
                    : number == product.activations                         ? "activations"
                    : number == product.weightScales                        ? "weightScales"
                    : number == product.tokenScales                         ? "tokenScales"
                    : product.twin && number == product.twin->weight        ? "twinWeight"
                    : product.twin && number == product.twin->scales        ? "twinScales"
                                                                            : bufferName(number));
  return order;
}

/// Maps of the template are the weights', then the activations'.
ArrayAttr tensorMaps(FuncOp kernel, const SkinnyProduct &product, ArrayRef<cuda::SkinnyMap> maps) {
  constexpr int64_t kSwizzle = 128;
  Builder b(kernel.getContext());
  SmallVector<Attribute> attributes;
  for (auto [number, map] : llvm::enumerate(maps)) {
    bool isWeight = number + 1 < maps.size();
    unsigned argument = !isWeight ? product.activations : number == 0 ? product.weight : product.twin->weight;
    auto one = [&](int64_t size) { return ExtentAttr::get(b.getContext(), kernel::DimSymbol::one, size); };
    auto rows = isWeight ? one(map.shape[1]) : ExtentAttr::get(b.getContext(), product.rows);
    attributes.push_back(kernel::TensorMapAttr::get(b.getContext(), argument,
                                                    getElementTypeOrSelf(kernel.getArgumentTypes()[argument]),
                                                    b.getArrayAttr({one(map.shape[0]), rows}),
                                                    b.getDenseI64ArrayAttr(map.stride),
                                                    b.getDenseI64ArrayAttr({map.box[0], map.box[1]}), kSwizzle));
  }
  return attributes.empty() ? ArrayAttr() : b.getArrayAttr(attributes);
}

/// A problem, parameters and an epilogue that fit: text and launch for either architecture.
struct Variant {
  cuda::SkinnyProblem problem;
  cuda::SkinnyParameters parameters;
  cuda::Splice epilogue;
  bool isAmpere;

  llvm::Error check() const {
    return isAmpere ? cuda::checkSkinnyAmpere(problem, parameters, epilogue)
                    : cuda::checkSkinny(problem, parameters, {}, epilogue);
  }
  cuda::SkinnyLaunch launch() const {
    return isAmpere ? cuda::skinnyLaunchAmpere(problem, parameters) : cuda::skinnyLaunch(problem, parameters, {});
  }
  std::string text(StringRef name, ArrayRef<std::string> order) const {
    return isAmpere ? cuda::skinnyTextAmpere(name, problem, parameters, epilogue, order)
                    : cuda::skinnyText(name, problem, parameters, {}, epilogue, order);
  }
};

FailureOr<TemplateCode> writeSkinny(FuncOp kernel, const CudaTarget &target) {
  llvm::Expected<SkinnyProduct> product = findSkinnyProduct(kernel);
  if (!product)
    return kernel.emitError() << llvm::toString(product.takeError());
  auto parameters = fromAttribute(kernel.getImplAttr().getParameters());
  if (!parameters)
    return kernel.emitError() << "kernel '" << kernel.getSymName() << "': " << llvm::toString(parameters.takeError());
  FailureOr<cuda::Splice> epilogue = writeSkinnyEpilogue(kernel, *product);
  if (failed(epilogue))
    return failure();
  Variant variant{product->problem(parameters->first), parameters->second, *epilogue, !target.isHopper()};
  if (llvm::Error error = variant.check())
    return kernel.emitError() << "kernel '" << kernel.getSymName() << "': " << llvm::toString(std::move(error));
  cuda::SkinnyLaunch launch = variant.launch();
  // The architectures differ in who waits for the predecessor: sm_90a's text does so itself.
  auto attribute = kernel::LaunchAttr::get(kernel.getContext(), launch.threads, launch.sharedBytes, launch.cluster,
                                           /*programmatic=*/!variant.isAmpere,
                                           tensorMaps(kernel, *product, launch.maps));
  return TemplateCode{variant.text(kernel.getSymName(), argumentOrder(kernel, *product)), attribute, launch.grid};
}

} // namespace

bool isTemplate(FuncOp kernel) { return kernel.getImplAttr() && kernel.getImplAttr().getName().getValue() != kGenerated; }

FailureOr<TemplateCode> writeTemplate(FuncOp kernel, const CudaTarget &target) {
  StringRef name = kernel.getImplAttr().getName().getValue();
  if (name == kSkinnyGemm)
    return writeSkinny(kernel, target);
  return kernel.emitError() << "kernel '" << kernel.getSymName() << "': " << target.name() << " has no implementation '"
                            << name << "'; it has " << kGenerated << ", " << kSkinnyGemm << " and " << kCublasLt;
}

} // namespace kimi::passes
