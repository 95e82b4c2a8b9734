// Skinny GEMM, part 2: the warps that feed the rings. Each runs ahead of the consumers as far as its ring is long.
namespace kimi {

// One thread. Weights are constants: this starts while the kernel's predecessors still run. What does not fit into the ring is
// asked for into L2, `prefetch` chunks ahead of it.
template <class Shape>
__device__ __forceinline__ void loadWeights(unsigned shared, const TensorMap *map, const Place<Shape> &place) {
  using M = Memory<Shape>;
  const Barriers<Shape> barriers(shared);
  constexpr int width = 128 / sizeof(typename Shape::Weight); // elements in the 128 bytes of a swizzled row
  constexpr int parts = chunkDepth / width;
  int ahead = Shape::weightStages; // the next chunk to prefetch
  for (int index = 0; index < place.count; ++index) {
    const int stage = index % Shape::weightStages;
    if (index >= Shape::weightStages)
      waitBarrier(barriers.emptyWeights(stage), (index / Shape::weightStages - 1) & 1);
    arriveExpecting(barriers.fullWeights(stage), M::weightChunk);
    for (int part = 0; part < parts; ++part)
      loadBox(shared + M::weights + stage * M::weightChunk + part * M::rows * 128, map,
              (place.firstChunk + index) * chunkDepth + part * width, place.row, barriers.fullWeights(stage), evictFirst);
    if (Shape::prefetch > 0 && index >= Shape::weightStages - 1)
      for (; ahead < place.count && ahead <= index + Shape::prefetch; ++ahead)
        for (int part = 0; part < parts; ++part)
          prefetchBox(map, (place.firstChunk + ahead) * chunkDepth + part * width, place.row);
  }
}

template <class Shape> __device__ __forceinline__ void waitEmpty(unsigned barrier, unsigned parity) {
  if constexpr (Shape::share == 1)
    waitBarrier(barrier, parity);
  else
    waitBarrierCluster(barrier, parity);
}

// One thread, after the wait for predecessors. With `share` > 1 each sharer loads its part of the tokens for all.
template <class Shape>
__device__ __forceinline__ void loadTokens(unsigned shared, const TensorMap *map, const Place<Shape> &place) {
  using M = Memory<Shape>;
  const Barriers<Shape> barriers(shared);
  constexpr int width = 128 / sizeof(typename Shape::Token);
  constexpr int own = Shape::tokenTile / Shape::share;
  const unsigned short sharers = static_cast<unsigned short>(((1u << Shape::share) - 1) << (place.part * Shape::share));
  for (int index = 0; index < place.count; ++index) {
    const int stage = index % Shape::tokenStages;
    if (index >= Shape::tokenStages)
      waitEmpty<Shape>(barriers.emptyTokens(stage), (index / Shape::tokenStages - 1) & 1);
    arriveExpecting(barriers.fullTokens(stage), M::tokenChunk);
    for (int part = 0; part < chunkDepth / width; ++part) {
      const unsigned destination = shared + M::tokens + stage * M::tokenChunk + (part * Shape::tokenTile + place.sharer * own) * 128;
      const int column = (place.firstChunk + index) * chunkDepth + part * width;
      if constexpr (Shape::share == 1)
        loadBox(destination, map, column, 0, barriers.fullTokens(stage), evictLast);
      else
        loadBoxShared(destination, map, column, place.sharer * own, barriers.fullTokens(stage), sharers, evictLast);
    }
  }
}

// One warp, before the wait: scales of the weight's 128 x 128 blocks, [row tile][chunk].
template <class Shape>
__device__ __forceinline__ void loadWeightScales(unsigned char *shared, const float *scales, const Place<Shape> &place) {
  using M = Memory<Shape>;
  float *destination = reinterpret_cast<float *>(shared + M::weightScales);
  for (int index = threadIdx.x % 32; index < Shape::rowTiles * place.count; index += 32) {
    const int tile = index / place.count, chunk = index % place.count;
    const int column = place.row + 64 * tile;
    if (column < Shape::columns)
      destination[tile * M::mostChunks + chunk] = scales[Shape::scaleRow(column) * M::chunks + place.firstChunk + chunk];
  }
}

// One warp, after the wait: scales of the activations, [token][chunk of the whole depth] in memory, [stage][token] in the ring.
// Copies that nobody waits for, as far ahead as the tokens themselves.
template <class Shape>
__device__ __forceinline__ void loadTokenScales(unsigned shared, const float *scales, const Place<Shape> &place) {
  using M = Memory<Shape>;
  const Barriers<Shape> barriers(shared);
  const int lane = threadIdx.x % 32;
  for (int index = 0; index < place.count; ++index) {
    const int stage = index % Shape::tokenStages;
    if (index >= Shape::tokenStages)
      waitEmpty<Shape>(barriers.emptyTokens(stage), (index / Shape::tokenStages - 1) & 1);
#pragma unroll
    for (int token = lane; token < Shape::tokenTile; token += 32)
      if (token < Shape::tokens) // rows of the buffer; scales beyond dims[tokens] touch columns that nobody stores
        copyAsync<4>(shared + M::tokenScales + (stage * Shape::tokenTile + token) * 4,
                     scales + token * M::chunks + place.firstChunk + index);
    arriveAfterCopies(barriers.fullTokens(stage));
  }
}

// Four warps, after the wait: activations through registers and the prologue, for bf16. Swizzled as the copy engine would.
template <class Shape, class Prologue>
__device__ __forceinline__ void transformTokens(unsigned char *shared, const Bf16 *source, int tokens,
                                                const Place<Shape> &place, const Prologue &prologue) {
  using M = Memory<Shape>;
  constexpr int batch = Shape::tokenTile >= 64 ? 1 : 64 / Shape::tokenTile; // chunks read at once
  constexpr int pieces = Shape::tokenTile / 8;                              // 8 values each, per thread and chunk
  const Barriers<Shape> barriers(sharedAddress(shared));
  const int thread = threadIdx.x % 128, piece = thread % 16; // 16 threads per token and chunk
  for (int first = 0; first < place.count; first += batch) {
    uint4 raw[batch * pieces];
#pragma unroll
    for (int index = 0; index < batch * pieces; ++index) {
      const int token = thread / 16 + 8 * (index % pieces), k = (place.firstChunk + first + index / pieces) * chunkDepth + 8 * piece;
      const bool inside = token < tokens && first + index / pieces < place.count && k < Shape::depth;
      raw[index] = inside ? *reinterpret_cast<const uint4 *>(source + static_cast<long long>(token) * Shape::depth + k)
                          : uint4{0, 0, 0, 0};
    }
#pragma unroll
    for (int offset = 0; offset < batch; ++offset) {
      const int chunk = first + offset, stage = chunk % Shape::tokenStages;
      if (chunk >= place.count)
        break;
      if (chunk >= Shape::tokenStages)
        waitBarrier(barriers.emptyTokens(stage), (chunk / Shape::tokenStages - 1) & 1);
#pragma unroll
      for (int index = 0; index < pieces; ++index) {
        const int token = thread / 16 + 8 * index, k = (place.firstChunk + chunk) * chunkDepth + 8 * piece;
        unsigned words[4] = {raw[offset * pieces + index].x, raw[offset * pieces + index].y, raw[offset * pieces + index].z,
                             raw[offset * pieces + index].w};
        if (token < tokens && k < Shape::depth)
#pragma unroll
          for (int word = 0; word < 4; ++word)
            words[word] = toBf16Pair(prologue(token, k + 2 * word, __uint_as_float(words[word] << 16)),
                                     prologue(token, k + 2 * word + 1, __uint_as_float(words[word] & 0xffff0000u)));
        *reinterpret_cast<uint4 *>(shared + M::tokens + stage * M::tokenChunk +
                                   (piece / 8 * Shape::tokenTile + token) * 128 + ((piece % 8 ^ token % 8) << 4)) =
            uint4{words[0], words[1], words[2], words[3]};
      }
      fenceAsyncProxy();
      arrive(barriers.fullTokens(stage));
    }
  }
}

} // namespace kimi
