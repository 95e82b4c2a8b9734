// The source text: PTX wrappers, the template's parts, constants, functors, and the kernel that joins them.
#include "compiler/kernels/cuda/SkinnyGemmText.h"
#include "compiler/kernels/cuda/TemplateText.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>

namespace kimi::cuda {

namespace {

// In the order in which they need one another.
constexpr llvm::StringLiteral parts[] = {"ptx/types.cuh",
                                         "ptx/convert.cuh",
                                         "ptx/mbarrier.cuh",
                                         "ptx/tma.cuh",
                                         "ptx/async_copy.cuh",
                                         "ptx/cluster.cuh",
                                         "ptx/dependency.cuh",
                                         "ptx/registers.cuh",
                                         "ptx/wgmma.cuh",
                                         "ptx/warp.cuh",
                                         "splice.cuh",
                                         "skinny_gemm_memory.cuh",
                                         "skinny_gemm_load.cuh",
                                         "skinny_gemm_multiply.cuh",
                                         "skinny_gemm_rows.cuh",
                                         "skinny_gemm_finish.cuh",
                                         "skinny_gemm.cuh"};

// The expression for the scale row of `column`: each segment counts its own 128-row blocks.
std::string scaleRow(llvm::ArrayRef<int64_t> segments) {
  std::string text;
  int64_t begin = 0, row = 0;
  for (int64_t segment : segments.drop_back(segments.empty() ? 0 : 1)) {
    text += "column < " + std::to_string(begin + segment) + " ? " + std::to_string(row) + " + (column - " +
            std::to_string(begin) + ") / 128 : ";
    begin += segment;
    row += (segment + 127) / 128;
  }
  return text + std::to_string(row) + " + (column - " + std::to_string(begin) + ") / 128";
}

// Registers of a helper's thread where consumers get more than their share: 128 tokens' sums twice are 128. A
// prologue needs them, too.
int helperRegisters(const Splice &prologue) { return prologue.kind == SpliceClass::none ? 40 : 128; }

// Registers of a consumer's thread then; 0 where all threads may have the same.
int consumerRegisters(const SkinnyProblem &problem, const SkinnyParameters &p, const Splice &prologue) {
  const int consumers = (skinnyLaunch(problem, p, {}).threads - 128) / 128,
            helpers = prologue.kind == SpliceClass::none ? 1 : 2; // warpgroups
  const int evenly = 65536 / p.residency / (128 * (consumers + helpers)) / 8 * 8;
  const bool widens = problem.format == SkinnyFormat::e4m3xBf16;
  const int sums = p.tokenRows ? 32 * p.rowTiles : 64; // per thread
  const int wanted = p.tokenRows ? sums * (1 + p.accumulators) + 32 : widens ? 176 : 160;
  if ((p.tokenTile < 128 && !p.tokenRows) || evenly >= wanted)
    return 0;
  return std::min(232,
                  (evenly * (consumers + helpers) - helperRegisters(prologue) * helpers) / consumers / 8 * 8);
}

} // namespace

std::vector<std::string> argumentList(const SkinnyProblem &problem, const Splice &prologue,
                                      const Splice &epilogue, bool maps, llvm::ArrayRef<std::string> order) {
  std::vector<std::string> arguments;
  for (int weight = 0; weight < (problem.twins ? 2 : 1); ++weight) {
    arguments.push_back(weight == 0 ? "const Shape::Weight *weight" : "const Shape::Weight *twinWeight");
    if (problem.format != SkinnyFormat::bf16xBf16)
      arguments.push_back(weight == 0 ? "const float *weightScales" : "const float *twinScales");
  }
  arguments.push_back("const Shape::Token *activations");
  if (problem.format == SkinnyFormat::e4m3xE4m3)
    arguments.push_back("const float *tokenScales");
  llvm::append_range(arguments, prologue.arguments);
  llvm::append_range(arguments, epilogue.arguments);
  arguments = inOrder(std::move(arguments), order);
  arguments.insert(arguments.begin(), "const long long *dims");
  if (maps)
    for (const char *map : {"weightMap", "twinMap", "tokenMap"})
      if (problem.twins || llvm::StringRef(map) != "twinMap")
        arguments.push_back(std::string("const __grid_constant__ TensorMap ") + map);
  return arguments;
}

void printParts(llvm::raw_ostream &os, llvm::ArrayRef<llvm::StringLiteral> parts) {
  for (llvm::StringRef part : parts)
    os << templateText(part) << "\n";
}

void printShape(llvm::raw_ostream &os, const SkinnyProblem &problem, const SkinnyConstants &constants) {
  os << "// Written for this kernel.\nnamespace kimi {\n\nstruct Shape {\n";
  for (auto [name, value] : constants)
    os << "  static constexpr int " << name << " = " << value << ";\n";
  os << "  static constexpr int twins = " << problem.twins << ";\n";
  os << "  using Weight = " << (problem.format == SkinnyFormat::bf16xBf16 ? "Bf16" : "E4m3") << ";\n";
  os << "  using Token = " << (problem.format == SkinnyFormat::e4m3xE4m3 ? "E4m3" : "Bf16") << ";\n";
  os << "  static __device__ int scaleRow(int column) { return " << scaleRow(problem.scaleSegments)
     << "; }\n};\n";
}

void printKernelHead(llvm::raw_ostream &os, llvm::StringRef name, int threads, int residency,
                     llvm::ArrayRef<std::string> arguments) {
  os << "extern __shared__ __align__(1024) unsigned char sharedMemory[];\n\n";
  os << "extern \"C\" __global__ void __launch_bounds__(" << threads << ", " << residency << ")\n"
     << name << "(";
  os << llvm::join(arguments, ",\n    ") << ") {\n";
}

llvm::StringRef argumentName(llvm::StringRef argument) {
  return argument.substr(argument.find_last_of(" *&") + 1);
}

std::vector<std::string> inOrder(std::vector<std::string> arguments, llvm::ArrayRef<std::string> order) {
  const auto position = [&](llvm::StringRef argument) {
    return llvm::find(order, argumentName(argument)) - order.begin();
  };
  std::stable_sort(arguments.begin(), arguments.end(),
                   [&](llvm::StringRef a, llvm::StringRef b) { return position(a) < position(b); });
  return arguments;
}

std::string constructSplice(llvm::StringRef type, const Splice &splice) {
  return (type + "{" + llvm::join(llvm::map_range(splice.arguments, argumentName), ", ") + "}").str();
}

std::string skinnyText(llvm::StringRef name, const SkinnyProblem &problem, const SkinnyParameters &p,
                       const Splice &prologue, const Splice &epilogue, llvm::ArrayRef<std::string> order) {
  std::string text;
  llvm::raw_string_ostream os(text);
  const SkinnyLaunch launch = skinnyLaunch(problem, p, prologue);
  const bool transforms = prologue.kind != SpliceClass::none;
  printParts(os, parts);
  printShape(os, problem,
             {{"columns", problem.columns},
              {"depth", problem.depth},
              {"tokens", problem.tokens},
              {"tokenSymbol", problem.tokenSymbol},
              {"tokenTile", p.tokenTile},
              {"rowTiles", p.rowTiles},
              {"depthGroups", p.depthGroups},
              {"split", p.split},
              {"weightStages", p.weightStages},
              {"tokenStages", p.tokenStages},
              {"weightsFirst", p.weightsFirst},
              {"accumulators", p.accumulators},
              {"tokenRows", p.tokenRows},
              {"tokenBlocks", p.tokenBlocks},
              {"successors", p.successors},
              {"lead", p.lead},
              {"consumerRegisters", consumerRegisters(problem, p, prologue)},
              {"helperRegisters", helperRegisters(prologue)}});
  os << "\n"
     << (transforms ? prologue.text : "using Prologue = NoPrologue;") << "\n\n"
     << epilogue.text << "\n\n";
  os << "static_assert(Memory<Shape>::bytes == " << launch.sharedBytes << ");\n";
  os << "static_assert(skinnyThreads<Shape, Prologue>() == " << launch.threads << ");\n\n";
  printKernelHead(os, name, launch.threads, p.residency,
                  argumentList(problem, prologue, epilogue, /*maps=*/true, order));
  os << "  skinnyGemm<Shape>(sharedMemory, dims, "
     << (problem.format == SkinnyFormat::bf16xBf16 ? "nullptr" : "weightScales") << ", activations, "
     << (problem.format == SkinnyFormat::e4m3xE4m3 ? "tokenScales" : "nullptr")
     << ", &weightMap, &tokenMap,\n                    " << constructSplice("Prologue", prologue) << ", "
     << constructSplice("Epilogue", epilogue);
  if (problem.twins)
    os << ",\n                    " << (problem.format == SkinnyFormat::bf16xBf16 ? "nullptr" : "twinScales") << ", &twinMap";
  os << ");\n}\n\n} // namespace kimi\n";
  return text;
}

} // namespace kimi::cuda
