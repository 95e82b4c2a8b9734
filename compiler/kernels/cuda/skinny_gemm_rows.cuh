// Skinny GEMM, part 3 for many tokens (Shape::tokenRows): tokens are the rows of the tensor cores' product, 64 for
// each warpgroup, all weight rows of the block its columns. A token's scale then belongs to two accumulator rows of a
// thread, so that scaling is one multiply-add per sum.
//
//   tensor cores | chunk i                                | chunk i + 1 ..
//   warps        | ask for i + 1, read scales of i, wait  | scale and add i (with two accumulator sets: beside i + 1)
namespace kimi {

template <class Shape> struct RowConsumer {
  using M = Memory<Shape>;
  static constexpr int values = M::values;
  // Two warpgroups that wait for the same chunk and scale it at the same time would leave the tensor cores idle
  // meanwhile: one goes first, the other follows.
  static constexpr bool ordered =
      M::tiles == 2 && Shape::depthGroups == 1 && Shape::accumulators == 1;
  static_assert(M::tokensScaled, "activations and weights are e4m3");

  // A place in both rings.
  struct Stages {
    int weights, tokens;
  };
  // The next chunk for the tensor cores, and whether it is known to have come.
  struct Next {
    Stages stages;
    unsigned weightPhase = 0, tokenPhase = 0;
    bool come = false;
  };
  // Of this thread's two tokens, times the scale of each scale tile's weight rows.
  struct Factors {
    float first[M::scaleTiles], second[M::scaleTiles];
  };
  // A chunk that the tensor cores have.
  struct Chunk {
    float sums[values];
    Stages stages;
  };

  unsigned char *shared;
  unsigned base; // the same, as an address
  Barriers<Shape> barriers;
  int tile, group, lane, chunks, count;

  __device__ __forceinline__ RowConsumer(unsigned char *shared, const Place<Shape> &place)
      : shared(shared), base(sharedAddress(shared)), barriers(base), lane(threadIdx.x % 32) {
    // From lane 0, so that the compiler knows them to be the same for the warp.
    const int warpgroup = __shfl_sync(0xffffffffu, threadIdx.x / 128, 0);
    tile = M::tiles == 1 ? 0 : warpgroup % M::tiles;
    group = Shape::depthGroups == 1 ? 0 : warpgroup / M::tiles;
    chunks = place.count; // kept from being a constant: ptxas serialises products of unrolled loops (C7514)
    asm volatile("" : "+r"(chunks));
    chunks = __shfl_sync(0xffffffffu, chunks, 0);
    count = (chunks - group + Shape::depthGroups - 1) / Shape::depthGroups;
  }

  // The chunks of this warpgroup: group, group + depthGroups, ... Below, `turn` counts them.
  __device__ __forceinline__ void run(float (&totals)[values]) const {
#pragma unroll
    for (int value = 0; value < values; ++value)
      totals[value] = 0.0f;
    if (count <= 0)
      return;
    waitBarrier(barriers.scales(), 0);
    if (ordered && tile == 1)
      arriveThreads(2, 256);
    Next next{{group, group}};
    if constexpr (Shape::accumulators == 2)
      runAlternating(totals, next);
    else
      runScaled(totals, next);
  }

private:
  // depthGroups divides the stages: each stage always is the same group's, and parities cannot be mistaken.
  template <int stages> __device__ __forceinline__ void advance(int &stage, unsigned &phase) const {
    stage += Shape::depthGroups;
    if (stage >= stages) {
      stage = group;
      phase ^= 1;
    }
  }

  // Gives the next chunk to the tensor cores, and asks for the one after it: the answer takes as long as a part of
  // the product.
  __device__ __forceinline__ void start(Chunk &chunk, Next &next, bool last = false) const {
    const Stages stages = chunk.stages = next.stages;
    if (!next.come) {
      waitBarrier(barriers.fullWeights(stages.weights), next.weightPhase);
      waitBarrier(barriers.fullTokens(stages.tokens), next.tokenPhase);
    }
    const unsigned left = base + M::tokens + stages.tokens * M::tokenChunk + tile * 64 * 128,
                   right = base + M::weights + stages.weights * M::weightChunk;
    if constexpr (ordered)
      syncThreads(2 + tile, 256);
    holdRegisters(chunk.sums);
    fenceWgmma();
#pragma unroll
    for (int part = 0; part < 4; ++part)
      wgmmaE4m3(chunk.sums, operandDescriptor(left, part * 32), operandDescriptor(right, part * 32), part > 0);
    commitWgmma();
    if (ordered && !(last && tile == 1))
      arriveThreads(3 - tile, 256);
    advance<Shape::weightStages>(next.stages.weights, next.weightPhase);
    advance<Shape::tokenStages>(next.stages.tokens, next.tokenPhase);
    const bool weightsCame = testBarrier(barriers.fullWeights(next.stages.weights), next.weightPhase),
               tokensCame = testBarrier(barriers.fullTokens(next.stages.tokens), next.tokenPhase);
    next.come = weightsCame && tokensCame;
  }

  __device__ __forceinline__ Factors factorsOf(const Chunk &chunk, int turn) const {
    Factors factors;
    const float *tokenScales = reinterpret_cast<const float *>(shared + M::tokenScales) +
                               chunk.stages.tokens * Shape::tokenTile + 64 * tile +
                               16 * (threadIdx.x / 32 % 4) + lane / 4;
    const float *weightScales =
        reinterpret_cast<const float *>(shared + M::weightScales) + group + turn * Shape::depthGroups;
#pragma unroll
    for (int scaleTile = 0; scaleTile < M::scaleTiles; ++scaleTile) {
      factors.first[scaleTile] = tokenScales[0] * weightScales[scaleTile * M::mostChunks];
      factors.second[scaleTile] = tokenScales[8] * weightScales[scaleTile * M::mostChunks];
    }
    return factors;
  }

  // Waits until the tensor cores have at most `pending` later chunks, and adds this one, scaled. Their own sums of e4m3
  // products keep about 14 bits: they end with the chunk.
  template <int pending>
  __device__ __forceinline__ void finish(float (&totals)[values], Chunk &chunk, int turn) const {
    const Factors factors = factorsOf(chunk, turn);
    waitWgmma<pending>();
    holdRegisters(chunk.sums);
    release(chunk.stages, turn);
#pragma unroll
    for (int value = 0; value < values; ++value) {
      const int scaleTile = value / (M::scaleRows / 2); // a thread has half of a row's columns, and two rows
      totals[value] = __fmaf_rn(
          chunk.sums[value], value % 4 < 2 ? factors.first[scaleTile] : factors.second[scaleTile], totals[value]);
    }
  }

  // Says that this warp has read a chunk, where a later one takes its place.
  __device__ __forceinline__ void release(const Stages &stages, int turn) const {
    __syncwarp();
    const int index = group + turn * Shape::depthGroups;
    if (index + Shape::weightStages < chunks && lane == 0)
      arrive(barriers.emptyWeights(stages.weights));
    if (index + Shape::tokenStages < chunks && lane == 0)
      arrive(barriers.emptyTokens(stages.tokens));
  }

  __device__ __forceinline__ void runScaled(float (&totals)[values], Next &next) const {
    Chunk chunk;
#pragma unroll 1
    for (int turn = 0; turn < count; ++turn) {
      start(chunk, next, turn + 1 == count);
      finish<0>(totals, chunk, turn);
    }
  }

  // Two chunks under way: while one is scaled, the tensor cores have the next.
  __device__ __forceinline__ void runAlternating(float (&totals)[values], Next &next) const {
    Chunk even, odd;
    start(even, next);
    int turn = 0;
#pragma unroll 1
    for (; turn + 2 < count; turn += 2) {
      start(odd, next);
      finish<1>(totals, even, turn);
      start(even, next);
      finish<1>(totals, odd, turn + 1);
    }
    if (turn + 1 < count) {
      start(odd, next);
      finish<1>(totals, even, turn);
      finish<0>(totals, odd, turn + 1);
    } else {
      finish<0>(totals, even, turn);
    }
  }
};

} // namespace kimi
