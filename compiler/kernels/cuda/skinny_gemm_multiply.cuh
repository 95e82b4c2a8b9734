// Skinny GEMM, part 3: the consumer warpgroups. Weights are the rows of the tensor cores' product, tokens its columns.
namespace kimi {

template <class Shape> struct Consumer {
  using M = Memory<Shape>;
  static constexpr int values = Shape::tokenTile / 2; // accumulators per thread
  static constexpr int fragments = M::widens ? 8 : 1; // weights of a chunk in registers, per 16 of depth

  unsigned char *shared;
  unsigned base; // the same, as an address
  Barriers<Shape> barriers;
  int tile, group, lane, count, firstSharer;

  __device__ __forceinline__ Consumer(unsigned char *shared, const Place<Shape> &place)
      : shared(shared), base(sharedAddress(shared)), barriers(base), lane(threadIdx.x % 32),
        firstSharer(place.part * Shape::share) {
    // From lane 0, so that the compiler knows them to be the same for the warp: addresses then cost next to nothing.
    const int warpgroup = __shfl_sync(0xffffffffu, threadIdx.x / 128, 0);
    tile = Shape::rowTiles == 1 ? 0 : warpgroup % Shape::rowTiles;
    group = Shape::depthGroups == 1 ? 0 : warpgroup / Shape::rowTiles;
    // Kept from being a constant: ptxas serialises the products of a loop that it has unrolled away (C7514).
    int chunks = place.count;
    asm volatile("" : "+r"(chunks));
    count = __shfl_sync(0xffffffffu, chunks, 0);
  }

  // The rows of this thread in the chunk's 64-row tile, as wgmma wants its left operand: two bf16 from two codes.
  __device__ __forceinline__ void widen(unsigned (&fragment)[fragments][4], int stage) const {
    const unsigned row = 16 * (threadIdx.x / 32 % 4) + lane / 4;
    const unsigned line = base + M::weights + stage * M::weightChunk + (64 * tile + row) * 128 + 2 * (lane % 4);
#pragma unroll
    for (int step = 0; step < fragments; ++step)
#pragma unroll
      for (int part = 0; part < 4; ++part) {
        unsigned short codes; // rows row and row + 8 have the same swizzle
        asm volatile("ld.shared.u16 %0, [%1];"
                     : "=h"(codes)
                     : "r"(line + ((step ^ (lane / 4)) << 4) + (part % 2) * 1024 + (part / 2) * 8));
        fragment[step][part] = widenE4m3Pair(codes);
      }
  }

  // Waits for chunk `index` of this block and starts its product; with `accumulate`, on top of what is in `sums`.
  __device__ __forceinline__ void start(float (&sums)[values], unsigned (&fragment)[fragments][4], int index,
                                        bool accumulate) const {
    const int weightStage = index % Shape::weightStages, tokenStage = index % Shape::tokenStages;
    waitBarrier(barriers.fullWeights(weightStage), index / Shape::weightStages & 1);
    if constexpr (M::widens)
      widen(fragment, weightStage);
    if constexpr (Shape::share == 1)
      waitBarrier(barriers.fullTokens(tokenStage), index / Shape::tokenStages & 1);
    else
      waitBarrierCluster(barriers.fullTokens(tokenStage), index / Shape::tokenStages & 1);
    holdRegisters(sums);
    fenceWgmma();
    const unsigned left = base + M::weights + weightStage * M::weightChunk + tile * 64 * 128;
    const unsigned right = base + M::tokens + tokenStage * M::tokenChunk;
#pragma unroll
    for (int step = 0; step < static_cast<int>(4 * sizeof(typename Shape::Token)); ++step) {
      const unsigned long long tokens = operandDescriptor(right, step / 4 * Shape::tokenTile * 128 + step % 4 * 32);
      if constexpr (M::tokensScaled)
        wgmmaE4m3(sums, operandDescriptor(left, step * 32), tokens, accumulate || step > 0);
      else if constexpr (M::widens)
        wgmmaBf16(sums, fragment[step], tokens, accumulate || step > 0);
      else
        wgmmaBf16(sums, operandDescriptor(left, step / 4 * M::rows * 128 + step % 4 * 32), tokens, accumulate || step > 0);
    }
    commitWgmma();
  }

  // Adds a finished chunk, scaled. The tensor cores' own sums of e4m3 products keep about 14 bits: they end with the chunk.
  __device__ __forceinline__ void promote(float (&totals)[values], float (&sums)[values], int index) const {
    holdRegisters(sums);
    const float weightScale =
        reinterpret_cast<const float *>(shared + M::weightScales)[tile * M::mostChunks + index];
    if constexpr (M::tokensScaled) {
      const float *scales = reinterpret_cast<const float *>(shared + M::tokenScales) +
                            index % Shape::tokenStages * Shape::tokenTile + 2 * (lane % 4);
#pragma unroll
      for (int part = 0; part < values / 4; ++part) {
        const float2 scale = *reinterpret_cast<const float2 *>(scales + 8 * part);
#pragma unroll
        for (int value = 0; value < 4; ++value)
          totals[4 * part + value] += sums[4 * part + value] * ((value % 2 ? scale.y : scale.x) * weightScale);
      }
    } else {
#pragma unroll
      for (int value = 0; value < values; ++value)
        totals[value] += sums[value] * weightScale;
    }
  }

  // Says that this warp has read chunk `index`, where a later chunk takes its place.
  __device__ __forceinline__ void release(int index) const {
    __syncwarp();
    if (index + Shape::weightStages < count && lane == 0)
      arrive(barriers.emptyWeights(index % Shape::weightStages));
    if (index + Shape::tokenStages >= count)
      return;
    const unsigned empty = barriers.emptyTokens(index % Shape::tokenStages);
    if constexpr (Shape::share == 1) {
      if (lane == 0)
        arrive(empty);
    } else if (lane < Shape::share) {
      arriveRemote(mapToBlock(empty, firstSharer + lane));
    }
  }

  // All chunks of this warpgroup: group, group + depthGroups, ...
  __device__ __forceinline__ void run(float (&totals)[values]) const {
#pragma unroll
    for (int value = 0; value < values; ++value)
      totals[value] = 0.0f;
    if (group >= count)
      return;
    if constexpr (M::weightsScaled) {
      waitBarrier(barriers.scales(), 0);
      if constexpr (Shape::accumulators == 2)
        runAlternating(totals);
      else
        runBatches(totals);
    } else {
      runPlain(totals);
    }
  }

private:
  // bf16: the tensor cores' sums are the totals.
  __device__ __forceinline__ void runPlain(float (&totals)[values]) const {
    unsigned none[fragments][4];
    int index = group;
    start(totals, none, index, true);
    for (int next = index + Shape::depthGroups; next < count; index = next, next += Shape::depthGroups) {
      start(totals, none, next, true);
      waitWgmma<1>();
      release(index);
    }
    waitWgmma<0>();
    holdRegisters(totals);
    release(index);
  }

  // Batches of `accumulators` chunks, all given to the tensor cores before the first is scaled; what is left, one by one.
  __device__ __forceinline__ void runBatches(float (&totals)[values]) const {
    constexpr int sets = Shape::accumulators, step = Shape::depthGroups;
    float sums[sets][values];
    unsigned fragment[sets][fragments][4];
    int index = group;
    for (; index + (sets - 1) * step < count; index += sets * step) {
#pragma unroll
      for (int set = 0; set < sets; ++set)
        start(sums[set], fragment[set], index + set * step, false);
      promoteBatch<0>(totals, sums, index);
    }
    for (; index < count; index += step) {
      start(sums[0], fragment[0], index, false);
      waitWgmma<0>();
      promote(totals, sums[0], index);
      release(index);
    }
  }

  template <int set>
  __device__ __forceinline__ void promoteBatch(float (&totals)[values], float (&sums)[Shape::accumulators][values],
                                               int index) const {
    if constexpr (set < Shape::accumulators) {
      waitWgmma<Shape::accumulators - 1 - set>();
      promote(totals, sums[set], index + set * Shape::depthGroups);
      release(index + set * Shape::depthGroups);
      promoteBatch<set + 1>(totals, sums, index);
    }
  }

  // Two chunks under way at all times: while one is scaled, the tensor cores have the next.
  __device__ __forceinline__ void runAlternating(float (&totals)[values]) const {
    constexpr int step = Shape::depthGroups;
    float even[values], odd[values];
    unsigned evenFragment[fragments][4], oddFragment[fragments][4];
    int index = group;
    start(even, evenFragment, index, false);
    for (; index + 2 * step < count; index += 2 * step) {
      start(odd, oddFragment, index + step, false);
      waitWgmma<1>();
      promote(totals, even, index);
      release(index);
      start(even, evenFragment, index + 2 * step, false);
      waitWgmma<1>();
      promote(totals, odd, index + step);
      release(index + step);
    }
    if (index + step < count) {
      start(odd, oddFragment, index + step, false);
      waitWgmma<1>();
      promote(totals, even, index);
      release(index);
      waitWgmma<0>();
      promote(totals, odd, index + step);
      release(index + step);
    } else {
      waitWgmma<0>();
      promote(totals, even, index);
      release(index);
    }
  }
};

} // namespace kimi
