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

// What the fake writes into a tensor map.
struct Map {
  uint64_t address, rank, shape[5], typeAndSwizzle, strides[4];
  uint32_t box[8];
};
static void expect(int isSo) {
  if (!isSo)
    __builtin_trap();
}

// toy_add with its bias through a tensor map [hidden, tokens at capacity] over x and one [hidden] over the
// bias.
const uint32_t toy_mapped_add_parameters[] = {8, 8, 8, 128, 128, 0};
void toy_mapped_add(void **parameters, int64_t block) {
  const struct Map *biasMap = parameters[3], *xMap = parameters[4];
  expect(biasMap->address == *(uint64_t *)parameters[1] && biasMap->rank == 1 && biasMap->shape[0] == kHidden);
  expect(xMap->address == *(uint64_t *)parameters[2] && xMap->rank == 2 &&
         xMap->strides[0] == kHidden * sizeof(float));
  if (block >= DIM(kTokens))
    return;
  expect(block < (int64_t)xMap->shape[1]);
  const float *bias = onHost(biasMap->address);
  float *x = onHost(xMap->address + (uint64_t)block * xMap->strides[0]);
  for (int i = 0; i < kHidden; ++i)
    x[i] += bias[i];
}

// Task = token. activations[t] = 1, 0, 0, ... in bf16, 128 bytes
static void cpu_activate(void *const *buffers, const int64_t *dims, int64_t task) {
  uint16_t *row = (uint16_t *)buffers[0] + task * 64;
  for (int i = 0; i < 64; ++i)
    row[i] = i == 0 ? 0x3f80 : 0;
}
KERNEL(activate, 1, DIM(kTokens))

// Task = token. x[t] += sums[t], of a product
static void cpu_accumulate(void *const *buffers, const int64_t *dims, int64_t task) {
  (void)dims;
  const float *sums = (const float *)buffers[0] + task * kHidden;
  float *x = (float *)buffers[1] + task * kHidden;
  for (int i = 0; i < kHidden; ++i)
    x[i] += sums[i];
}
KERNEL(accumulate, 2, DIM(kTokens))

// As a skinny GEMM is launched. Grid [hidden], whatever the tokens. x[t][n] += sum over k of weights[n][k] *
// activations[t][k]: weights [hidden, 128] of e4m3 and activations [tokens, 64] of bf16 through maps whose boxes are 128
// bytes wide.
static float ofE4m3(uint8_t code) {
  expect(code % 128 == 0 || code % 128 == 0x38 || code % 128 == 0x40); // 0, 1, 2
  float size = code % 128 == 0 ? 0 : code % 128 == 0x38 ? 1 : 2;
  return code < 128 ? size : -size;
}
static void expectTile(const struct Map *map, uint64_t address, int type, uint64_t width, uint64_t rows) {
  expect(map->address == address && map->rank == 2 && map->typeAndSwizzle == ((uint64_t)type << 8 | 3));
  expect(map->shape[0] == width && map->shape[1] >= rows && map->strides[0] == 128 && map->box[0] == width);
}
const uint32_t toy_tiles_parameters[] = {8, 8, 8, 8, 128, 128, 0};
void toy_tiles(void **parameters, int64_t block) {
  const struct Map *weights = parameters[4], *activations = parameters[5];
  expectTile(weights, *(uint64_t *)parameters[1], 0, 128, kHidden);
  expectTile(activations, *(uint64_t *)parameters[2], 9, 64, DIM(kTokens));
  const uint8_t *row = onHost(weights->address + (uint64_t)block * weights->strides[0]);
  float *x = onHost(*(uint64_t *)parameters[3]);
  for (int64_t token = 0; token < DIM(kTokens); ++token) {
    const uint16_t *activation = onHost(activations->address + (uint64_t)token * activations->strides[0]);
    for (int k = 0; k < 64; ++k) {
      expect(activation[k] == 0 || activation[k] == 0x3f80);
      x[token * kHidden + block] += activation[k] ? ofE4m3(row[k]) : 0;
    }
  }
}
