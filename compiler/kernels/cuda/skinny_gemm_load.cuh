// Skinny GEMM, part 2: the warps that feed the rings. Each runs ahead of the consumers as far as its ring is long. The first
// time round nothing has to be waited for: a barrier that is new passes for one whose odd phase is over.
namespace kimi {

// One thread. Weights are constants: this starts while the kernel's predecessors still run. What does not fit into the ring is
// asked for into L2, `prefetch` steps ahead of it.
template <class Shape>
__device__ __forceinline__ void loadWeights(unsigned shared, const TensorMap *map, const Place<Shape> &place) {
  using M = Memory<Shape>;
  const Barriers<Shape> barriers(shared);
  constexpr int width = 128 / sizeof(typename Shape::Weight); // elements in the 128 bytes of a swizzled row
  constexpr int boxes = Shape::stepChunks * chunkDepth / width;
  const auto column = [&](int step, int box) { return (place.firstChunk + step * Shape::stepChunks) * chunkDepth + box * width; };
  Cursor<Shape::weightStages> cursor(0);
  int ahead = Shape::weightStages; // the next step to prefetch
  const int last = Shape::successors == 1 && place.steps > Shape::weightStages ? Shape::weightStages - 1 : place.steps - 1;
  for (int step = 0; step < place.steps; ++step, cursor.advance(1)) {
    const unsigned full = barriers.fullWeights(cursor.stage);
    waitBarrier(barriers.emptyWeights(cursor.stage), cursor.phase ^ 1);
    arriveExpecting(full, M::weightStage);
#pragma unroll
    for (int box = 0; box < boxes; ++box)
      loadBox(shared + M::weights + cursor.stage * M::weightStage + box * M::rows * 128, map, column(step, box), place.row, full,
              evictFirst);
    if (Shape::prefetch > 0 && step >= Shape::weightStages - 1)
      for (; ahead < place.steps && ahead <= step + Shape::prefetch; ++ahead)
        for (int box = 0; box < boxes; ++box)
          prefetchBox(map, column(ahead, box), place.row);
    if (Shape::successors > 0 && step == last)
      letSuccessorsStart();
  }
}

// One thread, after the wait for predecessors. With `share` > 1 each sharer loads its part of the tokens for all.
template <class Shape>
__device__ __forceinline__ void loadTokens(unsigned shared, const TensorMap *map, const Place<Shape> &place) {
  using M = Memory<Shape>;
  const Barriers<Shape> barriers(shared);
  constexpr int width = 128 / sizeof(typename Shape::Token), own = Shape::tokenTile / Shape::share;
  const unsigned short sharers = static_cast<unsigned short>(((1u << Shape::share) - 1) << (place.part * Shape::share));
  Cursor<Shape::tokenStages> cursor(0);
  for (int step = 0; step < place.steps; ++step, cursor.advance(1)) {
    const unsigned full = barriers.fullTokens(cursor.stage);
    waitBarrier(barriers.emptyTokens(cursor.stage), cursor.phase ^ 1);
    arriveExpecting(full, M::tokenStage);
#pragma unroll
    for (int box = 0; box < Shape::stepChunks * chunkDepth / width; ++box) {
      const unsigned destination =
          shared + M::tokens + cursor.stage * M::tokenStage + (box * Shape::tokenTile + place.sharer * own) * 128;
      const int column = (place.firstChunk + step * Shape::stepChunks) * chunkDepth + box * width;
      if constexpr (Shape::share == 1)
        loadBox(destination, map, column, 0, full, evictLast);
      else
        loadBoxShared(destination, map, column, place.sharer * own, full, sharers, evictLast);
    }
  }
}

// One warp, before the wait: scales of the weight's 128 x 128 blocks, [row tile][chunk].
template <class Shape>
__device__ __forceinline__ void loadWeightScales(unsigned char *shared, const float *scales, const Place<Shape> &place) {
  using M = Memory<Shape>;
  float *destination = reinterpret_cast<float *>(shared + M::weightScales);
  const int chunks = place.steps * Shape::stepChunks;
  for (int index = threadIdx.x % 32; index < Shape::rowTiles * chunks; index += 32) {
    const int tile = index / chunks, chunk = index % chunks, column = place.row + 64 * tile;
    if (column < Shape::columns)
      destination[tile * M::mostChunks + chunk] = scales[Shape::scaleRow(column) * M::chunks + place.firstChunk + chunk];
  }
}

// One warp, after the wait: scales of the activations, [token][chunk of the whole depth] in memory, [stage][chunk][token] in the
// ring. Copies that nobody waits for, as far ahead as the tokens themselves.
template <class Shape>
__device__ __forceinline__ void loadTokenScales(unsigned shared, const float *scales, const Place<Shape> &place) {
  using M = Memory<Shape>;
  const Barriers<Shape> barriers(shared);
  constexpr int count = Shape::stepChunks * Shape::tokenTile;
  Cursor<Shape::tokenStages> cursor(0);
  for (int step = 0; step < place.steps; ++step, cursor.advance(1)) {
    waitBarrier(barriers.emptyTokens(cursor.stage), cursor.phase ^ 1);
#pragma unroll
    for (int first = 0; first < count; first += 32) {
      const int index = first + threadIdx.x % 32, token = index % Shape::tokenTile;
      if (index < count && token < Shape::tokens) // scales beyond dims[tokens] touch columns that nobody stores
        copyAsync<4>(shared + M::tokenScales + (cursor.stage * count + index) * 4,
                     scales + token * M::chunks + place.firstChunk + step * Shape::stepChunks + index / Shape::tokenTile);
    }
    arriveAfterCopies(barriers.fullTokens(cursor.stage));
  }
}

// Four warps, after the wait: activations through registers and the prologue, for bf16. Swizzled as the copy engine would.
template <class Shape, class Prologue>
__device__ __forceinline__ void transformTokens(unsigned char *shared, const Bf16 *source, int tokens,
                                                const Place<Shape> &place, const Prologue &prologue) {
  using M = Memory<Shape>;
  constexpr int pieces = Shape::tokenTile / 8; // of 8 values, per thread and chunk
  const Barriers<Shape> barriers(sharedAddress(shared));
  const int thread = threadIdx.x % 128, piece = thread % 16; // 16 threads per token and chunk
  Cursor<Shape::tokenStages> cursor(0);
  for (int step = 0; step < place.steps; ++step, cursor.advance(1)) {
    uint4 raw[Shape::stepChunks * pieces];
#pragma unroll
    for (int index = 0; index < Shape::stepChunks * pieces; ++index) {
      const int token = thread / 16 + 8 * (index % pieces);
      const int k = (place.firstChunk + step * Shape::stepChunks + index / pieces) * chunkDepth + 8 * piece;
      raw[index] = token < tokens && k < Shape::depth
                       ? *reinterpret_cast<const uint4 *>(source + static_cast<long long>(token) * Shape::depth + k)
                       : uint4{0, 0, 0, 0};
    }
    waitBarrier(barriers.emptyTokens(cursor.stage), cursor.phase ^ 1);
#pragma unroll
    for (int index = 0; index < Shape::stepChunks * pieces; ++index) {
      const int token = thread / 16 + 8 * (index % pieces);
      const int k = (place.firstChunk + step * Shape::stepChunks + index / pieces) * chunkDepth + 8 * piece;
      unsigned words[4] = {raw[index].x, raw[index].y, raw[index].z, raw[index].w};
      if (token < tokens && k < Shape::depth)
#pragma unroll
        for (int word = 0; word < 4; ++word)
          words[word] = toBf16Pair(prologue(token, k + 2 * word, __uint_as_float(words[word] << 16)),
                                   prologue(token, k + 2 * word + 1, __uint_as_float(words[word] & 0xffff0000u)));
      *reinterpret_cast<uint4 *>(shared + M::tokens + cursor.stage * M::tokenStage + index / pieces * M::tokenChunk +
                                 (piece / 8 * Shape::tokenTile + token) * 128 + ((piece % 8 ^ token % 8) << 4)) =
          uint4{words[0], words[1], words[2], words[3]};
    }
    fenceAsyncProxy();
    arrive(barriers.fullTokens(cursor.stage));
  }
}

} // namespace kimi
