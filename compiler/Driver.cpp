#include "compiler/Driver.h"

#include "compiler/Registration.h"
#include "compiler/emit/Emit.h"
#include "compiler/emit/Progress.h"
#include "compiler/import/Json.h"
#include "dialects/plan/Plan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/Timing.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ThreadPool.h"

#include <chrono>

using namespace mlir;

namespace kimi {

void reportError(const llvm::Twine &message) { llvm::errs() << "kimic: error: " << message << "\n"; }

namespace {

/// A folder for machine code when nothing else says where it should lie; removed at the end.
class ScratchDirectory {
public:
  llvm::Error create() {
    if (std::error_code code = llvm::sys::fs::createUniqueDirectory("kimic", directory))
      return import_::makeError("cannot create a temporary directory: " + code.message());
    return llvm::Error::success();
  }
  ~ScratchDirectory() {
    if (!directory.empty())
      llvm::sys::fs::remove_directories(directory);
  }
  std::string path() const { return directory.str().str(); }

private:
  llvm::SmallString<128> directory;
};

std::string parentOf(llvm::StringRef path) {
  const llvm::StringRef parent = llvm::sys::path::parent_path(path);
  return parent.empty() ? "." : parent.str();
}

class Driver {
public:
  explicit Driver(const CompileRequest &request);
  llvm::Error run();

private:
  llvm::Error chooseCodeDirectory();
  llvm::Error runPhase(Phase phase);
  llvm::Error import();
  llvm::Error parse();
  llvm::Error runPasses(Phase phase);
  llvm::Error emit();
  llvm::Error dump(Phase phase);
  llvm::Error write(const std::string &path);
  void handle(Diagnostic &diagnostic);

  const CompileRequest &request;
  llvm::DefaultThreadPool pool;
  DialectRegistry registry;
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  ScratchDirectory scratch;
  std::string codeDirectory;
  std::string firstError; // of the running pass
};

static DialectRegistry makeRegistry() {
  DialectRegistry registry;
  registerDialects(registry);
  return registry;
}

Driver::Driver(const CompileRequest &request)
    : request(request), pool(llvm::hardware_concurrency(request.threads)), registry(makeRegistry()),
      context(registry, MLIRContext::Threading::DISABLED) {
  if (request.threads > 1)
    context.setThreadPool(pool);
  context.printOpOnDiagnostic(false);
  context.getDiagEngine().registerHandler([this](Diagnostic &diagnostic) { handle(diagnostic); });
  context.loadDialect<func::FuncDialect, arith::ArithDialect, model::KimiDialect, plan::PlanDialect>();
}

/// The first error explains the others. With its place, where that is a line of a dump.
void Driver::handle(Diagnostic &diagnostic) {
  std::string text = diagnostic.str();
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (auto place = dyn_cast<FileLineColLoc>(diagnostic.getLocation()))
    text = (place.getFilename().getValue() + ":" + llvm::Twine(place.getLine()) + ":" +
            llvm::Twine(place.getColumn()) + ": " + text)
               .str();
  if (diagnostic.getSeverity() == DiagnosticSeverity::Error && firstError.empty())
    firstError = text;
  else if (diagnostic.getSeverity() == DiagnosticSeverity::Warning && !request.quiet)
    llvm::errs() << "kimic: warning: " << text << "\n";
}

/// Machine code lies beside the dump that names it.
llvm::Error Driver::chooseCodeDirectory() {
  if (!request.dumpDirectory.empty()) {
    codeDirectory = request.dumpDirectory;
    if (std::error_code code = llvm::sys::fs::create_directories(codeDirectory, /*IgnoreExisting=*/true,
                                                                    llvm::sys::fs::all_all))
      return import_::makeError("cannot create " + codeDirectory + ": " + code.message());
  } else if (request.from > Phase::codegen) {
    codeDirectory = parentOf(request.input);
  } else if (request.to != Phase::emit) {
    codeDirectory = request.output == "-" ? "." : parentOf(request.output);
  } else {
    if (llvm::Error error = scratch.create())
      return error;
    codeDirectory = scratch.path();
  }
  return llvm::Error::success();
}

llvm::Error Driver::import() {
  std::vector<std::string> notes;
  llvm::Expected<OwningOpRef<ModuleOp>> imported =
      import_::importCheckpoint(context, request.input, request.options, &notes);
  if (!imported)
    return imported.takeError();
  module = std::move(*imported);
  if (!request.quiet)
    for (const std::string &note : notes)
      llvm::errs() << "kimic: note: " << note << "\n";
  return llvm::Error::success();
}

/// Reads the dump of the phase before `from`.
llvm::Error Driver::parse() {
  if (!llvm::sys::fs::exists(request.input) || llvm::sys::fs::is_directory(request.input))
    return import_::makeError(request.input + " is no dump: --compile-from=" + phaseName(request.from) +
                              " starts from a .mlir file that --dump-phases wrote");
  module = parseSourceFile<ModuleOp>(request.input, &context);
  if (!module)
    return import_::makeError(firstError.empty() ? "cannot read " + request.input : firstError);
  auto phase = (*module)->getAttrOfType<StringAttr>(model::kPhaseAttr);
  const llvm::StringRef before = phaseName(allPhases[static_cast<size_t>(request.from) - 1]);
  if (phase && phase.getValue() != before)
    return import_::makeError(request.input + " was written after " + phase.getValue() + " but --compile-from=" +
                              phaseName(request.from) + " starts after " + before);
  const std::string inputDirectory = parentOf(request.input);
  if (request.from <= Phase::codegen || inputDirectory == codeDirectory)
    return llvm::Error::success();
  for (const std::string &code : plan::codeFiles(*module)) {
    const std::string from = inputDirectory + "/" + code, to = codeDirectory + "/" + code;
    if (std::error_code error = llvm::sys::fs::copy_file(from, to))
      return import_::makeError("cannot copy the machine code " + from + " to " + to + ": " + error.message());
  }
  return llvm::Error::success();
}

llvm::Error Driver::runPasses(Phase phase) {
  PassManager passes(&context);
  if (failed(applyPassManagerCLOptions(passes)))
    return import_::makeError("cannot apply the pass manager's options");
  applyDefaultTimingPassManagerCLOptions(passes);
  buildPhase(phase, passes, {codeDirectory, request.kernelDump});
  firstError.clear();
  if (succeeded(passes.run(*module)))
    return llvm::Error::success();
  return import_::makeError(phaseName(phase) + ": " + (firstError.empty() ? "failed without a message" : firstError));
}

llvm::Error Driver::emit() {
  const emit::EmitOptions options{request.output, codeDirectory, request.threads, request.quiet};
  llvm::Expected<emit::EmitSummary> summary = emit::emitArtifact(*module, options);
  if (!summary)
    return summary.takeError();
  if (request.quiet)
    return llvm::Error::success();
  auto rate = [](uint64_t bytes, double seconds) {
    return emit::printBytes(static_cast<uint64_t>(static_cast<double>(bytes) / std::max(seconds, 1e-3))) + "/s";
  };
  llvm::errs() << "packed " << emit::printBytes(summary->packedBytes) << " in "
               << emit::printSeconds(summary->packSeconds) << " (" << rate(summary->packedBytes, summary->packSeconds)
               << "), read back in " << emit::printSeconds(summary->verifySeconds) << " ("
               << rate(summary->packedBytes, summary->verifySeconds) << ")\n";
  llvm::errs() << request.output << ": " << summary->entries << " entries, " << summary->kernels << " kernels, "
               << emit::printBytes(summary->weightBytes) << " of weights in " << summary->weightFiles << " files ("
               << summary->reusedFiles << " unchanged), " << emit::printBytes(summary->codeBytes)
               << " of code, largest arena " << emit::printBytes(summary->largestArenaBytes) << ", plan "
               << summary->planHash << "\n";
  return llvm::Error::success();
}

llvm::Error Driver::write(const std::string &path) {
  std::error_code code;
  llvm::raw_fd_ostream stream(path, code);
  if (!code) {
    module->print(stream);
    stream << "\n";
    stream.flush();
    code = stream.error();
    stream.clear_error();
  }
  return code ? import_::makeError("cannot write " + path + ": " + code.message()) : llvm::Error::success();
}

llvm::Error Driver::dump(Phase phase) {
  if (request.dumpDirectory.empty())
    return llvm::Error::success();
  const auto number = static_cast<unsigned>(phase);
  return write((request.dumpDirectory + "/0" + llvm::Twine(number) + "-" + phaseName(phase) + ".mlir").str());
}

llvm::Error Driver::runPhase(Phase phase) {
  if (phase == Phase::emit)
    return emit();
  if (llvm::Error error = phase == Phase::import_ ? import() : runPasses(phase))
    return error;
  (*module)->setAttr(model::kPhaseAttr, StringAttr::get(&context, phaseName(phase)));
  return dump(phase);
}

llvm::Error Driver::run() {
  if (request.to == Phase::emit)
    if (llvm::Error error = emit::checkOutput(request.output))
      return error;
  if (llvm::Error error = chooseCodeDirectory())
    return error;
  if (request.from != Phase::import_)
    if (llvm::Error error = parse())
      return error;
  for (Phase phase : allPhases) {
    if (phase < request.from || phase > request.to)
      continue;
    const auto start = std::chrono::steady_clock::now();
    if (llvm::Error error = runPhase(phase))
      return error;
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (!request.quiet)
      llvm::errs() << llvm::format("%-10s %7.2f s\n", phaseName(phase).data(), seconds.count());
  }
  return request.to == Phase::emit ? llvm::Error::success() : write(request.output);
}

} // namespace

bool compile(const CompileRequest &request) {
  llvm::Error error = Driver(request).run();
  if (!error)
    return true;
  reportError(llvm::toString(std::move(error)));
  return false;
}

} // namespace kimi
