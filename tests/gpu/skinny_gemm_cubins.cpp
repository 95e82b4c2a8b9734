// Compiles variants of the template skinny_gemm where a GPU is not needed, for skinny_gemm_bench to run where
// one is.
//   skinny_gemm_cubins OUT < VARIANTS     writes OUT/*.cubin, OUT/kernels.txt and OUT/peers.txt; with KIMI_KEEP_TEXT
//   in the environment, *.cu
// Fails where a variant is refused, does not compile, spills, or ptxas warns (C7508, C7510, C7514): each is named.
// A line of VARIANTS: PURPOSE COLUMNS DEPTH FORMAT TOKENS PARAMETERS PROLOGUE EPILOGUE
//   PURPOSE     checkall: every count of tokens of the bucket · check: some · time · both
//   FORMAT      w8a8 · w8a16 · bf16
//   PARAMETERS  auto: the chooser's · ampere: the variant for sm_80, compiled for sm_90a · or token_tile row_tiles
//               depth_groups split weight_stages token_stages accumulators successors residency
//               token_rows token_blocks weights_first lead
//   PROLOGUE, EPILOGUE   as named in SkinnySamples.h
#include "compiler/kernels/cuda/SkinnyGemmAmpere.h"
#include "tests/gpu/Nvrtc.h"
#include "tests/gpu/SkinnySamples.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <thread>

using namespace kimi;

namespace {

const std::map<std::string, cuda::SkinnyFormat> formats = {{"w8a8", cuda::SkinnyFormat::e4m3xE4m3},
                                                           {"w8a16", cuda::SkinnyFormat::e4m3xBf16},
                                                           {"bf16", cuda::SkinnyFormat::bf16xBf16}};

struct Variant {
  std::string purpose, format, prologue, epilogue, file;
  cuda::SkinnyProblem problem;
  cuda::SkinnyParameters parameters;
  std::string registers;
  bool ampere = false;

  cuda::SkinnyLaunch launch() const {
    return ampere ? cuda::skinnyLaunchAmpere(problem, parameters)
                  : cuda::skinnyLaunch(problem, parameters, gpu::samplePrologue(prologue));
  }
};

// Whether the line is a variant that the template accepts; says why if not.
bool read(const std::string &line, Variant &variant) {
  std::istringstream in(line);
  std::string tile;
  cuda::SkinnyParameters &p = variant.parameters;
  in >> variant.purpose >> variant.problem.columns >> variant.problem.depth >> variant.format >>
      variant.problem.tokens >> tile;
  variant.ampere = tile == "ampere";
  if (tile != "auto" && !variant.ampere) {
    p.tokenTile = std::stoi(tile);
    in >> p.rowTiles >> p.depthGroups >> p.split >> p.weightStages >> p.tokenStages >> p.accumulators >>
        p.successors >> p.residency >> p.tokenRows >> p.tokenBlocks >> p.weightsFirst >> p.lead;
  }
  in >> variant.prologue >> variant.epilogue;
  if (!in || !formats.contains(variant.format)) {
    std::cerr << "not a variant: " << line << "\n";
    return false;
  }
  variant.problem.format = formats.at(variant.format);
  variant.problem.twins = gpu::sampleHasTwins(variant.epilogue);
  if (variant.problem.columns == 2112)
    variant.problem.scaleSegments = {1536, 576};
  if (tile == "auto" || variant.ampere) {
    const cuda::Splice prologue = gpu::samplePrologue(variant.prologue),
                       epilogue = gpu::sampleEpilogue(variant.epilogue);
    auto chosen = variant.ampere ? cuda::chooseSkinnyAmpere(variant.problem, prologue, epilogue)
                                 : cuda::chooseSkinny(variant.problem, prologue, epilogue, 132);
    if (!chosen) {
      std::cerr << "refused: " << line << ": " << llvm::toString(chosen.takeError()) << "\n";
      return false;
    }
    p = *chosen;
  } else if (llvm::Error error = cuda::checkSkinny(variant.problem, p, gpu::samplePrologue(variant.prologue),
                                                   gpu::sampleEpilogue(variant.epilogue))) {
    std::cerr << "refused: " << line << ": " << llvm::toString(std::move(error)) << "\n";
    return false;
  }
  return true;
}

// The resource line of ptxas, or what is wrong.
std::string registersOf(const std::string &log) {
  const size_t used = log.find("Used ");
  std::string result =
      used == std::string::npos ? "?" : log.substr(used + 5, log.find(' ', used + 5) - used - 5);
  for (const char *bad : {"warning", "C7508", "C7510", "C7514"})
    if (log.find(bad) != std::string::npos)
      result += std::string("!") + bad;
  if (log.find("0 bytes spill stores") == std::string::npos)
    result += "!spills";
  return result;
}

enum class Outcome { good, bad, none }; // bad: runs, but is not what it should be

Outcome compile(const std::string &folder, Variant &variant) {
  const cuda::Splice prologue = gpu::samplePrologue(variant.prologue),
                     epilogue = gpu::sampleEpilogue(variant.epilogue);
  const std::string text =
      variant.ampere ? cuda::skinnyTextAmpere("skinny", variant.problem, variant.parameters, epilogue)
                     : cuda::skinnyText("skinny", variant.problem, variant.parameters, prologue, epilogue);
  const gpu::Compiled compiled = gpu::compileText(text, "sm_90a");
  variant.registers = registersOf(compiled.log);
  const bool clean = compiled.ok && variant.registers.find('!') == std::string::npos;
  if (!clean || std::getenv("KIMI_KEEP_TEXT"))
    std::ofstream(folder + "/" + variant.file + ".cu") << text;
  if (!clean)
    std::cerr << variant.file << ": " << variant.registers << "\n" << compiled.log << "\n";
  std::ofstream(folder + "/" + variant.file, std::ios::binary)
      .write(compiled.cubin.data(), compiled.cubin.size());
  return clean ? Outcome::good : compiled.ok ? Outcome::bad : Outcome::none;
}

void describe(std::ostream &os, const Variant &variant) {
  const cuda::SkinnyParameters &p = variant.parameters;
  const cuda::SkinnyLaunch launch = variant.launch();
  os << variant.purpose << " " << variant.file << " " << variant.problem.columns << " "
     << variant.problem.depth << " " << variant.format << " " << variant.problem.tokens << " "
     << variant.prologue << " " << variant.epilogue << " " << (variant.ampere ? "sm_80," : "") << "tile"
     << p.tokenTile << ",rows" << p.rowTiles * 64 << ",groups" << p.depthGroups << ",split" << p.split
     << ",stages" << p.weightStages << "/" << p.tokenStages << ",acc" << p.accumulators << ",next"
     << p.successors << ",resident" << p.residency << (p.tokenRows ? ",tokenrows" : "")
     << ",blocks" << p.tokenBlocks << ",first" << p.weightsFirst << ",lead" << p.lead << ",regs" << variant.registers << " "
     << launch.grid << " " << launch.threads << " " << launch.sharedBytes << " " << launch.cluster << " "
     << launch.maps.size();
  for (const cuda::SkinnyMap &map : launch.maps)
    os << " " << map.argument << " " << map.elementBytes << " " << map.shape[0] << " " << map.shape[1] << " "
       << map.stride << " " << map.box[0] << " " << map.box[1];
  os << "\n";
}

// A file of this folder.
std::string textOf(const std::string &name) {
  return (std::stringstream() << std::ifstream(std::string(KIMI_GPU_TESTS) + "/" + name).rdbuf()).str();
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2 || !gpu::haveNvrtc()) {
    std::cerr << (argc != 2 ? "usage: skinny_gemm_cubins OUT < VARIANTS" : "no libnvrtc.so.13: set CUDA_HOME")
              << "\n";
    return 1;
  }
  const std::string folder = argv[1];
  std::vector<Variant> variants;
  size_t refused = 0;
  for (std::string line; std::getline(std::cin, line);) {
    if (line.empty() || line[0] == '#')
      continue;
    Variant variant;
    if (read(line, variant)) {
      variant.file = "k" + std::to_string(variants.size()) + ".cubin";
      variants.push_back(variant);
    } else {
      ++refused;
    }
  }
  std::atomic<size_t> next = 0;
  std::vector<Outcome> done(variants.size());
  auto work = [&] {
    for (size_t index = next++; index < variants.size(); index = next++)
      done[index] = compile(folder, variants[index]);
  };
  std::thread other(work);
  work();
  other.join();
  const gpu::Compiled reference = gpu::compileText(textOf("skinny_gemm_reference.cu"), "sm_90a");
  if (!reference.ok)
    std::cerr << reference.log;
  std::ofstream(folder + "/reference.cubin", std::ios::binary)
      .write(reference.cubin.data(), reference.cubin.size());
  std::ofstream(folder + "/peers.txt") << textOf("skinny_gemm_peers.txt");
  std::ofstream table(folder + "/kernels.txt");
  for (size_t index = 0; index < variants.size(); ++index)
    if (done[index] != Outcome::none)
      describe(table, variants[index]);
  const auto count = [&](Outcome outcome) { return std::count(done.begin(), done.end(), outcome); };
  std::cout << count(Outcome::good) << " compiled, " << count(Outcome::bad) << " spill or are warned of, "
            << count(Outcome::none) << " do not compile, " << refused << " refused\n";
  return count(Outcome::good) == static_cast<long>(variants.size() + refused) && reference.ok ? 0 : 1;
}
