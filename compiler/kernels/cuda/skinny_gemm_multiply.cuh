// Skinny GEMM, part 3: the consumer warpgroups. Weights are the rows of the tensor cores' product, tokens its
// columns.
namespace kimi {

template <class Shape> struct Consumer {
  using M = Memory<Shape>;
  static constexpr int values = Shape::tokenTile / 2; // accumulators per thread
  static constexpr int fragments = M::widens ? 8 : 1; // weights of a chunk in registers, per 16 of depth
  static constexpr int unroll = M::unrolls ? M::evenChunks : 1;

  // A chunk that the tensor cores have: its sums, and the widened weights that they read meanwhile.
  struct Chunk {
    float sums[values];
    unsigned fragment[fragments][4];
  };

  unsigned char *shared;
  unsigned base; // the same, as an address
  Barriers<Shape> barriers;
  int tile, group, lane, chunks, count;

  __device__ __forceinline__ Consumer(unsigned char *shared, const Place<Shape> &place)
      : shared(shared), base(sharedAddress(shared)), barriers(base), lane(threadIdx.x % 32) {
    // From lane 0, so that the compiler knows them to be the same for the warp: addresses then cost next to
    // nothing.
    const int warpgroup = __shfl_sync(0xffffffffu, threadIdx.x / 128, 0);
    tile = Shape::rowTiles == 1 ? 0 : warpgroup % Shape::rowTiles;
    group = Shape::depthGroups == 1 ? 0 : warpgroup / Shape::rowTiles;
    chunks = place.count;
    count = M::evenChunks;
    if constexpr (M::unrolls) {
      chunks = M::mostChunks;
    } else { // kept from being a constant: ptxas serialises large products of unrolled loops (C7514)
      asm volatile("" : "+r"(chunks));
      chunks = __shfl_sync(0xffffffffu, chunks, 0);
      count = (chunks - group + Shape::depthGroups - 1) / Shape::depthGroups;
    }
  }

  // The chunks of this warpgroup: group, group + depthGroups, ... Below, `turn` counts them: 0, 1, ...
  // `count` - 1.
  __device__ __forceinline__ void run(float (&totals)[values]) const {
#pragma unroll
    for (int value = 0; value < values; ++value)
      totals[value] = 0.0f;
    if (count <= 0)
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
  // depthGroups divides the stages, so that each stage always is the same group's and parities cannot be
  // mistaken.
  template <int stages> __device__ __forceinline__ int stageOf(int turn) const {
    return group + turn * Shape::depthGroups % stages;
  }
  template <int stages> __device__ __forceinline__ static unsigned phaseOf(int turn) {
    return turn * Shape::depthGroups / stages & 1;
  }

  // The rows of this thread in the 64-row tile of a chunk, as wgmma wants its left operand: two bf16 from two
  // codes.
  __device__ __forceinline__ void widen(unsigned (&fragment)[fragments][4], unsigned left) const {
    const unsigned row = 16 * (threadIdx.x / 32 % 4) + lane / 4, line = left + row * 128 + 2 * (lane % 4);
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

  // Waits for a chunk and gives it to the tensor cores; with `accumulate`, on top of what is in `sums`.
  __device__ __forceinline__ void start(float (&sums)[values], unsigned (&fragment)[fragments][4], int turn,
                                        bool accumulate) const {
    const int weightStage = stageOf<Shape::weightStages>(turn),
              tokenStage = stageOf<Shape::tokenStages>(turn);
    const unsigned left = base + M::weights + weightStage * M::weightChunk + tile * 64 * 128;
    const unsigned right = base + M::tokens + tokenStage * M::tokenChunk;
    waitBarrier(barriers.fullWeights(weightStage), phaseOf<Shape::weightStages>(turn));
    if constexpr (M::widens)
      widen(fragment, left);
    waitBarrier(barriers.fullTokens(tokenStage), phaseOf<Shape::tokenStages>(turn));
    holdRegisters(sums);
    fenceWgmma();
#pragma unroll
    for (int part = 0; part < static_cast<int>(4 * sizeof(typename Shape::Token)); ++part) {
      const unsigned long long tokens =
          operandDescriptor(right, part / 4 * Shape::tokenTile * 128 + part % 4 * 32);
      if constexpr (M::tokensScaled)
        wgmmaE4m3(sums, operandDescriptor(left, part * 32), tokens, accumulate || part > 0);
      else if constexpr (M::widens)
        wgmmaBf16(sums, fragment[part], tokens, accumulate || part > 0);
      else
        wgmmaBf16(sums, operandDescriptor(left, part / 4 * M::rows * 128 + part % 4 * 32), tokens,
                  accumulate || part > 0);
    }
    commitWgmma();
  }

  __device__ __forceinline__ void start(Chunk &chunk, int turn) const {
    start(chunk.sums, chunk.fragment, turn, false);
  }

  // Adds a finished chunk, scaled. The tensor cores' own sums of e4m3 products keep about 14 bits: they end
  // with the chunk.
  __device__ __forceinline__ void finish(float (&totals)[values], Chunk &chunk, int turn) const {
    holdRegisters(chunk.sums);
    const int scaleTile = M::scaleRows == 64 ? tile : 2 * tile + threadIdx.x / 64 % 2; // a warp has 16 rows
    const float weightScale = reinterpret_cast<const float *>(
        shared + M::weightScales)[scaleTile * M::mostChunks + group + turn * Shape::depthGroups];
    const float *scales = reinterpret_cast<const float *>(shared + M::tokenScales) +
                          stageOf<Shape::tokenStages>(turn) * Shape::tokenTile + 2 * (lane % 4);
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
        totals[4 * part + value] =
            __fmaf_rn(chunk.sums[4 * part + value], value % 2 ? scale.y : scale.x, totals[4 * part + value]);
    }
    release(turn);
  }

  // Says that this warp has read a chunk, where a later one takes its place.
  __device__ __forceinline__ void release(int turn) const {
    __syncwarp();
    const int index = group + turn * Shape::depthGroups;
    if (index + Shape::weightStages < chunks && lane == 0)
      arrive(barriers.emptyWeights(stageOf<Shape::weightStages>(turn)));
    if (index + Shape::tokenStages < chunks && lane == 0)
      arrive(barriers.emptyTokens(stageOf<Shape::tokenStages>(turn)));
  }

  // bf16: the tensor cores' sums are the totals.
  __device__ __forceinline__ void runPlain(float (&totals)[values]) const {
    unsigned none[fragments][4];
    start(totals, none, 0, true);
    int turn = 0;
#pragma unroll unroll
    for (; turn + 1 < count; ++turn) {
      start(totals, none, turn + 1, true);
      waitWgmma<1>();
      release(turn);
    }
    waitWgmma<0>();
    holdRegisters(totals);
    release(turn);
  }

  __device__ __forceinline__ void runScaled(float (&totals)[values]) const {
    Chunk chunk;
#pragma unroll unroll
    for (int turn = 0; turn < count; ++turn) {
      start(chunk, turn);
      waitWgmma<0>();
      finish(totals, chunk, turn);
    }
  }

  // Two chunks under way: while one is scaled, the tensor cores have the next.
  __device__ __forceinline__ void runAlternating(float (&totals)[values]) const {
    Chunk even, odd;
    start(even, 0);
    int turn = 0;
#pragma unroll unroll
    for (; turn + 2 < count; turn += 2) {
      start(odd, turn + 1);
      waitWgmma<1>();
      finish(totals, even, turn);
      start(even, turn + 2);
      waitWgmma<1>();
      finish(totals, odd, turn + 1);
    }
    if (turn + 1 < count) {
      start(odd, turn + 1);
      waitWgmma<1>();
      finish(totals, even, turn);
      waitWgmma<0>();
      finish(totals, odd, turn + 1);
    } else {
      waitWgmma<0>();
      finish(totals, even, turn);
    }
  }
};

} // namespace kimi
