// Skinny GEMM, part 2: the warps that feed the rings. Each runs ahead of the consumers as far as its ring is
// long. The first time round nothing has to be waited for: a barrier that is new passes for one whose odd
// phase is over.
namespace kimi {

// One thread. Weights are constants: this starts while the kernel's predecessors still run. Where it starts after
// them, the first tokens would queue behind all of these weights: they get about a microsecond to overtake.
template <class Shape>
__device__ __forceinline__ void loadWeights(unsigned shared, const TensorMap *map, const TensorMap *twinMap,
                                            const Place<Shape> &place) {
  using M = Memory<Shape>;
  const Barriers<Shape> barriers(shared);
  constexpr int width = 128 / sizeof(typename Shape::Weight); // elements in the 128 bytes of a swizzled row
  for (int index = 0; index < place.count; ++index) {
    const int stage = index % Shape::weightStages;
    const unsigned full = barriers.fullWeights(stage);
    if (Shape::successors == 1 && Shape::lead > 0 &&
        index == (place.count > Shape::lead ? place.count - Shape::lead : 0))
      letSuccessorsStart();
    if (Shape::weightsFirst > 0 && index == Shape::weightsFirst)
      waitBarrierBriefly(barriers.fullTokens(0), 0, 2000);
    waitBarrier(barriers.emptyWeights(stage), index / Shape::weightStages & 1 ^ 1);
    arriveExpecting(full, M::weightChunk);
#pragma unroll
    for (int box = 0; box < chunkDepth / width; ++box) {
      const unsigned target = shared + M::weights + stage * M::weightChunk + box * M::rows * 128;
      const int k = (place.firstChunk + index) * chunkDepth + box * width;
      loadBox(target, map, k, place.weightRow(0), full, evictFirst);
      if constexpr (M::twins)
        loadBox(target + M::weightRows * 128, twinMap, k, place.weightRow(0), full, evictFirst);
    }
  }
  if (Shape::successors == 1 && Shape::lead == 0)
    letSuccessorsStart();
}

// One thread, after the wait for predecessors.
template <class Shape>
__device__ __forceinline__ void loadTokens(unsigned shared, const TensorMap *map, const Place<Shape> &place) {
  using M = Memory<Shape>;
  const Barriers<Shape> barriers(shared);
  constexpr int width = 128 / sizeof(typename Shape::Token);
  for (int index = 0; index < place.count; ++index) {
    const int stage = index % Shape::tokenStages;
    const unsigned full = barriers.fullTokens(stage);
    waitBarrier(barriers.emptyTokens(stage), index / Shape::tokenStages & 1 ^ 1);
    arriveExpecting(full, M::tokenChunk);
#pragma unroll
    for (int box = 0; box < chunkDepth / width; ++box)
      loadBox(shared + M::tokens + stage * M::tokenChunk + box * Shape::tokenTile * 128, map,
              (place.firstChunk + index) * chunkDepth + box * width, place.token, full, evictLast);
  }
}

// One warp, before the wait: scales of the weights' 128 x 128 blocks, [scale tile][chunk].
template <class Shape>
__device__ __forceinline__ void loadWeightScales(unsigned char *shared, const float *scales,
                                                 const float *twinScales, const Place<Shape> &place) {
  using M = Memory<Shape>;
  float *destination = reinterpret_cast<float *>(shared + M::weightScales);
  for (int index = threadIdx.x % 32; index < M::scaleTiles * place.count; index += 32) {
    const int tile = index / place.count, chunk = index % place.count;
    const int row = place.weightRow(tile * M::scaleRows);
    const float *source = M::twins && tile * M::scaleRows >= M::weightRows ? twinScales : scales;
    if (row < Shape::columns / (M::twins ? 2 : 1))
      destination[tile * M::mostChunks + chunk] =
          source[Shape::scaleRow(row) * M::chunks + place.firstChunk + chunk];
  }
}

// One warp, after the wait: scales of the activations, [token][chunk of the whole depth] in memory,
// [stage][token] in the ring. Copies that nobody waits for, as far ahead as the tokens themselves.
template <class Shape>
__device__ __forceinline__ void loadTokenScales(unsigned shared, const float *scales,
                                                const Place<Shape> &place, int tokens) {
  using M = Memory<Shape>;
  const Barriers<Shape> barriers(shared);
  for (int index = 0; index < place.count; ++index) {
    const int stage = index % Shape::tokenStages;
    waitBarrier(barriers.emptyTokens(stage), index / Shape::tokenStages & 1 ^ 1);
#pragma unroll
    for (int first = 0; first < Shape::tokenTile; first += 32)
      if (const int token = first + threadIdx.x % 32; token < Shape::tokenTile && place.token + token < tokens)
        copyWord(shared + M::tokenScales + (stage * Shape::tokenTile + token) * 4, // beyond: what nobody stores
                 scales + (place.token + token) * M::chunks + place.firstChunk + index);
    arriveAfterCopies(barriers.fullTokens(stage));
  }
}

// Four warps, after the wait: activations through registers and the prologue, for bf16. Swizzled as the copy
// engine would.
template <class Shape, class Prologue>
__device__ __forceinline__ void transformTokens(unsigned char *shared, const Bf16 *source, int tokens,
                                                const Place<Shape> &place, const Prologue &prologue) {
  using M = Memory<Shape>;
  constexpr int pieces = Shape::tokenTile / 8; // of 8 values, per thread and chunk
  const Barriers<Shape> barriers(sharedAddress(shared));
  const int thread = threadIdx.x % 128, piece = thread % 16; // 16 threads per token
  for (int index = 0; index < place.count; ++index) {
    const int stage = index % Shape::tokenStages, k = (place.firstChunk + index) * chunkDepth + 8 * piece;
    uint4 raw[pieces];
#pragma unroll
    for (int part = 0; part < pieces; ++part) {
      const int token = place.token + thread / 16 + 8 * part;
      raw[part] =
          token < tokens && k < Shape::depth
              ? *reinterpret_cast<const uint4 *>(source + static_cast<long long>(token) * Shape::depth + k)
              : uint4{0, 0, 0, 0};
    }
    waitBarrier(barriers.emptyTokens(stage), index / Shape::tokenStages & 1 ^ 1);
#pragma unroll
    for (int part = 0; part < pieces; ++part) {
      const int token = thread / 16 + 8 * part;
      unsigned words[4] = {raw[part].x, raw[part].y, raw[part].z, raw[part].w};
      if (place.token + token < tokens && k < Shape::depth)
#pragma unroll
        for (int word = 0; word < 4; ++word)
          words[word] =
              toBf16Pair(prologue(place.token + token, k + 2 * word, __uint_as_float(words[word] << 16)),
                         prologue(place.token + token, k + 2 * word + 1, __uint_as_float(words[word] & 0xffff0000u)));
      *reinterpret_cast<uint4 *>(
          shared + M::tokens + stage * M::tokenChunk + (piece / 8 * Shape::tokenTile + token) * 128 +
          ((piece % 8 ^ token % 8) << 4)) = uint4{words[0], words[1], words[2], words[3]};
    }
    fenceAsyncProxy();
    arrive(barriers.fullTokens(stage));
  }
}

} // namespace kimi
