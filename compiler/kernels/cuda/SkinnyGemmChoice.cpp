// Which parameters a problem gets. The rules follow from what bounds a launch; their numbers are from the
// measurements in README.md. Nothing is timed or tried: the same problem gets the same parameters on every machine.
//
//   tokens | bound by                                    | so
//   -------|---------------------------------------------|------------------------------------------------------
//   <= 32  | memory, where launches overlap; else the    | small blocks, most weights asked for before the wait;
//          | chain wait, tokens, product, sum, store     | two or three launches side by side
//   64     | tokens from L2: every block reads them all  | 128 rows per block where that leaves enough blocks;
//          |                                             | the next launch starts when all weights are asked for
//   128    | the same, and registers: sums twice 128     | 64 rows, two launches side by side; 128 rows where the
//          |                                             | depth is long: start and end matter less
//   64 and | tensor cores, scaling, and shared memory's  | tokens as rows (rowsOf128): as many multiprocessors as
//   128,   | port, in the chain wait, tokens, product,   | possible, one block of a launch each, few parts of the
//   e4m3   | sum, store                                  | depth: their sums cross slowly
#include "compiler/kernels/cuda/SkinnyGemm.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <optional>

namespace kimi::cuda {

namespace {

int ceilDivide(int64_t value, int64_t divisor) { return static_cast<int>((value + divisor - 1) / divisor); }

// Dynamic shared memory of a block where `residency` of them fit a multiprocessor: 228 KiB, 1 KiB of each for
// the system.
int sharedBudget(int residency) { return (228 * 1024) / residency / 128 * 128 - 1024; }

struct Chooser {
  const SkinnyProblem &problem;
  const Splice &prologue, &epilogue;
  int multiprocessors;
  int chunks = ceilDivide(problem.depth, 128);

  int blocks(int rowTiles, int split) const { return ceilDivide(problem.columns, 64 * rowTiles) * split; }

  // The least split that gives so many blocks per multiprocessor with at most so many chunks each; 8 if none
  // does.
  int splitFor(int rowTiles, double blocksEach, int mostChunks) const {
    for (int split = 1; split < std::min(8, chunks); ++split)
      if (blocks(rowTiles, split) >= blocksEach * multiprocessors && ceilDivide(chunks, split) <= mostChunks)
        return split;
    return std::min(8, chunks);
  }

  // What the epilogue asks for: whole spans or rows in one block.
  int leastRowTiles() const {
    if (epilogue.kind == SpliceClass::block)
      return epilogue.width / 64;
    return epilogue.kind == SpliceClass::row ? ceilDivide(problem.columns, 64) : 1;
  }

  // Registers of a consumer's thread: sums, those under way, widened weights, and what the rest takes by
  // experience.
  int registersWanted(const SkinnyParameters &p) const {
    const int values = p.tokenTile / 2,
              underWay = problem.format == SkinnyFormat::bf16xBf16 ? 0 : p.accumulators;
    return values * (1 + underWay) + (problem.format == SkinnyFormat::e4m3xBf16 ? 32 * p.accumulators : 0) +
           (prologue.kind == SpliceClass::none ? 14 : 24);
  }

  // At 128 tokens the helping warps give theirs away (consumerRegisters); elsewhere all threads have the
  // same.
  bool registersSuffice(const SkinnyParameters &p) const {
    const int threads = skinnyLaunch(problem, p, prologue).threads,
              each = 65536 / p.residency / threads / 8 * 8;
    return p.tokenTile == 128 || each >= registersWanted(p);
  }

  SkinnyParameters few(int tokenTile) const;
  SkinnyParameters sixtyFour() const;
  SkinnyParameters most() const;
  bool fillRings(SkinnyParameters &p, int mostTokenStages) const;

  // Whether so many row tiles per block in so many parts, of depth and tokens together, occupy between `least` and all
  // multiprocessors, one block each.
  bool occupies(int rowTiles, int parts, double least) const {
    const double share = static_cast<double>(blocks(rowTiles, parts)) / multiprocessors;
    return share >= least && share <= 1.0;
  }
  std::optional<SkinnyParameters> rowsOf64() const;
  std::optional<SkinnyParameters> rowsOf128() const;
  std::optional<SkinnyParameters> twice64() const;
  std::optional<SkinnyParameters> many(int tokenTile) const;

  // 640 threads for spans of 256 columns leave each few registers: the sums of 128 tokens spill. Measured, 64 tokens and
  // blocks of which some wait for a multiprocessor are slower than two kernels (README.md).
  bool hasWideSpans() const { return epilogue.kind == SpliceClass::block && epilogue.width == 256; }
  bool widensTooMuch(int tokenTile) const {
    return tokenTile >= 64 || blocks(4, 1) > multiprocessors;
  }
};

// Tokens as rows, for 33 .. 64. Order of the numbers: tile, row tiles, depth groups, split, stages (tokens' the
// most that pay), accumulators, successors, residency, token rows, token blocks, weights first, lead. The lead is
// what makes the next launch about 3 µs early: its blocks, maps and barriers are then ready when this one ends.
std::optional<SkinnyParameters> Chooser::rowsOf64() const {
  if (leastRowTiles() > 1)
    return std::nullopt;
  if (chunks <= 28 && blocks(1, 1) >= 0.8 * multiprocessors && blocks(1, 1) <= 2 * multiprocessors)
    return SkinnyParameters{64, 1, 1, 1, 0, 6, 1, 2, 2, 1, 1, 0};
  if (chunks > 1 && occupies(1, 2, 0.8))
    return SkinnyParameters{64, 1, 1, 2, 0, 6, 1, 1, 2, 1, 1, 0, 10};
  if (chunks > 1 && occupies(1, 2, 0.35) && !occupies(1, 2, 0.51)) // two launches, on other multiprocessors
    return SkinnyParameters{64, 1, 2, 2, 0, 12, 1, 2, 1, 1, 1, 4};
  return std::nullopt;
}

// The same for 65 .. 128; where the epilogue wants spans of 128 columns, 128 rows per block.
std::optional<SkinnyParameters> Chooser::rowsOf128() const {
  const bool shallow = chunks <= 28;
  if (leastRowTiles() > 2 || epilogue.kind == SpliceClass::row)
    return std::nullopt;
  if (shallow && (occupies(2, 1, 0.6) || blocks(2, 1) > multiprocessors))
    return SkinnyParameters{128, 2, 1, 1, 0, 6, 2, 1, 1, 1, 1, 5, 4};
  if (shallow && occupies(2, 2, 0.8))
    return SkinnyParameters{64, 2, 1, 1, 0, 3, 1, 1, 2, 1, 2, 0, 3};
  if (leastRowTiles() == 2 || occupies(2, 2, 0.8) || blocks(2, 1) > multiprocessors)
    return SkinnyParameters{128, 2, 1, splitFor(2, 0.7, 32), 0, 6, 1, 1, 1, 1, 1, 3, 6};
  if (chunks > 1 && occupies(1, 4, 0.8))
    return SkinnyParameters{64, 1, 1, 2, 0, 6, 1, 1, 2, 1, 2, 0, 10};
  return SkinnyParameters{128, 1, 1, splitFor(1, 0.7, chunks), 0, 4, 1, 1, 2, 1, 1, 0, 6};
}

// Widened weights, 65 .. 128 tokens: twice 64, with half the sums per thread, where the depth of a block is short.
std::optional<SkinnyParameters> Chooser::twice64() const {
  if (prologue.kind != SpliceClass::none || epilogue.kind == SpliceClass::row || leastRowTiles() > 2)
    return std::nullopt;
  for (int split = 1; split <= std::min(2, chunks); ++split) {
    if (ceilDivide(chunks, split) > 28)
      continue;
    if (occupies(2, 2 * split, 0.8))
      return SkinnyParameters{64, 2, 1, split, 0, 7, 1, 1, 1, 0, 2};
    if (leastRowTiles() == 1 && split == 2 && occupies(1, 2 * split, 0.8))
      return SkinnyParameters{64, 1, 1, split, 0, 4, 1, 1, 2, 0, 2};
  }
  return std::nullopt;
}

std::optional<SkinnyParameters> Chooser::many(int tokenTile) const {
  std::optional<SkinnyParameters> p;
  if (problem.format == SkinnyFormat::e4m3xE4m3 && tokenTile >= 64)
    p = tokenTile == 64 ? rowsOf64() : rowsOf128();
  else if (problem.format == SkinnyFormat::e4m3xBf16 && tokenTile == 128)
    p = twice64();
  if (!p || !fillRings(*p, p->tokenStages))
    return std::nullopt;
  p->weightsFirst = std::min(p->weightsFirst, p->weightStages);
  return p;
}

// Up to 32 tokens.
SkinnyParameters Chooser::few(int tokenTile) const {
  const bool quick = problem.format == SkinnyFormat::e4m3xE4m3 && tokenTile <= 16;
  SkinnyParameters p = {};
  p.tokenTile = tokenTile;
  p.rowTiles = 1;
  p.residency = 2;
  p.accumulators = quick ? 2 : 1;
  p.depthGroups = problem.format == SkinnyFormat::bf16xBf16
                      ? 1
                      : 2; // a chunk of codes costs more instructions than bytes
  // One block per rows is best where these are enough and not too deep: no cluster, no sum over blocks.
  const bool whole = blocks(1, 1) >= 0.8 * multiprocessors && chunks <= 16;
  p.split = whole ? 1 : splitFor(1, quick ? 1.6 : 0.9, chunks);
  if (quick && whole && chunks > 1 &&
      blocks(1, 1) >= 1.4 * multiprocessors) { // as many blocks of half the depth
    p.rowTiles = p.split = 2;
    p.depthGroups = 1;
  }
  if (quick && p.split > 2) { // short blocks: a third launch hides what two leave
    p.residency = 3;
    p.depthGroups = 1;
  }
  return p;
}

SkinnyParameters Chooser::sixtyFour() const {
  SkinnyParameters p = {64, 1, 1, 1, 0, 0, 1, 1, 2};
  if (problem.format == SkinnyFormat::bf16xBf16) {
    p.rowTiles = 2;
    p.residency = 1;
    p.split = splitFor(2, 0.4, 32);
  } else if (problem.format == SkinnyFormat::e4m3xE4m3 && splitFor(2, 0.7, chunks) <= 2) {
    p.rowTiles = 2;
    p.split = splitFor(2, 0.7, chunks);
  } else {
    p.split = splitFor(1, blocks(1, 1) >= 0.8 * multiprocessors && chunks <= 16 ? 0.8 : 0.9, chunks);
    p.accumulators = problem.format == SkinnyFormat::e4m3xE4m3 && ceilDivide(chunks, p.split) > 2 ? 2 : 1;
  }
  return p;
}

SkinnyParameters Chooser::most() const {
  SkinnyParameters p = {128, 1, 1, 1, 0, 0, 1, 1, 2};
  p.split = splitFor(1, 0.8, chunks);
  if (problem.format != SkinnyFormat::e4m3xE4m3 || ceilDivide(chunks, p.split) > 28) {
    p.rowTiles = 2;
    p.residency = 1;
    p.split = splitFor(2, problem.format == SkinnyFormat::e4m3xE4m3 ? 0.7 : 0.4, 32);
  }
  return p;
}

// The longest rings that leave room for `residency` blocks, of about equal length, tokens up to
// `mostTokenStages`.
bool Chooser::fillRings(SkinnyParameters &p, int mostTokenStages) const {
  const int step = p.depthGroups, turns = ceilDivide(ceilDivide(chunks, p.split), step) * step;
  const int least = std::max(p.accumulators * step, ceilDivide(2, step) * step),
            budget = sharedBudget(p.residency);
  const auto fits = [&](int weights, int tokens) {
    p.weightStages = weights;
    p.tokenStages = tokens;
    return skinnySharedBytes(problem, p) <= budget;
  };
  const int cap = std::max(least, std::min(turns, 32 / step * step));
  int tokens = std::max(least, std::min(mostTokenStages / step * step, cap)), weights = cap;
  while (!fits(weights, tokens)) {
    if (weights > least && (weights > tokens || tokens <= 5))
      weights -= step;
    else if (tokens > least)
      tokens -= step;
    else
      return false;
  }
  while (tokens + step <= std::min(mostTokenStages, cap) && fits(weights, tokens + step))
    tokens += step;
  fits(weights, tokens);
  return true;
}

} // namespace

llvm::Expected<SkinnyParameters> chooseSkinny(const SkinnyProblem &problem, const Splice &prologue,
                                              const Splice &epilogue, int multiprocessors) {
  const Chooser chooser{problem, prologue, epilogue, multiprocessors};
  const int tile = problem.tokens <= 8    ? 8
                   : problem.tokens <= 16 ? 16
                   : problem.tokens <= 32 ? 32
                   : problem.tokens <= 64 ? 64
                                          : 128;
  if (chooser.hasWideSpans() && chooser.widensTooMuch(tile))
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   "skinny_gemm is slow with spans of 256 of %lld columns and up to %d tokens: peel the "
                                   "epilogue into a kernel of its own",
                                   static_cast<long long>(problem.columns), tile);
  if (const std::optional<SkinnyParameters> p = chooser.many(tile)) {
    if (llvm::Error error = checkSkinny(problem, *p, prologue, epilogue))
      return error;
    return *p;
  }
  SkinnyParameters p = tile == 128 ? chooser.most() : tile == 64 ? chooser.sixtyFour() : chooser.few(tile);
  if (const int least = chooser.leastRowTiles(); p.rowTiles < least) {
    p.rowTiles = std::min(least, 4);
    p.depthGroups = p.accumulators = 1;
    p.split = chooser.hasWideSpans() ? chooser.splitFor(p.rowTiles, 0.8, chooser.chunks)
                                     : chooser.splitFor(p.rowTiles, 0.7, 32);
    p.residency = tile == 128 || (p.rowTiles > 2 && !(chooser.hasWideSpans() && tile <= 32)) ? 1 : 2;
  }
  if (ceilDivide(chooser.chunks, p.split) < p.accumulators * p.depthGroups) // nothing to overlap
    p.accumulators = p.depthGroups = 1;
  // Tokens come from L2, weights from memory: a few stages bridge that latency, all else is for weights.
  const bool wide = problem.format != SkinnyFormat::e4m3xE4m3; // tokens of two bytes
  const int tokenStages = chooser.hasWideSpans() ? (tile == 32 ? 3 : 5) // 32 KiB of weights a stage: they need the room
                          : tile <= 32      ? 32
                          : wide            ? 3
                          : tile == 128     ? (p.residency == 1 ? 6 : 3)
                          : p.rowTiles == 2 ? 3
                                            : 5;
  while (!chooser.registersSuffice(p) && p.residency > 1)
    --p.residency;
  if (prologue.kind != SpliceClass::none && tile == 128) { // eight helping warps: no room for a second block
    p.rowTiles = chooser.leastRowTiles();
    p.residency = 1;
  }
  while (!chooser.fillRings(p, tokenStages) && p.residency > 1)
    --p.residency;
  if (!chooser.fillRings(p, tokenStages)) // what a split receives takes as much room as the sums
    p.split = 1, chooser.fillRings(p, tokenStages);
  if (llvm::Error error = checkSkinny(problem, p, prologue, epilogue))
    return error;
  return p;
}

} // namespace kimi::cuda
