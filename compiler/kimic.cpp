// kimic: the command line. What it says becomes a CompileRequest; Driver.cpp runs it.
#include "compiler/Driver.h"
#include "passes/codegen/MachineCode.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Support/Timing.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Threading.h"

#include <csignal>

namespace cl = llvm::cl;
using kimi::CompileRequest;
using kimi::Phase;

namespace {

constexpr int kExitBadInput = 1, kExitUsage = 2;

cl::OptionCategory what("What to compile"), how("How"), look("Looking inside");

cl::opt<std::string> input(cl::Positional, cl::desc("CHECKPOINT"), cl::cat(what));
cl::opt<std::string> output("o", cl::desc("Where the artifact goes; with --compile-to, where the dump goes (- = stdout)"),
                            cl::value_desc("NAME.kimi"), cl::cat(what));
cl::opt<std::string> target("target",
                            cl::desc("cpu (= cpu:x86-64-v3, the default), cpu:x86-64-v4, cpu:aarch64, cpu:native, "
                                     "cuda:sm_90a (H100, H200), cuda:sm_80 (A100, A800)"),
                            cl::value_desc("TARGET"), cl::init("cpu"), cl::cat(what));
cl::opt<std::string> numerics("numerics",
                              cl::desc("Numeric profile: bf16, w8a16 or w4a16 as the checkpoint's weights are (the "
                                       "default); w8a8-1x128 (fp8, activations quantised too); f32, where nothing "
                                       "is rounded between operations"),
                              cl::value_desc("PROFILE"), cl::cat(what));
cl::opt<int64_t> maxSequences("max-sequences", cl::desc("Sequences in one step (default 16)"), cl::value_desc("N"),
                              cl::init(16), cl::cat(what));
cl::opt<int64_t> maxTokens("max-tokens", cl::desc("Tokens in one step (default 512)"), cl::value_desc("N"),
                           cl::init(512), cl::cat(what));
cl::opt<int64_t> maxContext("max-context", cl::desc("Positions per sequence (default: all the model has)"),
                            cl::value_desc("N"), cl::cat(what));

cl::opt<int64_t> layers("layers", cl::desc("Only the first layers: part of a model, for benchmarks (default: all)"),
                        cl::value_desc("N"), cl::cat(what));

cl::opt<std::string> prefillAttention("prefill-attention",
                                      cl::desc("Form of latent attention in mixed steps: absorbed (default) or expanded"),
                                      cl::value_desc("FORM"), cl::init("absorbed"), cl::cat(how));
cl::list<std::string> overrides("impl", cl::desc("Implementation of an operation, '*' = of all: generated or, on GPUs, skinny_gemm "
                                                 "(at most 128 rows) and cublaslt (mixed steps of more, bf16; never chosen unasked); "
                                                 "repeatable. Also the environment variable KIMIC_IMPL (OP=NAME,OP=NAME)"),
                                cl::value_desc("OP=NAME"), cl::cat(how));
cl::opt<std::string> overrideFile("impl-file", cl::desc("A file of OP=NAME lines; # begins a comment"),
                                  cl::value_desc("FILE"), cl::cat(how));
cl::opt<std::string> weights("weights",
                             cl::desc("packed (default); reference: no second copy, where the checkpoint's order "
                                      "allows; random: for benchmarks, CHECKPOINT may be a config.json; "
                                      "shapes: the same, made while loading, not stored"),
                             cl::value_desc("MODE"), cl::init("packed"), cl::cat(how));
cl::opt<int64_t> seed("seed", cl::desc("Of random weights (default 1)"), cl::value_desc("N"), cl::init(1), cl::cat(how));

/// LLVM's library already has an option of this name, for a part of it that kimic does not use: ours replaces it.
/// Call once before the command line is parsed.
cl::opt<unsigned> &threads() {
  static auto &option = []() -> cl::opt<unsigned> & {
    if (cl::Option *other = cl::getRegisteredOptions().lookup("threads"))
      other->removeArgument();
    static cl::opt<unsigned> ours("threads", cl::desc("Threads that compile and pack (default: all)"),
                                  cl::value_desc("N"), cl::init(0), cl::cat(how));
    return ours;
  }();
  return option;
}

cl::opt<std::string> dumpPhases("dump-phases", cl::desc("Write 00-import.mlir .. 06-plan.mlir and the machine code there"),
                                cl::value_desc("DIR"), cl::cat(look));
cl::opt<std::string> dumpKernels("dump-kernels", cl::desc("Write the kernels' MLIR, LLVM IR and assembly there"),
                                 cl::value_desc("DIR"), cl::cat(look));
cl::opt<std::string> compileTo("compile-to", cl::desc("Stop after: import, partition, specialise, fuse, select, codegen, plan"),
                               cl::value_desc("PHASE"), cl::cat(look));
cl::opt<std::string> compileFrom("compile-from",
                                 cl::desc("The input is the dump before this phase: partition .. emit"),
                                 cl::value_desc("PHASE"), cl::cat(look));
cl::opt<bool> quiet("quiet", cl::desc("Errors only"), cl::cat(look));

constexpr char kOverview[] = R"(kimic: compiles a Kimi-K2 checkpoint to an artifact that kimi-serve runs

  kimic CHECKPOINT -o NAME.kimi                        compile
  kimic CHECKPOINT -o NAME.kimi --dump-phases=DIR      and look at every phase
  kimic DIR/03-fuse.mlir --compile-from=select -o ..   go on from a dump, edited or not

MLIR's own flags work too: --mlir-print-ir-after-all, --mlir-timing, --mlir-print-ir-tree-dir=DIR, ..
Exit codes: 0 done, 1 the input cannot be compiled, 2 the command line is wrong.
)";

/// What is wrong with the command line.
int usage(const llvm::Twine &message) {
  kimi::reportError(message + " (see kimic --help)");
  return kExitUsage;
}

/// Options that import records in the IR: a dump has them already.
const cl::Option *firstImportOption() {
  const cl::Option *options[] = {&target,     &numerics,     &maxSequences,     &maxTokens,
                                 &maxContext, &layers,       &weights,          &seed,
                                 &overrideFile, &prefillAttention, std::addressof(overrides)};
  for (const cl::Option *option : options)
    if (option->getNumOccurrences())
      return option;
  return nullptr;
}

/// Splits at commas, newlines and blanks; # begins a comment.
void addOverrides(llvm::StringRef text, std::vector<std::string> &list) {
  llvm::SmallVector<llvm::StringRef> lines;
  text.split(lines, '\n');
  for (llvm::StringRef line : lines)
    for (llvm::StringRef word = line.split('#').first.ltrim(", \t\r"); !word.empty();) {
      const size_t end = std::min(word.find_first_of(", \t\r"), word.size());
      list.push_back(word.take_front(end).str());
      word = word.drop_front(end).ltrim(", \t\r");
    }
}

/// Later ones win: environment, file, command line. Returns an exit code.
int collectOverrides(std::vector<std::string> &list) {
  if (std::optional<std::string> environment = llvm::sys::Process::GetEnv("KIMIC_IMPL"))
    addOverrides(*environment, list);
  if (!overrideFile.empty()) {
    auto file = llvm::MemoryBuffer::getFile(overrideFile, /*IsText=*/true);
    if (!file) {
      kimi::reportError("cannot read " + overrideFile + ": " + file.getError().message());
      return kExitBadInput;
    }
    addOverrides((*file)->getBuffer(), list);
  }
  list.insert(list.end(), overrides.begin(), overrides.end());
  for (llvm::StringRef item : list)
    if (auto [op, name] = item.split('='); op.empty() || name.empty())
      return usage("\"" + item + "\" is no implementation choice: write OP=NAME");
  return 0;
}

/// Returns an exit code.
int chooseTarget(std::string &chosen) {
  chosen = target == "cpu" ? "cpu:x86-64-v3" : std::string(target);
  const bool known = llvm::StringSwitch<bool>(chosen)
                         .Cases({"cpu:x86-64-v3", "cpu:x86-64-v4", "cpu:aarch64", "cpu:native", "cuda:sm_90a",
                                 "cuda:sm_80", "cuda:sm_90"}, true)
                         .Default(false);
  if (chosen == "cpu:native")
    chosen = kimi::passes::nativeTarget();
  return known ? 0
               : usage("--target " + target + " is unknown; cpu, cpu:x86-64-v3, cpu:x86-64-v4, cpu:aarch64, "
                                              "cpu:native, cuda:sm_90a and cuda:sm_80 are known");
}

/// Returns an exit code.
int readPhases(CompileRequest &request) {
  const struct {
    const cl::opt<std::string> &flag;
    Phase &phase;
  } flags[] = {{compileFrom, request.from}, {compileTo, request.to}};
  for (const auto &[flag, phase] : flags) {
    if (flag.empty())
      continue;
    std::optional<Phase> parsed = kimi::parsePhase(flag);
    if (!parsed)
      return usage("--" + flag.ArgStr + "=" + flag + " is no phase; phases are import, partition, specialise, fuse, "
                                                     "select, codegen, plan, emit");
    phase = *parsed;
  }
  if (request.from > request.to)
    return usage("--compile-from=" + compileFrom + " comes after --compile-to=" + compileTo);
  if (request.from != Phase::import_)
    if (const cl::Option *option = firstImportOption())
      return usage("--" + option->ArgStr + " is recorded by import: with --compile-from, edit the module's attributes");
  return 0;
}

/// Returns an exit code.
int readRequest(CompileRequest &request) {
  if (input.empty())
    return usage("no checkpoint given");
  if (int code = readPhases(request))
    return code;
  if (request.to == Phase::emit && output.empty())
    return usage("no -o NAME.kimi given");
  if (weights != "packed" && weights != "reference" && weights != "random" && weights != "shapes")
    return usage("--weights " + weights + " is unknown; packed, reference, random and shapes are known");
  if (seed.getNumOccurrences() && weights != "random")
    return usage("--seed is of random weights, but --weights is " + weights);
  request.input = input;
  request.output = output.empty() ? "-" : std::string(output);
  request.dumpDirectory = dumpPhases;
  request.kernelDump = dumpKernels;
  request.quiet = quiet;
  request.threads = threads() ? threads() : llvm::hardware_concurrency().compute_thread_count();
  kimi::import_::ImportOptions &options = request.options;
  options.numerics = numerics;
  options.maxSequences = maxSequences;
  options.maxTokens = maxTokens;
  if (maxContext.getNumOccurrences())
    options.maxContext = maxContext;
  if (layers.getNumOccurrences())
    options.layers = layers;
  options.weights = weights;
  options.seed = seed;
  options.prefillAttention = prefillAttention;
  if (int code = chooseTarget(options.target))
    return code;
  return request.from == Phase::import_ ? collectOverrides(options.overrides) : 0;
}

} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  std::signal(SIGXFSZ, SIG_IGN); // a file that may not grow is an error of write(), with a message
  mlir::registerAsmPrinterCLOptions();
  mlir::registerMLIRContextCLOptions();
  mlir::registerPassManagerCLOptions();
  mlir::registerDefaultTimingManagerCLOptions();
  threads();
  cl::HideUnrelatedOptions({&what, &how, &look});
  cl::SetVersionPrinter([](llvm::raw_ostream &stream) { stream << "kimic " KIMI_VERSION " (MLIR 22)\n"; });
  std::string problems;
  llvm::raw_string_ostream stream(problems);
  if (!cl::ParseCommandLineOptions(argc, argv, kOverview, &stream)) {
    llvm::StringRef first = llvm::StringRef(problems).split('\n').first.split("  Try:").first;
    first.consume_front("kimic: ");
    return first.empty() ? kExitUsage : usage(first); // LLVM reports bad values itself
  }
  CompileRequest request;
  if (int code = readRequest(request))
    return code;
  return kimi::compile(request) ? 0 : kExitBadInput;
}
