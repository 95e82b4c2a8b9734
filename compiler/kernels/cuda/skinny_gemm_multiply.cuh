// Skinny GEMM, part 3: the consumer warpgroups. Weights are the rows of the tensor cores' product, tokens its columns.
namespace kimi {

template <class Shape> struct Consumer {
  using M = Memory<Shape>;
  static constexpr int values = Shape::tokenTile / 2; // accumulators per thread
  static constexpr int chunks = Shape::stepChunks;
  static constexpr int fragments = M::widens ? 8 : 1; // weights of a chunk in registers, per 16 of depth

  // A step under way: the tensor cores' sums of each chunk and the widened weights that they read meanwhile.
  struct Step {
    float sums[chunks][values];
    unsigned fragment[chunks][fragments][4];
  };

  unsigned char *shared;
  unsigned base; // the same, as an address
  Barriers<Shape> barriers;
  int tile, group, lane, steps, firstSharer;
  Cursor<Shape::weightStages> weights;  // of the next step to start
  Cursor<Shape::tokenStages> tokens;
  Cursor<Shape::weightStages> oldWeights; // of the next step to finish
  Cursor<Shape::tokenStages> oldTokens;

  __device__ __forceinline__ Consumer(unsigned char *shared, const Place<Shape> &place)
      : shared(shared), base(sharedAddress(shared)), barriers(base), lane(threadIdx.x % 32),
        firstSharer(place.part * Shape::share), weights(0), tokens(0), oldWeights(0), oldTokens(0) {
    // From lane 0, so that the compiler knows them to be the same for the warp: addresses then cost next to nothing.
    const int warpgroup = __shfl_sync(0xffffffffu, threadIdx.x / 128, 0);
    tile = Shape::rowTiles == 1 ? 0 : warpgroup % Shape::rowTiles;
    group = Shape::depthGroups == 1 ? 0 : warpgroup / Shape::rowTiles;
    weights.stage = tokens.stage = oldWeights.stage = oldTokens.stage = group;
    // Kept from being a constant: ptxas serialises the products of a loop that it has unrolled away (C7514).
    int count = place.steps;
    asm volatile("" : "+r"(count));
    steps = __shfl_sync(0xffffffffu, count, 0);
  }

  // All steps of this warpgroup: group, group + depthGroups, ...
  __device__ __forceinline__ void run(float (&totals)[values]) {
#pragma unroll
    for (int value = 0; value < values; ++value)
      totals[value] = 0.0f;
    if (group >= steps)
      return;
    if constexpr (!M::weightsScaled) {
      runPlain(totals);
    } else {
      waitBarrier(barriers.scales(), 0);
      if constexpr (Shape::accumulators == 2)
        runAlternating(totals);
      else
        runScaled(totals);
    }
  }

private:
  // The rows of this thread in the 64-row tile of a chunk, as wgmma wants its left operand: two bf16 from two codes.
  __device__ __forceinline__ void widen(unsigned (&fragment)[fragments][4], unsigned tileAddress) const {
    const unsigned row = 16 * (threadIdx.x / 32 % 4) + lane / 4, line = tileAddress + row * 128 + 2 * (lane % 4);
#pragma unroll
    for (int part = 0; part < fragments; ++part)
#pragma unroll
      for (int word = 0; word < 4; ++word) {
        unsigned short codes; // rows row and row + 8 have the same swizzle
        asm volatile("ld.shared.u16 %0, [%1];"
                     : "=h"(codes)
                     : "r"(line + ((part ^ (lane / 4)) << 4) + (word % 2) * 1024 + (word / 2) * 8));
        fragment[part][word] = widenE4m3Pair(codes);
      }
  }

  // Gives one chunk to the tensor cores; with `accumulate`, on top of what is in `sums`.
  __device__ __forceinline__ void multiply(float (&sums)[values], const unsigned (&fragment)[fragments][4], unsigned left,
                                           unsigned right, bool accumulate) const {
#pragma unroll
    for (int part = 0; part < static_cast<int>(4 * sizeof(typename Shape::Token)); ++part) {
      const unsigned long long tokens = operandDescriptor(right, part / 4 * Shape::tokenTile * 128 + part % 4 * 32);
      if constexpr (M::tokensScaled)
        wgmmaE4m3(sums, operandDescriptor(left, part * 32), tokens, accumulate || part > 0);
      else if constexpr (M::widens)
        wgmmaBf16(sums, fragment[part], tokens, accumulate || part > 0);
      else
        wgmmaBf16(sums, operandDescriptor(left, part / 4 * M::rows * 128 + part % 4 * 32), tokens, accumulate || part > 0);
    }
  }

  __device__ __forceinline__ unsigned leftOperand(int chunk) const {
    return base + M::weights + weights.stage * M::weightStage + chunk * M::weightChunk + tile * 64 * 128;
  }
  __device__ __forceinline__ unsigned rightOperand(int chunk) const {
    return base + M::tokens + tokens.stage * M::tokenStage + chunk * M::tokenChunk;
  }

  // Waits for the next step and starts its products.
  __device__ __forceinline__ void start(Step &step) {
    waitBarrier(barriers.fullWeights(weights.stage), weights.phase);
    if constexpr (M::widens)
#pragma unroll
      for (int chunk = 0; chunk < chunks; ++chunk)
        widen(step.fragment[chunk], leftOperand(chunk));
    waitBarrier(barriers.fullTokens(tokens.stage), tokens.phase);
#pragma unroll
    for (int chunk = 0; chunk < chunks; ++chunk)
      holdRegisters(step.sums[chunk]);
    fenceWgmma();
#pragma unroll
    for (int chunk = 0; chunk < chunks; ++chunk)
      multiply(step.sums[chunk], step.fragment[chunk], leftOperand(chunk), rightOperand(chunk), false);
    commitWgmma();
    weights.advance(Shape::depthGroups);
    tokens.advance(Shape::depthGroups);
  }

  // Adds a finished step, scaled. The tensor cores' own sums of e4m3 products keep about 14 bits: they end with the chunk.
  __device__ __forceinline__ void promote(float (&totals)[values], Step &step, int index) const {
#pragma unroll
    for (int chunk = 0; chunk < chunks; ++chunk) {
      float(&sums)[values] = step.sums[chunk];
      holdRegisters(sums);
      const float weightScale =
          reinterpret_cast<const float *>(shared + M::weightScales)[tile * M::mostChunks + index * chunks + chunk];
      const float *scales = reinterpret_cast<const float *>(shared + M::tokenScales) +
                            (oldTokens.stage * chunks + chunk) * Shape::tokenTile + 2 * (lane % 4);
#pragma unroll
      for (int part = 0; part < values / 4; ++part) {
        float2 scale = make_float2(weightScale, weightScale);
        if constexpr (M::tokensScaled) {
          scale = *reinterpret_cast<const float2 *>(scales + 8 * part);
          scale.x *= weightScale;
          scale.y *= weightScale;
        }
#pragma unroll
        for (int value = 0; value < 4; ++value)
          totals[4 * part + value] += sums[4 * part + value] * (value % 2 ? scale.y : scale.x);
      }
    }
  }

  // Says that this warp has read step `index`, where a later step takes its place.
  __device__ __forceinline__ void release(int index) {
    __syncwarp();
    if (index + Shape::weightStages < steps && lane == 0)
      arrive(barriers.emptyWeights(oldWeights.stage));
    if (index + Shape::tokenStages < steps) {
      const unsigned empty = barriers.emptyTokens(oldTokens.stage);
      if constexpr (Shape::share == 1) {
        if (lane == 0)
          arrive(empty);
      } else if (lane < Shape::share) {
        arriveRemote(mapToBlock(empty, firstSharer + lane));
      }
    }
    oldWeights.advance(Shape::depthGroups);
    oldTokens.advance(Shape::depthGroups);
  }

  // bf16: the tensor cores' sums are the totals.
  __device__ __forceinline__ void startPlain(float (&totals)[values]) {
    const unsigned none[fragments][4] = {};
    waitBarrier(barriers.fullWeights(weights.stage), weights.phase);
    waitBarrier(barriers.fullTokens(tokens.stage), tokens.phase);
    holdRegisters(totals);
    fenceWgmma();
#pragma unroll
    for (int chunk = 0; chunk < chunks; ++chunk)
      multiply(totals, none, leftOperand(chunk), rightOperand(chunk), true);
    commitWgmma();
    weights.advance(Shape::depthGroups);
    tokens.advance(Shape::depthGroups);
  }

  __device__ __forceinline__ void runPlain(float (&totals)[values]) {
    int index = group;
    startPlain(totals);
    for (; index + Shape::depthGroups < steps; index += Shape::depthGroups) {
      startPlain(totals);
      waitWgmma<1>();
      release(index);
    }
    waitWgmma<0>();
    holdRegisters(totals);
    release(index);
  }

  __device__ __forceinline__ void runScaled(float (&totals)[values]) {
    Step step;
    for (int index = group; index < steps; index += Shape::depthGroups) {
      start(step);
      waitWgmma<0>();
      finish(totals, step, index);
    }
  }

  __device__ __forceinline__ void finish(float (&totals)[values], Step &step, int index) {
    promote(totals, step, index);
    release(index);
  }

  // Two steps under way: while one is scaled, the tensor cores have the next.
  __device__ __forceinline__ void runAlternating(float (&totals)[values]) {
    constexpr int stride = Shape::depthGroups;
    Step even, odd;
    int index = group;
    start(even);
    for (; index + 2 * stride < steps; index += 2 * stride) {
      start(odd);
      waitWgmma<1>();
      finish(totals, even, index);
      start(even);
      waitWgmma<1>();
      finish(totals, odd, index + stride);
    }
    if (index + stride < steps) {
      start(odd);
      waitWgmma<1>();
      finish(totals, even, index);
      waitWgmma<0>();
      finish(totals, odd, index + stride);
    } else {
      waitWgmma<0>();
      finish(totals, even, index);
    }
  }
};

} // namespace kimi
