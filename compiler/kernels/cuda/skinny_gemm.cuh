// Skinny GEMM: out[t, n] = sum over k of x[t, k] * w[n, k], for few tokens (sm_90a). Weights are read once, as fast as memory
// gives them; all else hides behind that.
//
//   warp               | does
//   -------------------|----------------------------------------------------------------------------------------------
//   4 per warpgroup    | consumers: weights times tokens on the tensor cores, promotion, reduction, epilogue
//   consumers / 32     | loads weights, from the first moment: before the predecessors of the launch have finished
//   + 1                | loads tokens, after they have (with an element prologue: four warps, from + 3 on)
//   + 2                | loads scales
//
// Numerics: e4m3 x e4m3 (profile w8a8-1x128) and e4m3 x bf16 (w8a16) are summed over 128 of depth by the tensor cores and
// from there on in f32, scaled; bf16 x bf16 in f32 throughout.
namespace kimi {

template <class Shape, class Prologue> __device__ constexpr int skinnyThreads() {
  return Memory<Shape>::consumers + (Prologue::kind == Splice::none ? 96 : 256);
}

template <class Shape, class Prologue>
__device__ __forceinline__ void initSkinny(unsigned shared) {
  using M = Memory<Shape>;
  const Barriers<Shape> barriers(shared);
  constexpr bool transforms = Prologue::kind != Splice::none;
  for (int stage = 0; stage < Shape::weightStages; ++stage) {
    initBarrier(barriers.fullWeights(stage), 1);
    initBarrier(barriers.emptyWeights(stage), 4 * Shape::rowTiles);
  }
  for (int stage = 0; stage < Shape::tokenStages; ++stage) {
    initBarrier(barriers.fullTokens(stage), (transforms ? 128 : 1) + (M::tokensScaled ? 32 : 0));
    initBarrier(barriers.emptyTokens(stage), 4 * Shape::rowTiles * Shape::share);
  }
  initBarrier(barriers.scales(), 32);
  initBarrier(barriers.received(), 1);
  fenceBarrierInit();
}

template <class Shape, class Prologue, class Epilogue>
__device__ __forceinline__ void skinnyGemm(unsigned char *shared, const long long *dims, const float *weightScales,
                                           const typename Shape::Token *activations, const float *tokenScales,
                                           const TensorMap *weightMap, const TensorMap *tokenMap, const Prologue &prologue,
                                           const Epilogue &epilogue) {
  using M = Memory<Shape>;
  constexpr bool clustered = Shape::split * Shape::share > 1, transforms = Prologue::kind != Splice::none;
  const int warp = __shfl_sync(0xffffffffu, threadIdx.x / 32, 0), helper = warp - M::consumers / 32;
  const bool first = threadIdx.x % 32 == 0;
  const Place<Shape> place;
  if (threadIdx.x == 0)
    initSkinny<Shape, Prologue>(sharedAddress(shared));
  __syncthreads();
  if constexpr (clustered)
    arriveCluster();
  letSuccessorsStart();

  if (helper == 0) {
    if (first)
      loadWeights<Shape>(sharedAddress(shared), weightMap, place);
  } else if (helper == 1 && !transforms) {
    if constexpr (clustered)
      waitCluster();
    waitForPredecessors();
    if (first)
      loadTokens<Shape>(sharedAddress(shared), tokenMap, place);
    return;
  } else if (helper == 2) {
    if constexpr (M::weightsScaled) {
      loadWeightScales<Shape>(shared, weightScales, place);
      arrive(Barriers<Shape>(sharedAddress(shared)).scales());
    }
    if constexpr (M::tokensScaled) {
      waitForPredecessors();
      loadTokenScales<Shape>(sharedAddress(shared), tokenScales, place);
    }
  } else if (helper >= 3) {
    if constexpr (transforms) {
      waitForPredecessors();
      transformTokens<Shape>(shared, activations, static_cast<int>(dims[1]), place, prologue);
    }
  } else if (helper < 0) {
    waitForPredecessors();
    const Finish<Shape> finish(shared, place, static_cast<int>(dims[1]));
    finish.expect();
    float totals[Shape::tokenTile / 2];
    Consumer<Shape>(shared, place).run(totals);
    finish.run(totals, epilogue); // waits for the cluster where it divides the depth
    if constexpr (clustered && Shape::split == 1)
      waitCluster();
    return;
  }
  if constexpr (clustered)
    waitCluster();
}

} // namespace kimi
