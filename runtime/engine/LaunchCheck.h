// What a plan must say of kernels that run on a GPU, beside what it says of every kernel.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/engine/Dims.h"

namespace kimi::runtime {

/// Threads, cluster and the shapes of tensor maps. Errors name kernel, value and limit.
Status checkCudaKernel(const artifact::Kernel &kernel);

/// A kernel with a product: a library that there is, types and sizes that it can have. Errors as above.
Status checkProduct(const artifact::Kernel &kernel);

/// One launch of an entry in a layer: whole clusters; tensor maps over arguments that are there, hold what
/// the map spans, whatever the size of the cache, and lie on 16 bytes; a product's arguments are there and
/// hold its matrices. Its arguments and its kernel have been checked; `dims` are a full step's with the largest cache.
Status checkCudaLaunch(const artifact::Plan &plan, const artifact::Rank &rank, const artifact::Entry &entry,
                       const artifact::Launch &launch, uint32_t layer, const Dims &dims);

} // namespace kimi::runtime
