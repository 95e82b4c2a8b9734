// Kernels that a CUDA template implements: its text, with what surrounds the product spliced in.
#pragma once

#include "dialects/kernel/Kernel.h"
#include "passes/Target.h"

#include <string>

namespace kimi::passes {

struct TemplateCode {
  std::string source; // after prelude.cuh
  kernel::LaunchAttr launch;
  int64_t tasks; // blocks of every launch
};

/// Whether `kernel`'s implementation is no `generated`.
bool isTemplate(kernel::FuncOp kernel);

/// The text of `kernel` for `target`, by its #kernel.impl. An error at the kernel: an implementation that the target
/// does not have, parameters it does not accept, or a body that it cannot serve.
mlir::FailureOr<TemplateCode> writeTemplate(kernel::FuncOp kernel, const CudaTarget &target);

} // namespace kimi::passes
