// Skinny GEMM for sm_80: the same product by mma.sync and cp.async; activations are bf16, e4m3 weights are
// widened in registers. Every warp copies, multiplies and stores; a block has whole rows of the depth (no
// split, no dependent launch on sm_80).
//
// Of `Shape` it takes columns, depth, tokens, tokenTile, rowTiles, twins, depthGroups (warps that divide the eight
// 16-deep parts of each chunk: 1, 2, 4 or 8), stages, Weight, scaleRow; split is 1. Rows in shared memory are
// swizzled in pieces of 16 bytes.
namespace kimi {

template <class Shape> struct Memory80 {
  static constexpr int rows = 64 * Shape::rowTiles;
  static constexpr bool tokenRows = false, twins = Shape::twins != 0;
  static constexpr int weightRows = twins ? rows / 2 : rows; // of each weight
  static constexpr int tiles = Shape::rowTiles, values = Shape::tokenTile / 2, tokenBlocks = 1;
  static constexpr int consumers = 128 * Shape::rowTiles * Shape::depthGroups;
  static constexpr int chunks = (Shape::depth + chunkDepth - 1) / chunkDepth;
  static constexpr bool widens = Same<typename Shape::Weight, E4m3>::value;
  static constexpr int weightLine = chunkDepth * sizeof(typename Shape::Weight), tokenLine = chunkDepth * 2;
  static constexpr int weightChunk = rows * weightLine, tokenChunk = Shape::tokenTile * tokenLine;
  static constexpr int pitch = rows + 4;
  static constexpr int partialBytes = Shape::depthGroups * Shape::tokenTile * pitch * 4;
  static constexpr int ownTokens = Shape::tokenTile, received = 0; // what Finish asks of a split
  static constexpr bool sendsLate = false;
  static constexpr int rings = Shape::stages * (weightChunk + tokenChunk);
  static constexpr int bytes = rings > partialBytes ? rings : partialBytes;
};

template <class Shape> struct Warp80 {
  using M = Memory80<Shape>;
  static constexpr int values = Shape::tokenTile / 2, threads = M::consumers;

  unsigned base;
  const typename Shape::Weight *weight, *twinWeight;
  const Bf16 *activations;
  Place<Shape, M> block;
  int tokens;

  // Where 16 bytes of a line lie.
  __device__ __forceinline__ static unsigned place(unsigned start, int line, int bytes, int piece) {
    return start + line * bytes + ((piece ^ line % 8) << 4);
  }

  __device__ __forceinline__ void copy(int chunk) const {
    const unsigned start = base + chunk % Shape::stages * (M::weightChunk + M::tokenChunk);
    constexpr int weightPieces = M::weightLine / 16, perPiece = 16 / sizeof(typename Shape::Weight);
#pragma unroll
    for (int index = threadIdx.x; index < M::rows * weightPieces; index += threads) {
      const int line = index / weightPieces, piece = index % weightPieces,
                k = chunk * chunkDepth + piece * perPiece;
      const int row = block.weightRow(line);
      const typename Shape::Weight *source = M::twins && line >= M::weightRows ? twinWeight : weight;
      const bool inside = row < Shape::columns / (M::twins ? 2 : 1) && k < Shape::depth;
      copyVector(place(start, line, M::weightLine, piece),
                 inside ? source + static_cast<long long>(row) * Shape::depth + k : source, inside);
    }
#pragma unroll
    for (int index = threadIdx.x; index < Shape::tokenTile * 16; index += threads) {
      const int line = index / 16, piece = index % 16, k = chunk * chunkDepth + piece * 8;
      const bool inside = line < tokens && k < Shape::depth;
      copyVector(place(start + M::weightChunk, line, M::tokenLine, piece),
                 inside ? activations + static_cast<long long>(line) * Shape::depth + k : activations,
                 inside);
    }
  }

  // 16 rows and 16 of depth of the weight, as mma wants its left operand.
  __device__ __forceinline__ void loadLeft(unsigned (&left)[4], unsigned start, int line, int part) const {
    const int lane = threadIdx.x % 32;
    if constexpr (!M::widens) {
      loadMatrices(left, place(start, line + lane % 16, M::weightLine, 2 * part + lane / 16));
    } else {
#pragma unroll
      for (int word = 0; word < 4; ++word) {
        unsigned short codes;
        asm volatile("ld.shared.u16 %0, [%1];"
                     : "=h"(codes)
                     : "r"(place(start, line + lane / 4 + word % 2 * 8, M::weightLine, part) +
                           2 * (lane % 4) + word / 2 * 8));
        left[word] = widenE4m3Pair(codes);
      }
    }
  }

  __device__ __forceinline__ void multiply(float (&sums)[values], int chunk) const {
    const unsigned start = base + chunk % Shape::stages * (M::weightChunk + M::tokenChunk),
                   tokenStart = start + M::weightChunk;
    const int lane = threadIdx.x % 32, warpgroup = threadIdx.x / 128;
    const int line = 64 * (warpgroup % Shape::rowTiles) + 16 * (threadIdx.x / 32 % 4);
#pragma unroll
    for (int turn = 0; turn < 8 / Shape::depthGroups; ++turn) {
      const int part = warpgroup / Shape::rowTiles + turn * Shape::depthGroups;
      unsigned left[4];
      loadLeft(left, start, line, part);
      if constexpr (Shape::tokenTile == 8) {
        unsigned right[2];
        loadMatrices(right, place(tokenStart, lane % 8, M::tokenLine, 2 * part + lane / 8 % 2));
        mmaBf16(sums, left, right[0], right[1]);
      } else {
#pragma unroll
        for (int tile = 0; tile < Shape::tokenTile / 16; ++tile) {
          unsigned right[4]; // two tiles of 8 tokens
          loadMatrices(right, place(tokenStart, 16 * tile + lane / 16 * 8 + lane % 8, M::tokenLine,
                                    2 * part + lane / 8 % 2));
          mmaBf16(sums + 8 * tile, left, right[0], right[1]);
          mmaBf16(sums + 8 * tile + 4, left, right[2], right[3]);
        }
      }
    }
  }
};

template <class Shape, class Epilogue>
__device__ __forceinline__ void skinnyGemm80(unsigned char *shared, const long long *dims,
                                             const typename Shape::Weight *weight, const float *weightScales,
                                             const Bf16 *activations, const Epilogue &epilogue,
                                             const typename Shape::Weight *twinWeight = nullptr,
                                             const float *twinScales = nullptr) {
  using M = Memory80<Shape>;
  const Place<Shape, M> place;
  const int tokens = static_cast<int>(dims[Shape::tokenSymbol]);
  const Warp80<Shape> warp{sharedAddress(shared), weight, twinWeight, activations, place, tokens};
  const int tile = threadIdx.x / 128 % Shape::rowTiles;
  const int row = 64 * tile + (M::weightRows < 64 ? 32 * (threadIdx.x / 64 % 2) : 0); // a warp has 16 rows
  const int scaleRow = Shape::scaleRow(min(place.weightRow(row), Shape::columns / (M::twins ? 2 : 1) - 1));
  const float *scales = M::twins && row >= M::weightRows ? twinScales : weightScales;
  float totals[Shape::tokenTile / 2] = {};
#pragma unroll
  for (int chunk = 0; chunk < Shape::stages - 1; ++chunk) {
    if (chunk < M::chunks)
      warp.copy(chunk);
    commitCopies(); // an empty group, where there is no chunk, keeps the count
  }
  for (int chunk = 0; chunk < M::chunks; ++chunk) {
    waitCopies<Shape::stages - 2>();
    __syncthreads(); // this chunk is there for all, and all have left the stage that is filled next
    if (chunk + Shape::stages - 1 < M::chunks)
      warp.copy(chunk + Shape::stages - 1);
    commitCopies();
    if constexpr (M::widens) {
      float sums[Shape::tokenTile / 2] = {};
      const float scale = scales[scaleRow * M::chunks + chunk];
      warp.multiply(sums, chunk);
#pragma unroll
      for (int value = 0; value < Shape::tokenTile / 2; ++value)
        totals[value] = __fmaf_rn(sums[value], scale, totals[value]); // fused, whatever --fmad says
    } else {
      warp.multiply(totals, chunk);
    }
  }
  waitCopies<0>();
  Finish<Shape, M>(shared, place, tokens).run(totals, epilogue);
}

} // namespace kimi
