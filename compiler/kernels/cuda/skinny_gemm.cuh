// Skinny GEMM: out[t, n] = sum over k of x[t, k] * w[n, k], for few tokens (sm_90a). Weights are read once, as fast
// as memory gives them; all else hides behind that.
//
//   warp            | does
//   ----------------|-----------------------------------------------------------------------------------------
//   4 per warpgroup | consumers: weights times tokens on the tensor cores, promotion, reduction, epilogue
//   consumers / 32  | loads weights, from the first moment: while predecessors of the launch still run
//   + 1             | loads tokens, after them (with an element prologue four warps do: + 4 .. + 7)
//   + 2             | loads scales
//   + 3             | says how many sums other blocks will send
//
// Numerics: e4m3 x e4m3 (profile w8a8-1x128) and e4m3 x bf16 (w8a16) are summed over 128 of depth by the tensor
// cores and from there on in f32, scaled; bf16 x bf16 in f32 throughout.
namespace kimi {

template <class Shape, class Prologue> __device__ constexpr int skinnyThreads() {
  return Memory<Shape>::consumers + (Prologue::kind == Splice::none ? 128 : 256);
}

// Each barrier by another thread.
template <class Shape, class Prologue> __device__ __forceinline__ void initSkinny(unsigned shared) {
  using M = Memory<Shape>;
  const Barriers<Shape> barriers(shared);
  const int thread = threadIdx.x;
  if (thread < Shape::weightStages) {
    initBarrier(barriers.fullWeights(thread), 1);
    initBarrier(barriers.emptyWeights(thread), 4 * M::tiles);
  }
  if (thread < Shape::tokenStages) {
    constexpr int loaders = Prologue::kind == Splice::none ? 1 : 128;
    initBarrier(barriers.fullTokens(thread), loaders + (M::tokensScaled ? 32 : 0));
    initBarrier(barriers.emptyTokens(thread), 4 * M::tiles);
  }
  if (thread == 32) {
    initBarrier(barriers.scales(), 32);
    initBarrier(barriers.received(), 1);
  }
  if (thread < 64)
    fenceBarrierInit();
}

template <class Shape, class Prologue, class Epilogue>
__device__ __forceinline__ void
skinnyGemm(unsigned char *shared, const long long *dims, const float *weightScales,
           const typename Shape::Token *activations, const float *tokenScales, const TensorMap *weightMap,
           const TensorMap *tokenMap, const Prologue &prologue, const Epilogue &epilogue,
           const float *twinScales = nullptr, const TensorMap *twinMap = nullptr) {
  using M = Memory<Shape>;
  constexpr bool clustered = Shape::split > 1, transforms = Prologue::kind != Splice::none;
  const int warp = __shfl_sync(0xffffffffu, threadIdx.x / 32, 0), helper = warp - M::consumers / 32;
  const bool first = threadIdx.x % 32 == 0;
  const Place<Shape> place;
  if (helper == 0 && first)
    prefetchMap(weightMap);
  if (M::twins && helper == 0 && first)
    prefetchMap(twinMap);
  if (helper == 1 && first)
    prefetchMap(tokenMap);
  initSkinny<Shape, Prologue>(sharedAddress(shared));
  __syncthreads();
  if constexpr (clustered)
    arriveCluster();
  if constexpr (Shape::successors == 0)
    letSuccessorsStart();

  if (helper < 0) {
    if constexpr (Shape::consumerRegisters > 0)
      raiseRegisters<Shape::consumerRegisters>();
    if constexpr (clustered)
      waitCluster(); // the other blocks have begun, and their barriers are ready
    waitForPredecessors();
    const int tokens = static_cast<int>(dims[Shape::tokenSymbol]); // comes while the product runs
    float totals[M::values];
    if constexpr (M::tokenRows)
      RowConsumer<Shape>(shared, place).run(totals);
    else
      Consumer<Shape>(shared, place).run(totals);
    Finish<Shape>(shared, place, tokens).run(totals, epilogue);
  } else {
    if constexpr (Shape::consumerRegisters > 0)
      lowerRegisters<Shape::helperRegisters>();
    if (helper == 0 && first)
      loadWeights<Shape>(sharedAddress(shared), weightMap, twinMap, place);
    __syncwarp();
    if constexpr (clustered)
      waitCluster();
    if (helper == 1 && !transforms) {
      waitForPredecessors();
      if constexpr (Shape::successors == 2)
        letSuccessorsStart();
      if (first)
        loadTokens<Shape>(sharedAddress(shared), tokenMap, place);
    } else if (helper == 2) {
      if constexpr (M::weightsScaled) {
        loadWeightScales<Shape>(shared, weightScales, twinScales, place);
        arrive(Barriers<Shape>(sharedAddress(shared)).scales());
      }
      if constexpr (M::tokensScaled) {
        waitForPredecessors();
        loadTokenScales<Shape>(sharedAddress(shared), tokenScales, place,
                               static_cast<int>(dims[Shape::tokenSymbol]));
      }
    } else if (helper == 3 && Shape::split > 1) {
      waitForPredecessors();
      if (first)
        Finish<Shape>(shared, place, static_cast<int>(dims[Shape::tokenSymbol])).expect();
    } else if (helper >= 4) {
      if constexpr (transforms) {
        waitForPredecessors();
        if constexpr (Shape::successors == 2)
          letSuccessorsStart();
        transformTokens<Shape>(shared, activations, static_cast<int>(dims[Shape::tokenSymbol]), place, prologue);
      }
    }
  }
}

} // namespace kimi
