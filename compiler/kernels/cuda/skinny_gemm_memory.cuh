// Skinny GEMM, part 1: what a block knows at compile time, and its shared memory.
//
// `Shape` is written by the compiler (SkinnyGemmText.cpp):
//   columns, depth       N and K of the weight w[n, k]
//   tokens               the most that dims[tokens] may be: rows of the activations' buffer
//   tokenTile            8, 16, 32, 64 or 128: tokens of a block; with tokenBlocks at least `tokens`
//   tokenBlocks          blocks that divide the tokens: neighbours in the grid have the same rows
//   rowTiles             64-row tiles of the weight per block, 1 .. 4; with tokenRows 1 or 2, with twins 1, 2 or 4
//   twins                1: two weights of columns / 2 rows each: column 2 j is row j of the first, 2 j + 1 row j of the
//                        second; a block has the same rows of both, in shared memory the first's before the second's
//   depthGroups          warpgroups that take the chunks of depth in turn, for each row tile
//   split                blocks of a cluster that divide the depth
//   weightStages         chunks of 128 of depth of the weight in flight; depthGroups divides it
//   tokenStages          the same of the activations
//   weightsFirst         chunks of the weight that are asked for before the first tokens come; 0: all that fit
//   accumulators         2: the tensor cores have the next chunk while one is scaled; 1: registers are short
//   tokenRows            0: weights are the rows of the tensor cores' product, tokens its columns. 1: the other way
//                        round, 64 tokens per warpgroup, all rows of the block its columns: for 64 and 128 tokens
//   successors           when the next kernel may start, and compete for memory: 0 at once, 1 when all weights
//                        but the last `lead` chunks have been asked for, 2 when the predecessors have ended
//   consumerRegisters    0, or what a consumer's thread gets at the helpers' expense, who keep helperRegisters
//   Weight, Token        E4m3 or Bf16
//   scaleRow(column)     row of the weight's scale grid (e4m3 only)
namespace kimi {

constexpr int chunkDepth = 128; // one scale of e4m3 activations and weights

template <class Shape> struct Memory {
  static constexpr bool tokenRows = Shape::tokenRows != 0, twins = Shape::twins != 0;
  static constexpr int rows = 64 * Shape::rowTiles;
  static constexpr int weightRows = twins ? rows / 2 : rows; // of each weight
  static constexpr int scaleRows = weightRows < 64 ? weightRows : 64, scaleTiles = rows / scaleRows; // one scale each
  static constexpr int tiles = tokenRows ? Shape::tokenTile / 64 : Shape::rowTiles; // warpgroups of one chunk
  static constexpr int consumers = 128 * tiles * Shape::depthGroups;
  static constexpr int values = (tokenRows ? rows : Shape::tokenTile) / 2; // accumulators per thread
  static constexpr int tokenBlocks = Shape::tokenBlocks;
  static constexpr int chunks = (Shape::depth + chunkDepth - 1) / chunkDepth;
  static constexpr int mostChunks = (chunks + Shape::split - 1) / Shape::split; // of one block
  static constexpr bool weightsScaled = Same<typename Shape::Weight, E4m3>::value;
  static constexpr bool tokensScaled = Same<typename Shape::Token, E4m3>::value;
  static constexpr bool widens = weightsScaled && !tokensScaled;

  static constexpr int weightChunk = rows * chunkDepth * sizeof(typename Shape::Weight);
  static constexpr int tokenChunk = Shape::tokenTile * chunkDepth * sizeof(typename Shape::Token);
  // The sums of this block, [depth group][token][row]: they take the rings' place when these are empty. The
  // pitch keeps the accumulators' stores free of bank conflicts.
  static constexpr int pitch = rows + (tokenRows ? 8 : 4);
  static constexpr int partialBytes = Shape::depthGroups * Shape::tokenTile * pitch * 4;
  // Sums of the other blocks of the split, [block][own token][row]. Where they are large they also take the
  // rings' place: the blocks of the cluster then meet before they send.
  static constexpr int ownTokens = (Shape::tokenTile + Shape::split - 1) / Shape::split;
  static constexpr int receivedBytes = Shape::split > 1 ? Shape::split *ownTokens *rows * 4 : 0;
  static constexpr bool sendsLate = receivedBytes > 8192;

  // Few tokens make chunks so short that addresses count: where all warpgroups have the same, few chunks,
  // these are constants.
  static constexpr int evenChunks =
      chunks % (Shape::split * Shape::depthGroups) == 0 ? chunks / (Shape::split * Shape::depthGroups) : 0;
  static constexpr bool unrolls = Shape::tokenTile <= 16 && !widens && evenChunks > 0 && evenChunks <= 16;

  static constexpr int weights = 0;
  static constexpr int tokens = weights + Shape::weightStages * weightChunk;
  static constexpr int rings = tokens + Shape::tokenStages * tokenChunk;
  static constexpr int sums = partialBytes + (sendsLate ? receivedBytes : 0);
  static constexpr int received = sendsLate ? partialBytes : rings > sums ? rings : sums;
  static constexpr int tokenScales = (rings > sums ? rings : sums) + (sendsLate ? 0 : receivedBytes);
  static constexpr int weightScales =
      tokenScales + (tokensScaled ? Shape::tokenStages * Shape::tokenTile * 4 : 0);
  static constexpr int barriers =
      weightScales + (weightsScaled ? (scaleTiles * mostChunks * 4 + 15) / 16 * 16 : 0);
  static constexpr int barrierCount = 2 * Shape::weightStages + 2 * Shape::tokenStages + 2;
  static constexpr int bytes = barriers + 8 * barrierCount;
};

// Addresses of the barriers. full: the copy has come. empty: every consumer has read it.
template <class Shape> struct Barriers {
  unsigned base;
  __device__ explicit Barriers(unsigned shared) : base(shared + Memory<Shape>::barriers) {}
  __device__ unsigned fullWeights(int stage) const { return base + 8 * stage; }
  __device__ unsigned emptyWeights(int stage) const { return base + 8 * (Shape::weightStages + stage); }
  __device__ unsigned fullTokens(int stage) const { return base + 8 * (2 * Shape::weightStages + stage); }
  __device__ unsigned emptyTokens(int stage) const {
    return base + 8 * (2 * Shape::weightStages + Shape::tokenStages + stage);
  }
  __device__ unsigned scales() const { return base + 8 * (2 * Shape::weightStages + 2 * Shape::tokenStages); }
  __device__ unsigned received() const { return scales() + 8; }
};

// Where this block is: its rows, tokens and part of the depth. Blocks of one cluster have the same rows and tokens.
template <class Shape, class M = Memory<Shape>> struct Place {
  int part;       // which part of the depth: the rank in the cluster
  int row;        // first column: of one weight, its row
  int token;      // first token
  int firstChunk; // of this part
  int count;      // chunks of this part

  __device__ Place() {
    const int block = static_cast<int>(blockIdx.x) / Shape::split;
    part = static_cast<int>(blockIdx.x) % Shape::split;
    token = block % M::tokenBlocks * Shape::tokenTile;
    row = block / M::tokenBlocks * M::rows;
    firstChunk = part * M::chunks / Shape::split;
    count = (part + 1) * M::chunks / Shape::split - firstChunk;
  }

  // The row of its own weight that row `row` of the block is.
  __device__ __forceinline__ int weightRow(int row) const {
    return M::twins ? this->row / 2 + row % M::weightRows : this->row + row;
  }
};

} // namespace kimi
