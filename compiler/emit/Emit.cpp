#include "compiler/emit/Emit.h"

#include "compiler/emit/ArtifactDirectory.h"
#include "compiler/emit/Manifest.h"
#include "compiler/emit/PlanBuilder.h"
#include "compiler/emit/ReferredWeights.h"
#include "compiler/emit/ShapedWeights.h"
#include "compiler/emit/VerifyArtifact.h"
#include "compiler/emit/WeightStore.h"
#include "compiler/import/Import.h"
#include "compiler/import/InventedCheckpoint.h"
#include "compiler/import/Json.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <chrono>

namespace kimi::emit {

using Clock = std::chrono::steady_clock;

// What the server's text library reads. The template is part of tokenizer_config.json in older checkpoints.
static constexpr llvm::StringLiteral kNeededFiles[] = {"tokenizer_config.json", "tiktoken.model"};
static constexpr llvm::StringLiteral kOptionalFiles[] = {"generation_config.json", "chat_template.jinja"};

/// "packed", "reference", "random" or "shapes".
static llvm::StringRef weightsMode(mlir::ModuleOp plan) {
  auto weights = plan->getAttrOfType<mlir::StringAttr>(model::kWeightsAttr);
  return weights ? weights.getValue() : "packed";
}

/// No checkpoint is needed.
static bool hasRandomWeights(mlir::ModuleOp plan) {
  return weightsMode(plan) == "random" || weightsMode(plan) == "shapes";
}

static llvm::Error checkWeightsMode(mlir::ModuleOp plan) {
  const llvm::StringRef mode = weightsMode(plan);
  if (mode == "packed" || mode == "reference" || mode == "random" || mode == "shapes")
    return llvm::Error::success();
  return import_::makeError("the module's " + model::kWeightsAttr + " is \"" + mode +
                            "\" but packed, reference, random and shapes are known");
}

/// With random weights nothing but the config is needed: token ids can be fed without a tokenizer.
static llvm::Expected<std::vector<FileRecord>> copyText(mlir::ModuleOp plan, const std::string &source,
                                                        const std::string &directory) {
  std::vector<FileRecord> files;
  auto copy = [&](const std::string &from, llvm::StringRef name) -> llvm::Error {
    llvm::Expected<FileRecord> record = copyFile(from, directory, name);
    if (!record)
      return record.takeError();
    files.push_back(*record);
    return llvm::Error::success();
  };
  llvm::Expected<std::string> config = import_::findConfig(source, hasRandomWeights(plan));
  if (!config)
    return config.takeError();
  if (llvm::Error error = copy(*config, "config.json"))
    return error;
  const std::string folder = llvm::sys::path::parent_path(*config).str();
  auto copyAll = [&](llvm::ArrayRef<llvm::StringLiteral> names, bool areNeeded) -> llvm::Error {
    for (llvm::StringRef name : names)
      if (const std::string from = (folder + "/" + name).str(); areNeeded || llvm::sys::fs::exists(from))
        if (llvm::Error error = copy(from, name))
          return error;
    return llvm::Error::success();
  };
  if (llvm::Error error = copyAll(kNeededFiles, /*areNeeded=*/!hasRandomWeights(plan)))
    return error;
  if (llvm::Error error = copyAll(kOptionalFiles, /*areNeeded=*/false))
    return error;
  llvm::sort(files, [](const FileRecord &a, const FileRecord &b) { return a.path < b.path; });
  return files;
}

namespace {
/// Where the weights come from.
struct Checkpoint {
  import_::CheckpointIndex index;
  SourceFiles files;
};
} // namespace

static llvm::Expected<Checkpoint> openCheckpoint(mlir::ModuleOp plan, const std::string &source) {
  if (hasRandomWeights(plan)) {
    auto seed = plan->getAttrOfType<mlir::IntegerAttr>(model::kSeedAttr);
    llvm::Expected<import_::InventedCheckpoint> invented = import_::inventCheckpoint(source);
    if (!invented)
      return invented.takeError();
    return Checkpoint{std::move(invented->index),
                      SourceFiles::invent(invented->kinds, seed ? static_cast<uint64_t>(seed.getInt()) : 1)};
  }
  llvm::Expected<import_::CheckpointIndex> index = import_::CheckpointIndex::open(source);
  if (!index)
    return index.takeError();
  llvm::Expected<SourceFiles> files = SourceFiles::open(*index);
  if (!files)
    return files.takeError();
  return Checkpoint{std::move(*index), std::move(*files)};
}

static llvm::Expected<std::vector<FileRecord>> copyCode(mlir::ModuleOp plan, const EmitOptions &options,
                                                        const std::string &directory) {
  std::vector<FileRecord> records;
  for (const std::string &name : plan::codeFiles(plan)) {
    const std::string from = options.codeDirectory + "/" + name;
    if (!llvm::sys::fs::exists(from))
      return import_::makeError("the machine code " + from + " is missing: it lies beside the dump that names it; keep "
                                "them together, or compile from an earlier phase");
    llvm::Expected<FileRecord> record =
        copyFile(from, directory, ("code/" + llvm::sys::path::filename(name)).str());
    if (!record)
      return record.takeError();
    records.push_back(std::move(*record));
  }
  if (records.empty())
    return import_::makeError("the module names no machine code: run the phase codegen first");
  return records;
}

static EmitSummary summarise(mlir::ModuleOp plan, const PackedWeights &weights) {
  EmitSummary summary;
  for (auto entry : plan.getOps<plan::EntryOp>()) {
    ++summary.entries;
    summary.largestArenaBytes = std::max<uint64_t>(summary.largestArenaBytes, entry.getArenaBytes());
  }
  summary.kernels = static_cast<unsigned>(llvm::range_size(plan.getOps<plan::KernelOp>()));
  summary.weightBytes = weights.bytes;
  summary.weightFiles = static_cast<unsigned>(weights.files.size());
  summary.reusedFiles = weights.reused;
  summary.packedBytes = weights.packedBytes;
  return summary;
}

llvm::Error checkOutput(const std::string &output) { return checkTarget(output); }

static llvm::Expected<PackedWeights> storeWeights(mlir::ModuleOp plan, const Checkpoint &checkpoint,
                                                  const ArtifactDirectory &artifact, const EmitOptions &options,
                                                  ProgressTo progress) {
  if (weightsMode(plan) == "shapes")
    return shapeWeights(plan);
  const bool refers = weightsMode(plan) == "reference";
  const PackOptions packOptions{artifact.path(), artifact.logs(), options.threads, progress, /*onlyComputed=*/refers};
  llvm::Expected<PackedWeights> weights = packWeights(plan, checkpoint.index, checkpoint.files, packOptions);
  if (!weights || !refers)
    return weights;
  if (llvm::Error error = referWeights(plan, checkpoint.index, checkpoint.files, packOptions, *weights))
    return error;
  return weights;
}

/// Writes and verifies everything into `artifact`.
static llvm::Expected<EmitSummary> fill(mlir::ModuleOp plan, const std::string &source, const EmitOptions &options,
                                        const ArtifactDirectory &artifact) {
  const std::string &directory = artifact.path();
  const ProgressTo progress = options.quiet ? ProgressTo::nobody : progressToStandardError();
  // The small things first: what is wrong with them is found before weights are read.
  llvm::Expected<std::vector<FileRecord>> code = copyCode(plan, options, directory);
  if (!code)
    return code.takeError();
  llvm::Expected<std::vector<FileRecord>> text = copyText(plan, source, directory);
  if (!text)
    return text.takeError();
  llvm::Expected<Checkpoint> checkpoint = openCheckpoint(plan, source);
  if (!checkpoint)
    return checkpoint.takeError();
  const auto start = Clock::now();
  llvm::Expected<PackedWeights> weights = storeWeights(plan, *checkpoint, artifact, options, progress);
  if (!weights)
    return weights.takeError();

  llvm::Expected<std::string> planBytes = buildPlan(plan, *weights, *code);
  if (!planBytes)
    return planBytes.takeError();
  llvm::Expected<FileRecord> planFile = writeFile(directory, kPlanName, *planBytes);
  if (!planFile)
    return planFile.takeError();
  llvm::Expected<FileRecord> manifest = writeFile(directory, kManifestName, printManifest(plan, *planFile, *text));
  if (!manifest)
    return manifest.takeError();

  if (llvm::Error error = artifact.sync()) // so that what is read back is what the disk has
    return error;
  const auto packed = Clock::now();
  if (llvm::Error error = verifyArtifact(directory, options.threads, weights->verified, progress))
    return error;
  EmitSummary summary = summarise(plan, *weights);
  summary.packSeconds = std::chrono::duration<double>(packed - start).count();
  summary.verifySeconds = std::chrono::duration<double>(Clock::now() - packed).count();
  summary.planHash = planFile->hash;
  summary.planBytes = planFile->bytes;
  for (const FileRecord &record : *code)
    summary.codeBytes += record.bytes;
  return summary;
}

llvm::Expected<EmitSummary> emitArtifact(mlir::ModuleOp plan, const EmitOptions &options) {
  auto source = plan->getAttrOfType<mlir::StringAttr>(model::kSourceAttr);
  if (!source)
    return import_::makeError("the module has no " + model::kSourceAttr + ": was it imported?");
  if (llvm::Error error = checkWeightsMode(plan))
    return error;
  llvm::Expected<ArtifactDirectory> artifact = ArtifactDirectory::create(options.output);
  if (!artifact)
    return artifact.takeError();
  llvm::Expected<EmitSummary> summary = fill(plan, source.str(), options, *artifact);
  if (!summary && artifact->hasWeights())
    return import_::makeError(llvm::toString(summary.takeError()) + " (finished weights stay in " + artifact->path() +
                              "; the next run takes them over)");
  if (!summary)
    return summary.takeError();
  if (llvm::Error error = artifact->commit())
    return error;
  return summary;
}

} // namespace kimi::emit
