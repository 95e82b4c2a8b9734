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
      : shared(shared), base(sharedAddress(shared)), barriers(base), tile(threadIdx.x / 128 % Shape::rowTiles),
        group(threadIdx.x / 128 / Shape::rowTiles), lane(threadIdx.x % 32), count(place.count),
        firstSharer(place.part * Shape::share) {}

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
    waitBarrierCluster(barriers.fullTokens(tokenStage), index / Shape::tokenStages & 1);
    holdRegisters(sums);
    fenceWgmma();
    const unsigned left = base + M::weights + weightStage * M::weightChunk + tile * 64 * 128;
    const unsigned right = base + M::tokens + tokenStage * M::tokenChunk;
#pragma unroll
    for (int step = 0; step < static_cast<int>(4 * sizeof(typename Shape::Token)); ++step) {
      const unsigned long long tokens = operandDescriptor(right + step / 4 * Shape::tokenTile * 128 + step % 4 * 32);
      if constexpr (M::tokensScaled)
        wgmmaE4m3(sums, operandDescriptor(left + step * 32), tokens, accumulate || step > 0);
      else if constexpr (M::widens)
        wgmmaBf16(sums, fragment[step], tokens, accumulate || step > 0);
      else
        wgmmaBf16(sums, operandDescriptor(left + step / 4 * M::rows * 128 + step % 4 * 32), tokens, accumulate || step > 0);
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
        runScaled(totals);
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

  __device__ __forceinline__ void runScaled(float (&totals)[values]) const {
    float sums[values];
    unsigned fragment[fragments][4];
    for (int index = group; index < count; index += Shape::depthGroups) {
      start(sums, fragment, index, false);
      waitWgmma<0>();
      promote(totals, sums, index);
      release(index);
    }
  }

  // Two chunks under way: one is multiplied while the one before is scaled.
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
