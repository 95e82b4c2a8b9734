// Times variants as the peers were timed: one graph of many calls in a row that rotate over copies of the
// weight (256 MB or more), replayed 40 times, the median over replays by the calls of a replay; random data.
#include "tests/gpu/SkinnyCase.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>
#include <tuple>

namespace kimi::gpu {

namespace {

constexpr double readCeiling = 4530.0;   // GB/s, measured on an H200
constexpr double e4m3Ceiling = 1504.0e3; // GFLOP/s
constexpr double bf16Ceiling = 846.0e3;

// (format, N, K, M) → the best peer's microseconds: skinny_gemm_peers.txt, which skinny_gemm_cubins puts into DIR.
using Peers = std::map<std::tuple<std::string, int, int, int>, double>;

Peers readPeers(const std::string &folder) {
  std::ifstream file(folder + "/peers.txt");
  if (!file)
    fail("'" + folder + "/peers.txt' cannot be read: skinny_gemm_cubins writes it");
  Peers peers;
  for (std::string line; std::getline(file, line);) {
    std::istringstream in(line);
    std::string format;
    int columns, depth, tokens;
    double time;
    if (line.empty() || line[0] == '#')
      continue;
    if (!(in >> format >> columns >> depth >> tokens >> time))
      fail("'" + folder + "/peers.txt' has a line that is not FORMAT N K M MICROSECONDS: " + line);
    peers[{format, columns, depth, tokens}] = time;
  }
  return peers;
}

// A number where there is one.
std::string orDash(const char *format, double value) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return value > 0.0 ? text : "-";
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
  std::map<std::tuple<int, int, std::string, bool>, std::unique_ptr<Operands>> data;
  const Peers peers = readPeers(folder);
  std::printf("%-12s %-5s %4s %8s %8s %8s %7s %7s %4s %6s  %s\n", "N x K", "", "M", "us", "plain us", "peer us",
              "GB/s", "floor", "%", "peer %", "blocks/resident, parameters");
  for (const Variant &v : variants) {
    if (v.purpose != "time" && v.purpose != "both")
      continue;
    std::unique_ptr<Operands> &operands = data[{v.columns, v.depth, v.format, v.hasTwins()}];
    if (!operands)
      operands = std::make_unique<Operands>(fill, v, static_cast<int>(256000000 / v.weightBytes() + 1));
    operands->use(v, v.tokens);
    const double bytes = v.weightBytes() + static_cast<double>(v.tokens) * (v.tokenBytes() + 2.0 * v.columns);
    const double operations = 2.0 * v.tokens * v.columns * v.depth;
    const double floor =
        std::max(bytes / readCeiling, operations / (v.tokensAreE4m3() ? e4m3Ceiling : bf16Ceiling)) * 1e-3;
    const double time = medianPerCall(v, *operands, true);
    const double plain = alsoPlain ? medianPerCall(v, *operands, false) : 0.0;
    const auto found = peers.find({v.format, v.columns, v.depth, v.tokens});
    const double peer = found == peers.end() ? 0.0 : found->second;
    std::printf("%5dx%-6d %-5s %4d %8.2f %8s %8s %7.0f %7.2f %4.0f %6s  %d/%d %s\n", v.columns, v.depth,
                v.format.c_str(), v.tokens, time, orDash("%.2f", plain).c_str(), orDash("%.1f", peer).c_str(),
                bytes / time * 1e-3, floor, 100.0 * floor / time,
                orDash("%.0f", peer > 0.0 ? 100.0 * floor / peer : 0.0).c_str(),
                static_cast<int>(v.kernel.grid), residentBlocks(v.kernel), v.label.c_str());
    std::fflush(stdout);
  }
}

} // namespace kimi::gpu
