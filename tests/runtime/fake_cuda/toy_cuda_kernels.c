// The toy artifact's kernels for the fake CUDA driver: each takes the parameters of the CUDA ABI, leaves
// blocks past the end alone, and calls the CPU's kernel for its task.
#define toy_embedding cpu_embedding
#define toy_add cpu_add
#define toy_cache_write cpu_cache_write
#define toy_cache_read cpu_cache_read
#define toy_logits cpu_logits
#define toy_sample cpu_sample
#include "../toy_kernels.c"
#undef toy_embedding
#undef toy_add
#undef toy_cache_write
#undef toy_cache_read
#undef toy_logits
#undef toy_sample

// As in FakeCuda.h. A host address in a kernel's parameters is a mistake of the runtime's.
static void *onHost(uint64_t address) {
  const uint64_t deviceBit = (uint64_t)1 << 62;
  if (!(address & deviceBit))
    __builtin_trap();
  return (void *)(address & ~deviceBit);
}

static void run(void (*kernel)(void *const *, const int64_t *, int64_t), void **parameters, int numBuffers,
                int64_t tasks, int64_t block) {
  void *buffers[8];
  const int64_t *dims = onHost(*(uint64_t *)parameters[0]);
  for (int i = 0; i < numBuffers; ++i)
    buffers[i] = onHost(*(uint64_t *)parameters[i + 1]);
  if (block < tasks)
    kernel(buffers, dims, block);
}

#define DIM(symbol) (((const int64_t *)onHost(*(uint64_t *)parameters[0]))[symbol])
#define KERNEL(name, numBuffers, tasks)                                                                      \
  const uint32_t toy_##name##_parameters[] = {[0 ... numBuffers] = 8, 0};                                    \
  void toy_##name(void **parameters, int64_t block) { run(cpu_##name, parameters, numBuffers, tasks, block); }

KERNEL(embedding, 3, DIM(kTokens))
KERNEL(add, 2, DIM(kTokens))
KERNEL(cache_write, 3, DIM(kTokens))
KERNEL(cache_read, 5, DIM(kTokens))
KERNEL(logits, 4, DIM(kLogitRows) * kVocabulary)
KERNEL(sample, 3, DIM(kLogitRows))

// toy_add with its bias through a tensor map [hidden, tokens at capacity] over x and one [hidden] over the
// bias: what the fake writes into a map is address, rank, shape, strides.
const uint32_t toy_mapped_add_parameters[] = {8, 8, 8, 128, 128, 0};
void toy_mapped_add(void **parameters, int64_t block) {
  const uint64_t *biasMap = parameters[3], *xMap = parameters[4];
  if (biasMap[0] != *(uint64_t *)parameters[1] || biasMap[1] != 1 || biasMap[2] != kHidden)
    __builtin_trap();
  if (xMap[0] != *(uint64_t *)parameters[2] || xMap[1] != 2 || xMap[8] != kHidden * sizeof(float))
    __builtin_trap();
  if (block >= DIM(kTokens))
    return;
  if (block >= (int64_t)xMap[3])
    __builtin_trap();
  const float *bias = onHost(biasMap[0]);
  float *x = onHost(xMap[0] + (uint64_t)block * xMap[8]);
  for (int i = 0; i < kHidden; ++i)
    x[i] += bias[i];
}
