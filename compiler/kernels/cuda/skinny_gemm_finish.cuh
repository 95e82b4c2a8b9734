// Skinny GEMM, part 4: from the accumulators of all warpgroups and blocks to the epilogue.
//
//   accumulators ▶ shared memory [depth group][token][row] ▶ split: token t to block t % split ▶ epilogue
namespace kimi {

template <class Shape, class M = Memory<Shape>> struct Finish {
  static constexpr int values = M::values;
  static constexpr int unroll =
      Shape::tokenTile >= 64 ? 4 : 1; // tokens that a thread reads at once; each costs registers

  unsigned char *shared;
  float *partial;
  const float *received;
  const Place<Shape, M> &place;
  int tokens; // of this block

  __device__ __forceinline__ Finish(unsigned char *shared, const Place<Shape, M> &place, int tokens)
      : shared(shared), partial(reinterpret_cast<float *>(shared)),
        received(reinterpret_cast<const float *>(shared + M::received)), place(place),
        tokens(min(max(tokens - place.token, 0), Shape::tokenTile)) {}

  // One thread: how many bytes the other blocks of the split will send.
  __device__ __forceinline__ void expect() const {
    arriveExpecting(Barriers<Shape>(sharedAddress(shared)).received(),
                    own() * M::rows * 4 * (Shape::split - 1));
  }

  template <class Epilogue>
  __device__ __forceinline__ void run(const float (&totals)[values], const Epilogue &epilogue) const {
    syncThreads(1, M::consumers); // this block's rings are empty: every warp has read them
    constexpr bool meet = Shape::split > 1 && M::sendsLate; // what is sent takes the place of others' rings
    if constexpr (meet)
      arriveCluster();
    store(totals);
    syncThreads(1, M::consumers);
    if constexpr (Shape::split > 1) {
      if constexpr (meet)
        waitCluster();
      send();
      waitBarrier(Barriers<Shape>(sharedAddress(shared)).received(), 0);
    }
    if constexpr (Epilogue::kind == Splice::block)
      passBlocks(epilogue);
    else if constexpr (Epilogue::kind == Splice::row)
      passRows(epilogue);
    else
      passElements(epilogue);
  }

private:
  // Tokens that this block passes on: part, part + split, ... below `tokens`.
  __device__ __forceinline__ int own() const {
    return (tokens - place.part + Shape::split - 1) / Shape::split;
  }

  __device__ __forceinline__ void store(const float (&totals)[values]) const {
    const int lane = threadIdx.x % 32, tile = threadIdx.x / 128 % M::tiles;
    const int group = threadIdx.x / 128 / M::tiles,
              first = 64 * tile + 16 * (threadIdx.x / 32 % 4) + lane / 4; // row of the product
    float *sums = partial + group * Shape::tokenTile * M::pitch;
#pragma unroll
    for (int part = 0; part < values / 2; ++part) { // two neighbours of a row
      const int row = first + part % 2 * 8, column = part / 2 * 8 + 2 * (lane % 4);
      const float2 two = make_float2(totals[2 * part], totals[2 * part + 1]);
      if (M::tokenRows && row < tokens)
        *reinterpret_cast<float2 *>(sums + row * M::pitch + column) = two;
      if (!M::tokenRows && column < tokens)
        sums[column * M::pitch + row] = two.x;
      if (!M::tokenRows && column + 1 < tokens)
        sums[(column + 1) * M::pitch + row] = two.y;
    }
  }

  // `width` (1, 2 or 4) consecutive floats at a multiple of it.
  template <int width>
  __device__ __forceinline__ static void read(float (&result)[width], const float *source) {
    if constexpr (width == 4) {
      const float4 four = *reinterpret_cast<const float4 *>(source);
      result[0] = four.x, result[1] = four.y, result[2] = four.z, result[3] = four.w;
    } else if constexpr (width == 2) {
      const float2 two = *reinterpret_cast<const float2 *>(source);
      result[0] = two.x, result[1] = two.y;
    } else {
#pragma unroll
      for (int value = 0; value < width; ++value)
        result[value] = source[value];
    }
  }

  // This block's sums of `width` rows, over its depth groups in order.
  template <int width>
  __device__ __forceinline__ void sumHere(float (&result)[width], int token, int row) const {
    read(result, partial + token * M::pitch + row);
#pragma unroll
    for (int group = 1; group < Shape::depthGroups; ++group) {
      float next[width];
      read(next, partial + (group * Shape::tokenTile + token) * M::pitch + row);
#pragma unroll
      for (int value = 0; value < width; ++value)
        result[value] += next[value];
    }
  }

  // The sums of the whole depth, over the blocks of the split in order.
  template <int width>
  __device__ __forceinline__ void sumRows(float (&result)[width], int token, int row) const {
    if constexpr (Shape::split == 1)
      sumHere(result, token, row);
    else
#pragma unroll
      for (int part = 0; part < Shape::split; ++part) {
        float next[width];
        if (part == place.part)
          sumHere(next, token, row);
        else
          read(next, received + (part * M::ownTokens + token / Shape::split) * M::rows + row);
#pragma unroll
        for (int value = 0; value < width; ++value)
          result[value] = part == 0 ? next[value] : result[value] + next[value];
      }
  }

  // The same of `width` columns: rows, or of two weights in turn.
  template <int width>
  __device__ __forceinline__ void sumAll(float (&result)[width], int token, int column) const {
    if constexpr (!M::twins) {
      sumRows(result, token, column);
    } else {
      float first[width / 2], second[width / 2];
      sumRows(first, token, column / 2);
      sumRows(second, token, M::weightRows + column / 2);
#pragma unroll
      for (int value = 0; value < width; ++value)
        result[value] = value % 2 ? second[value / 2] : first[value / 2];
    }
  }

  // To each other block its tokens. A thread keeps its rows and walks over tokens, `together` at a time.
  __device__ __forceinline__ void send() const {
    constexpr int perToken = M::rows / 4, step = M::consumers / perToken;
    constexpr int rounds = (M::ownTokens + step - 1) / step, together = rounds < 4 ? rounds : 4;
    const unsigned base = sharedAddress(shared), row = threadIdx.x % perToken * 4;
    const int first = threadIdx.x / perToken;
    for (int other = 1; other < Shape::split; ++other) {
      const int owner = (place.part + other) % Shape::split;
      const unsigned barrier = mapToBlock(Barriers<Shape>(base).received(), owner);
      const unsigned target =
          mapToBlock(base + M::received + (place.part * M::ownTokens * M::rows + row) * 4, owner);
      for (int index = first; index * Shape::split + owner < tokens; index += step * together) {
        float sums[together][4];
#pragma unroll
        for (int round = 0; round < together; ++round)
          if (const int token = (index + round * step) * Shape::split + owner; token < tokens)
            sumHere(sums[round], token, row);
#pragma unroll
        for (int round = 0; round < together; ++round)
          if ((index + round * step) * Shape::split + owner < tokens)
            sendRemote(target + (index + round * step) * M::rows * 4,
                       make_float4(sums[round][0], sums[round][1], sums[round][2], sums[round][3]), barrier);
      }
    }
  }

  template <class Epilogue> __device__ __forceinline__ void passElements(const Epilogue &epilogue) const {
    constexpr int width = Epilogue::width, perToken = M::rows / width, step = M::consumers / perToken;
    const int row = static_cast<int>(threadIdx.x) % perToken * width, count = own();
    if (place.row + row >= Shape::columns)
      return;
#pragma unroll unroll
    for (int index = threadIdx.x / perToken; index < count; index += step) {
      const int token = index * Shape::split + place.part;
      float sums[width];
      sumAll(sums, token, row);
      epilogue(place.token + token, place.row + row, sums);
    }
  }

  template <class Epilogue> __device__ __forceinline__ void passBlocks(const Epilogue &epilogue) const {
    constexpr int width = Epilogue::span / 32, perToken = M::rows / Epilogue::span;
    static_assert(M::rows % Epilogue::span == 0 && Shape::columns % Epilogue::span == 0,
                  "a block has whole spans");
    for (int item = threadIdx.x / 32; item < own() * perToken; item += M::consumers / 32) {
      const int token = item / perToken * Shape::split + place.part;
      const int row = item % perToken * Epilogue::span + static_cast<int>(threadIdx.x % 32) * width;
      if (place.row + row >= Shape::columns)
        continue;
      float sums[width];
      sumAll(sums, token, row);
      epilogue(place.token + token, place.row + row, sums);
    }
  }

  // The sums go back to where this block's own were; a warp passes on what it has put there itself.
  template <class Epilogue> __device__ __forceinline__ void passRows(const Epilogue &epilogue) const {
    static_assert(Shape::columns <= M::rows && !M::twins, "a block has the whole row, in its order");
    for (int item = threadIdx.x / 32; item < own(); item += M::consumers / 32) {
      const int token = item * Shape::split + place.part;
      for (int row = threadIdx.x % 32; row < Shape::columns; row += 32) {
        float sum[1];
        sumAll(sum, token, row);
        partial[token * M::pitch + row] = sum[0];
      }
      __syncwarp();
      epilogue(place.token + token, partial + token * M::pitch);
    }
  }
};

} // namespace kimi
