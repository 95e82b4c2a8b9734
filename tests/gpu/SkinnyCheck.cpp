// Every check variant over its token counts: against double precision, from poisoned outputs, twice, bit by
// bit.
#include "tests/gpu/SkinnyCase.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <tuple>

namespace kimi::gpu {

namespace {

// A value, and how far off it may be.
struct Term {
  double value, slack;
};

// Products of all 128 tokens in double, and the sums of magnitudes that bound what the order of summation can
// do.
struct Reference {
  std::vector<double> products, magnitudes;

  Reference(const Kernel &kernel, const Variant &v, const Operands &operands) {
    const size_t count = 128ull * v.columns;
    Buffer out(8 * count), bound(8 * count);
    Kernel product = kernel;
    product.threads = 256;
    product.grid = (v.columns + 7) / 8;
    product.gridY = 128;
    const CUdeviceptr none = 0;
    CUdeviceptr pointers[] = {out.address(),
                              bound.address(),
                              operands.weights[0]->address(),
                              v.weightsAreE4m3() ? operands.weightScales.address() : none,
                              operands.scaleRows.address(),
                              operands.tokens.address(),
                              v.tokensAreE4m3() ? operands.tokenScales.address() : none,
                              v.prologue == "scale" ? operands.factors.address() : none};
    int weightType = v.weightsAreE4m3() ? 0 : 1, tokenType = v.tokensAreE4m3() ? 0 : 1, columns = v.columns,
        depth = v.depth;
    launch(product, nullptr,
           {&pointers[0], &pointers[1], &pointers[2], &weightType, &pointers[3], &pointers[4], &pointers[5],
            &tokenType, &pointers[6], &pointers[7], &columns, &depth},
           false);
    synchronise();
    products.resize(count);
    magnitudes.resize(count);
    out.read(products.data(), 8 * count);
    bound.read(magnitudes.data(), 8 * count);
  }

  Term at(const Variant &v, int token, int column, double loss) const {
    const size_t place = static_cast<size_t>(token) * v.columns + v.rowOf(column);
    return {products[place], loss * magnitudes[place]};
  }
};

float fromBf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

float fromE4m3(uint8_t code) {
  const int exponent = code >> 3 & 15, mantissa = code & 7;
  const float magnitude =
      exponent ? std::ldexp(1.0f + mantissa / 8.0f, exponent - 7) : std::ldexp(mantissa / 8.0f, -6);
  return (code & 127) == 127 ? NAN : code & 128 ? -magnitude : magnitude;
}

struct Report {
  double difference = 0.0, norm = 0.0;
  long long wrong = 0;

  // Half a unit of the stored type, and what summation may lose: e4m3 products keep 13 bits below the largest
  // of a chunk in the tensor cores, bf16 ones are summed in f32.
  void compare(double got, double expected, double relative, double slack) {
    const double difference = std::abs(got - expected);
    wrong += !(difference <= relative * std::abs(expected) + slack);
    this->difference += difference * difference;
    norm += expected * expected;
  }
  double error() const { return std::sqrt(difference / norm); }
};

double silu(double x) { return x / (1.0 + std::exp(-x)); }

Term swiglu(Term gate, Term up) {
  return {silu(gate.value) * up.value, 1.1 * gate.slack * std::abs(up.value) + std::abs(silu(gate.value)) * up.slack +
                                           1.1 * gate.slack * up.slack};
}

// 128 codes and their scale, from columns `column` .. + 255 of the product.
void judgeTwinBlock(Report &report, const Variant &v, const Reference &reference, const std::vector<uint8_t> &out,
                    const float *extra, int token, int column, double loss) {
  const size_t at = static_cast<size_t>(token) * (v.columns / 2) + column / 2;
  const float scale = extra[at / 128];
  double most = 0.0, mostSlack = 0.0;
  for (int index = 0; index < 128; ++index) {
    const Term gated = swiglu(reference.at(v, token, column + 2 * index, loss),
                              reference.at(v, token, column + 2 * index + 1, loss));
    report.compare(fromE4m3(out[at + index]) * scale, gated.value, std::exp2(-4), gated.slack + std::exp2(-10) * scale);
    mostSlack = std::max(mostSlack, gated.slack);
    most = std::max(most, std::abs(gated.value));
  }
  report.compare(scale * 448.0, most, std::exp2(-18), 2 * mostSlack);
}

// What the epilogue should have stored for `tokens` tokens.
Report judge(const Variant &v, const Reference &reference, const std::vector<uint8_t> &out,
             const float *extra, const std::vector<uint16_t> &addend, int tokens) {
  Report report;
  const double loss = v.tokensAreE4m3() ? std::exp2(-12) : std::exp2(-14);
  const auto *halves = reinterpret_cast<const uint16_t *>(out.data());
  for (int token = 0; token < tokens; ++token)
    for (int column = 0; column < v.columns; ++column) {
      const size_t at = static_cast<size_t>(token) * v.columns + column;
      const Term term = reference.at(v, token, column, loss);
      const double product = term.value, slack = term.slack;
      if (v.epilogue == "store") {
        report.compare(fromBf16(halves[at]), product, std::exp2(-8), slack);
      } else if (v.epilogue == "residual") {
        report.compare(fromBf16(halves[at]), product + fromBf16(addend[at]), std::exp2(-8), slack);
      } else if (v.epilogue.ends_with("swiglu") && column % 2 == 1) {
        const Term gated = swiglu(reference.at(v, token, column - 1, loss), term);
        report.compare(fromBf16(halves[at / 2]), gated.value, std::exp2(-8) + std::exp2(-18), gated.slack);
      } else if (v.epilogue == "twin_quantise" && column % 256 == 0) {
        judgeTwinBlock(report, v, reference, out, extra, token, column, loss);
      } else if (v.epilogue == "quantise") {
        const float scale = extra[token * (v.columns / 128) + column / 128];
        double most = 0.0;
        for (int other = column / 128 * 128; other < column / 128 * 128 + 128; ++other)
          most = std::max(most, std::abs(reference.products[static_cast<size_t>(token) * v.columns + other]));
        report.compare(scale * 448.0, most, 1e-6, 2 * slack);
        report.compare(fromE4m3(out[at]) * scale, product, std::exp2(-4), slack + std::exp2(-10) * scale);
      } else if (v.epilogue == "argmax" && column == 0) {
        const int best = reinterpret_cast<const int *>(out.data())[token];
        double most = -INFINITY;
        for (int other = 0; other < v.columns; ++other)
          most = std::max(most, reference.products[at + other]);
        report.compare(best >= 0 && best < v.columns ? reference.products[at + best] : NAN, most, 0.0,
                       2 * slack);
      }
    }
  return report;
}

size_t bytesPerToken(const Variant &v) {
  return v.epilogue == "argmax"                                         ? 4
         : v.epilogue == "twin_quantise"                                ? v.columns / 2
         : v.epilogue == "quantise" || v.epilogue.ends_with("swiglu") ? v.columns
                                                                        : 2ull * v.columns;
}

// Of `extra`: scales of the quantised blocks.
size_t extraBytesPerToken(const Variant &v) {
  return v.epilogue == "quantise" ? 4ull * (v.columns / 128) : v.epilogue == "twin_quantise" ? 4ull * (v.columns / 256) : 0;
}

std::vector<int> tokenCounts(const Variant &v) {
  std::vector<int> counts;
  const int fewest = v.tokens <= 8 ? 1 : v.tokens / 2 + 1;
  if (v.purpose == "checkall") // together the buckets 8 .. 128 are 1 .. 128
    for (int count = fewest; count <= v.tokens; ++count)
      counts.push_back(count);
  else if (v.purpose == "both")
    counts = {v.tokens, v.tokens / 2 + 1};
  else
    for (int count : {1, 2, 3, 7, v.tokens / 2 + 1, v.tokens - 1, v.tokens})
      if (count >= 1 && count <= v.tokens && std::find(counts.begin(), counts.end(), count) == counts.end())
        counts.push_back(count);
  return counts;
}

// What is wrong with the bytes of an output after two runs, the values aside.
std::string compareRuns(const char *name, const std::vector<uint8_t> &out, const std::vector<uint8_t> &again,
                        size_t bytes) {
  if (std::memcmp(out.data(), again.data(), out.size()) != 0)
    return std::string("two runs differ in '") + name + "'";
  for (size_t at = bytes; at < out.size(); ++at)
    if (out[at] != 0xff)
      return std::string("wrote beyond its tokens in '") + name + "', at byte " + std::to_string(at) + " of " +
             std::to_string(bytes);
  return "";
}

// One token count; says what is wrong, if anything.
std::string checkOne(const Variant &v, Operands &operands, const Reference &reference, int tokens,
                     double &worst) {
  static const CUstream stream = newStream();
  const Call call(v, operands, 0);
  std::vector<uint8_t> out[2], extra[2];
  std::vector<uint16_t> addend(128ull * v.columns);
  operands.use(v, tokens);
  for (int run : {0, 1}) {
    operands.out.poison();
    operands.extra.poison();
    synchronise();
    call.launchOn(stream, true);
    synchronise();
    out[run].resize(operands.out.size());
    extra[run].resize(operands.extra.size());
    operands.out.read(out[run].data(), out[run].size());
    operands.extra.read(extra[run].data(), extra[run].size());
  }
  operands.addend.read(addend.data(), 2 * addend.size());
  for (const std::string &text : {compareRuns("out", out[0], out[1], bytesPerToken(v) * tokens),
                                  compareRuns("extra", extra[0], extra[1], extraBytesPerToken(v) * tokens)})
    if (!text.empty())
      return text;
  const Report report = judge(v, reference, out[0], reinterpret_cast<const float *>(extra[0].data()), addend, tokens);
  const double limit = v.epilogue.ends_with("quantise") ? std::exp2(-4) : std::exp2(-8) / std::sqrt(3.0);
  worst = std::max(worst, report.error());
  char text[200];
  std::snprintf(text, sizeof text, "error %.2e (limit %.2e), %lld elements out of bounds", report.error(),
                limit, report.wrong);
  return report.wrong == 0 && report.error() <= limit ? "" : text;
}

} // namespace

int checkAll(const std::string &folder, const std::vector<Variant> &variants) {
  const Kernel fill = loadKernel(folder + "/reference.cubin", "fill", 0);
  const Kernel product = loadKernel(folder + "/reference.cubin", "product", 0);
  std::map<std::tuple<int, int, std::string, std::string, bool>,
           std::pair<std::unique_ptr<Operands>, std::unique_ptr<Reference>>>
      data;
  int passed = 0, failed = 0;
  for (const Variant &v : variants) {
    if (v.purpose == "time")
      continue;
    auto &[operands, reference] = data[{v.columns, v.depth, v.format, v.prologue, v.hasTwins()}];
    if (!operands) {
      operands = std::make_unique<Operands>(fill, v, 1);
      reference = std::make_unique<Reference>(product, v, *operands);
    }
    std::string wrong;
    double worst = 0.0;
    const std::vector<int> counts = tokenCounts(v);
    for (int tokens : counts) {
      std::string text = checkOne(v, *operands, *reference, tokens, worst);
      if (!text.empty() && wrong.empty())
        wrong = "at " + std::to_string(tokens) + " tokens: " + text;
    }
    ++(wrong.empty() ? passed : failed);
    std::printf("%s %dx%d %s %s+%s %s, %zu token counts up to %d, error %.2e %s\n",
                wrong.empty() ? "ok  " : "FAIL", v.columns, v.depth, v.format.c_str(), v.prologue.c_str(),
                v.epilogue.c_str(), v.label.c_str(), counts.size(), v.tokens, worst, wrong.c_str());
    std::fflush(stdout);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed;
}

} // namespace kimi::gpu
