// Skinny GEMM, part 4: from the accumulators of all warpgroups and blocks to the epilogue.
//
//   accumulators ▶ shared memory [depth group][token][row] ▶ (split: token t to the block t % split of the cluster) ▶ epilogue
namespace kimi {

template <class Shape> struct Finish {
  using M = Memory<Shape>;
  static constexpr int values = Shape::tokenTile / 2;

  unsigned char *shared;
  float *partial;
  const float *received;
  const Place<Shape> &place;
  int tokens;

  __device__ __forceinline__ Finish(unsigned char *shared, const Place<Shape> &place, int tokens)
      : shared(shared), partial(reinterpret_cast<float *>(shared)),
        received(reinterpret_cast<const float *>(shared + M::received)), place(place), tokens(tokens) {}

  // Before the product: how many bytes the other blocks of the split will send.
  __device__ __forceinline__ void expect() const {
    if (Shape::split > 1 && threadIdx.x == 0)
      arriveExpecting(Barriers<Shape>(sharedAddress(shared)).received(), own() * M::rows * 4 * (Shape::split - 1));
  }

  template <class Epilogue>
  __device__ __forceinline__ void run(const float (&totals)[values], const Epilogue &epilogue) const {
    syncThreads(1, M::consumers); // the rings are empty: every warp has read them
    store(totals);
    syncThreads(1, M::consumers);
    if constexpr (Shape::split > 1) {
      send();
      waitBarrierCluster(Barriers<Shape>(sharedAddress(shared)).received(), 0);
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
  __device__ __forceinline__ int own() const { return (tokens - place.part + Shape::split - 1) / Shape::split; }

  __device__ __forceinline__ void store(const float (&totals)[values]) const {
    const int lane = threadIdx.x % 32, tile = threadIdx.x / 128 % Shape::rowTiles;
    const int group = threadIdx.x / 128 / Shape::rowTiles, row = 64 * tile + 16 * (threadIdx.x / 32 % 4) + lane / 4;
    float *sums = partial + group * Shape::tokenTile * M::pitch + row;
#pragma unroll
    for (int part = 0; part < values / 4; ++part)
#pragma unroll
      for (int value = 0; value < 4; ++value) {
        const int token = 8 * part + 2 * (lane % 4) + value % 2;
        if (token < tokens)
          sums[token * M::pitch + 8 * (value / 2)] = totals[4 * part + value];
      }
  }

  // This block's sums of `width` rows, over its depth groups in order.
  template <int width> __device__ __forceinline__ void sumHere(float (&result)[width], int token, int row) const {
#pragma unroll
    for (int group = 0; group < Shape::depthGroups; ++group)
#pragma unroll
      for (int value = 0; value < width; ++value) {
        const float next = partial[(group * Shape::tokenTile + token) * M::pitch + row + value];
        result[value] = group == 0 ? next : result[value] + next;
      }
  }

  // The sums of the whole depth, over the blocks of the split in order.
  template <int width> __device__ __forceinline__ void sumAll(float (&result)[width], int token, int row) const {
    if constexpr (Shape::split == 1)
      sumHere(result, token, row);
    else
#pragma unroll
    for (int part = 0; part < Shape::split; ++part) {
      float next[width];
      if (part == place.part)
        sumHere(next, token, row);
      else
#pragma unroll
        for (int value = 0; value < width; ++value)
          next[value] = received[(part * M::ownTokens + token / Shape::split) * M::rows + row + value];
#pragma unroll
      for (int value = 0; value < width; ++value)
        result[value] = part == 0 ? next[value] : result[value] + next[value];
    }
  }

  __device__ __forceinline__ void send() const {
    waitCluster(); // the others have begun and their barriers are ready
    const unsigned base = sharedAddress(shared);
    for (int item = threadIdx.x; item < tokens * (M::rows / 4); item += M::consumers) {
      const int token = item / (M::rows / 4), row = item % (M::rows / 4) * 4, owner = token % Shape::split;
      if (owner == place.part)
        continue;
      float sums[4];
      sumHere(sums, token, row);
      const unsigned rank = owner * Shape::share + place.sharer;
      const unsigned target = base + M::received + ((place.part * M::ownTokens + token / Shape::split) * M::rows + row) * 4;
      sendRemote(mapToBlock(target, rank), make_float4(sums[0], sums[1], sums[2], sums[3]),
                 mapToBlock(Barriers<Shape>(base).received(), rank));
    }
  }

  template <class Epilogue> __device__ __forceinline__ void passElements(const Epilogue &epilogue) const {
    constexpr int width = Epilogue::width, perToken = M::rows / width;
    for (int item = threadIdx.x; item < own() * perToken; item += M::consumers) {
      const int token = item / perToken * Shape::split + place.part, row = item % perToken * width;
      if (place.row + row >= Shape::columns)
        continue;
      float sums[width];
      sumAll(sums, token, row);
      epilogue(token, place.row + row, sums);
    }
  }

  template <class Epilogue> __device__ __forceinline__ void passBlocks(const Epilogue &epilogue) const {
    constexpr int width = Epilogue::span / 32, perToken = M::rows / Epilogue::span;
    static_assert(M::rows % Epilogue::span == 0 && Shape::columns % Epilogue::span == 0, "a block has whole spans");
    for (int item = threadIdx.x / 32; item < own() * perToken; item += M::consumers / 32) {
      const int token = item / perToken * Shape::split + place.part;
      const int row = item % perToken * Epilogue::span + static_cast<int>(threadIdx.x % 32) * width;
      if (place.row + row >= Shape::columns)
        continue;
      float sums[width];
      sumAll(sums, token, row);
      epilogue(token, place.row + row, sums);
    }
  }

  // The sums go back to where this block's own were; a warp passes on what it has put there itself.
  template <class Epilogue> __device__ __forceinline__ void passRows(const Epilogue &epilogue) const {
    static_assert(Shape::columns <= M::rows, "a block has the whole row");
    for (int item = threadIdx.x / 32; item < own(); item += M::consumers / 32) {
      const int token = item * Shape::split + place.part;
      for (int row = threadIdx.x % 32; row < Shape::columns; row += 32) {
        float sum[1];
        sumAll(sum, token, row);
        partial[token * M::pitch + row] = sum[0];
      }
      __syncwarp();
      epilogue(token, partial + token * M::pitch);
    }
  }
};

} // namespace kimi
