// Times variants as the peers were timed: one graph of many calls in a row that rotate over copies of the
// weight (256 MB or more), replayed 40 times, the median over replays by the calls of a replay; random data.
#include "tests/gpu/SkinnyCase.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <tuple>

namespace kimi::gpu {

namespace {

constexpr double readCeiling = 4530.0;   // GB/s, measured on an H200
constexpr double e4m3Ceiling = 1504.0e3; // GFLOP/s
constexpr double bf16Ceiling = 846.0e3;

// Best block-scaled FP8 peer, % of the read ceiling, on this kind of device at 1, 16, 64, 128 tokens.
int peerPercent(const Variant &v) {
  static const std::map<std::pair<int, int>, std::map<int, int>> peers = {
      {{2112, 7168}, {{1, 26}, {16, 33}, {64, 38}, {128, 36}}},
      {{12288, 1536}, {{1, 54}, {16, 57}, {64, 62}, {128, 61}}},
      {{7168, 8192}, {{1, 66}, {16, 67}, {64, 70}, {128, 54}}},
      {{4096, 7168}, {{1, 49}, {16, 56}, {64, 62}, {128, 54}}},
      {{7168, 2048}, {{1, 41}, {16, 50}, {64, 55}, {128, 46}}},
  };
  const auto shape = peers.find({v.columns, v.depth});
  if (v.format != "w8a8" || shape == peers.end() || !shape->second.contains(v.tokens))
    return 0;
  return shape->second.at(v.tokens);
}

double medianPerCall(const Variant &v, const Operands &operands, bool programmatic) {
  static const CUstream stream = newStream();
  const int copies = static_cast<int>(operands.weights.size());
  std::vector<Call> calls;
  for (int copy = 0; copy < copies; ++copy)
    calls.emplace_back(v, operands, copy);
  const double guess = std::max(3.0, v.weightBytes() / readCeiling * 1e-3); // µs
  const int rounds = std::max(1, static_cast<int>(2000.0 / guess / copies));
  std::vector<float> times = timeGraph(stream, 40, [&] {
    for (int call = 0; call < rounds * copies; ++call)
      calls[call % copies].launchOn(stream, programmatic);
  });
  std::sort(times.begin(), times.end());
  return (times[times.size() / 2] + times[(times.size() - 1) / 2]) / 2 / (rounds * copies);
}

} // namespace

void timeAll(const std::string &folder, const std::vector<Variant> &variants, bool alsoPlain) {
  const Kernel fill = loadKernel(folder + "/reference.cubin", "fill", 0);
  std::map<std::tuple<int, int, std::string>, std::unique_ptr<Operands>> data;
  std::printf("%-12s %-5s %4s %8s %8s %7s %7s %4s %5s  %s\n", "N x K", "", "M", "us", "plain us", "GB/s",
              "floor", "%", "peer", "blocks/resident, parameters");
  for (const Variant &v : variants) {
    if (v.purpose != "time" && v.purpose != "both")
      continue;
    std::unique_ptr<Operands> &operands = data[{v.columns, v.depth, v.format}];
    if (!operands)
      operands = std::make_unique<Operands>(fill, v, static_cast<int>(256000000 / v.weightBytes() + 1));
    operands->use(v, v.tokens);
    const double bytes = v.weightBytes() + static_cast<double>(v.tokens) * (v.tokenBytes() + 2.0 * v.columns);
    const double operations = 2.0 * v.tokens * v.columns * v.depth;
    const double floor =
        std::max(bytes / readCeiling, operations / (v.tokensAreE4m3() ? e4m3Ceiling : bf16Ceiling)) * 1e-3;
    const double time = medianPerCall(v, *operands, true);
    const double plain = alsoPlain ? medianPerCall(v, *operands, false) : 0.0;
    std::printf("%5dx%-6d %-5s %4d %8.2f %8.2f %7.0f %7.2f %4.0f %5d  %d/%d %s\n", v.columns, v.depth,
                v.format.c_str(), v.tokens, time, plain, bytes / time * 1e-3, floor, 100.0 * floor / time,
                peerPercent(v), static_cast<int>(v.kernel.grid), residentBlocks(v.kernel), v.label.c_str());
    std::fflush(stdout);
  }
}

} // namespace kimi::gpu
