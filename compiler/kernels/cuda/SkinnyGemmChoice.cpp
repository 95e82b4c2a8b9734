// Which parameters a problem gets.
#include "compiler/kernels/cuda/SkinnyGemm.h"

namespace kimi::cuda {

llvm::Expected<SkinnyParameters> chooseSkinny(const SkinnyProblem &problem, const Splice &prologue, const Splice &epilogue,
                                              int multiprocessors) {
  SkinnyParameters parameters = {8, 1, 1, 1, 8, 8, 2, 0, 1};
  if (llvm::Error error = checkSkinny(problem, parameters, prologue, epilogue))
    return error;
  return parameters;
}

} // namespace kimi::cuda
