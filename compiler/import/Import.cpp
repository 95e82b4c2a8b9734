#include "compiler/import/Import.h"

#include "compiler/import/Json.h"
#include "compiler/import/LayerBuilder.h"
#include "compiler/import/QuantisedWeights.h"
#include "compiler/import/References.h"
#include "compiler/import/StepBuilder.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace kimi::import_ {
namespace {

constexpr uint64_t kMaxConfigBytes = 16u << 20;
constexpr int64_t kMaxStep = 1 << 20; // sequences or tokens in one step

constexpr llvm::StringLiteral kQuantised = "w8a8-1x128", kQuantisedInF32 = "w8a8-1x128-f32";
// "": as the checkpoint.
constexpr llvm::StringLiteral kProfiles[] = {"", "f32", "bf16", "w8a16", "w4a16", kQuantised, kQuantisedInF32};

bool quantisesActivations(llvm::StringRef profile) { return profile == kQuantised || profile == kQuantisedInF32; }
bool keepsF32(llvm::StringRef profile) { return profile == "f32" || profile == kQuantisedInF32; }

llvm::Error checkRange(llvm::StringRef name, int64_t value, int64_t max) {
  if (value >= 1 && value <= max)
    return llvm::Error::success();
  return makeError(name + " is " + llvm::Twine(value) + " but must be from 1 to " + llvm::Twine(max));
}

llvm::Error checkOptions(const ImportOptions &options) {
  if (!llvm::is_contained(kProfiles, options.numerics))
    return makeError("the numeric profile is " + inQuotes(options.numerics) + "; " + llvm::join(llvm::ArrayRef(kProfiles).drop_front(), ", ") +
                     " are supported");
  if (options.prefillAttention != "absorbed" && options.prefillAttention != "expanded")
    return makeError("prefill_attention is " + inQuotes(options.prefillAttention) +
                     "; absorbed and expanded are supported");
  if (options.weights != "packed" && options.weights != "random" && options.weights != "reference" &&
      options.weights != "shapes")
    return makeError("the weights are " + inQuotes(options.weights) + "; packed, reference, random and shapes are supported");
  if (llvm::Error error = checkRange("max_sequences", options.maxSequences, kMaxStep))
    return error;
  if (llvm::Error error = checkRange("max_tokens", options.maxTokens, kMaxStep))
    return error;
  return checkRange("the mesh", options.mesh, kMaxStep);
}

llvm::Error applyOptions(const ImportOptions &options, ModelConfig &config) {
  if (options.layers)
    if (llvm::Error error = config.limitLayers(*options.layers))
      return error;
  if (!options.maxContext)
    return llvm::Error::success();
  if (*options.maxContext > config.context)
    return makeError("a context of " + llvm::Twine(*options.maxContext) +
                     " is wanted but max_position_embeddings is " + llvm::Twine(config.context));
  if (llvm::Error error = checkRange("the context", *options.maxContext, config.context))
    return error;
  config.context = *options.maxContext;
  return llvm::Error::success();
}

/// The weights of the model as the checkpoint has them, checked; without it, as config.json lets them be.
llvm::Expected<std::vector<WeightSpec>> readWeights(const std::string &directory, const ImportOptions &options,
                                                    const ModelConfig &config, std::vector<std::string> &notes) {
  if (options.readsConfigOnly())
    return quantiseWeights(listWeights(config), config, nullptr);
  llvm::Expected<CheckpointIndex> checkpoint = CheckpointIndex::open(directory);
  if (!checkpoint)
    return checkpoint.takeError();
  llvm::Expected<std::vector<WeightSpec>> weights = quantiseWeights(listWeights(config), config, &*checkpoint);
  if (!weights)
    return weights.takeError();
  if (llvm::Error error = checkWeights(*weights, config, *checkpoint, notes))
    return error;
  if (options.weights == "reference")
    if (llvm::Error error = findPitches(*weights, *checkpoint))
      return error;
  return weights;
}

/// f32 serves every checkpoint; the others say what its weights are.
llvm::Expected<std::string> chooseProfile(const std::string &wanted, llvm::ArrayRef<WeightSpec> weights) {
  const std::string own = profileOf(weights);
  const bool isFloat8 = own == "w8a16";
  if (wanted.empty() || wanted == own || wanted == "f32" || (isFloat8 && quantisesActivations(wanted)))
    return wanted.empty() ? own : wanted;
  return makeError("the numeric profile is " + inQuotes(wanted) + " but the checkpoint's weights ask for " +
                   inQuotes(own) + (isFloat8 ? " (or w8a8-1x128, f32)" : " (or f32)"));
}

/// Everything that steers the pipeline stands on the module, so that every dump re-enters.
ModuleOp createModule(MLIRContext &context, const ModelConfig &config, const ImportOptions &options,
                      llvm::StringRef profile, llvm::StringRef source) {
  Builder builder(&context);
  auto integer = [&](llvm::StringRef name, int64_t value) {
    return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
  };
  auto text = [&](llvm::StringRef name, llvm::StringRef value) {
    return builder.getNamedAttr(name, builder.getStringAttr(value));
  };
  ModuleOp module = ModuleOp::create(builder.getUnknownLoc(), config.name);
  module->setAttr(model::kModelAttr,
                  builder.getDictionaryAttr({text("name", config.name), integer("vocabulary", config.vocabulary),
                                             integer("hidden", config.hidden), integer("layers", config.layers),
                                             integer("context", config.context)}));
  module->setAttr(model::kNumericsAttr, builder.getStringAttr(profile));
  module->setAttr(model::kTargetAttr, builder.getStringAttr(options.target));
  module->setAttr(model::kSourceAttr, builder.getStringAttr(source));
  module->setAttr(model::kMeshAttr, builder.getI64IntegerAttr(options.mesh));
  if (config.cutLayers)
    module->setAttr(model::kLayersAttr, builder.getStringAttr((llvm::Twine(config.layers) + " of " +
                                                               llvm::Twine(config.layers + config.cutLayers)).str()));
  if (options.weights != "packed")
    module->setAttr(model::kWeightsAttr, builder.getStringAttr(options.weights));
  if (options.weights == "random")
    module->setAttr(model::kSeedAttr, builder.getI64IntegerAttr(options.seed));
  module->setAttr(model::kOptionsAttr,
                  builder.getDictionaryAttr({integer("max_sequences", options.maxSequences),
                                             integer("max_tokens", options.maxTokens),
                                             text("prefill_attention", options.prefillAttention)}));
  if (!options.overrides.empty()) {
    llvm::SmallVector<llvm::StringRef> overrides(options.overrides.begin(), options.overrides.end());
    module->setAttr(model::kOverridesAttr, builder.getStrArrayAttr(overrides));
  }
  return module;
}

/// The logical type of a weight's elements: what one code, or one stored value, is.
Type elementOf(OpBuilder &builder, const WeightSpec &spec) {
  if (holdsPackedValues(spec))
    return builder.getI4Type();
  if (spec.type == DataType::F8_E4M3)
    return builder.getType<Float8E4M3FNType>();
  return spec.type == DataType::F32 ? Type(builder.getF32Type()) : builder.getBF16Type();
}

model::QuantisedAttr quantisedOf(OpBuilder &builder, const WeightSpec &spec) {
  if (!spec.quantised)
    return {};
  return model::QuantisedAttr::get(builder.getContext(),
                                   spec.quantised->isCodes ? model::QuantisedPart::codes : model::QuantisedPart::scales,
                                   spec.quantised->blockRows, spec.quantised->blockColumns);
}

void buildWeight(OpBuilder &builder, const WeightSpec &spec) {
  auto number = [&](int64_t value) { return value ? builder.getI64IntegerAttr(value) : IntegerAttr(); };
  const bool hasLayers = spec.numLayers > 0;
  auto rows = spec.rows ? model::RowsAttr::get(builder.getContext(), spec.rows->groups, spec.rows->of,
                                               spec.rows->begin, spec.rows->end)
                        : model::RowsAttr();
  auto weight = model::WeightOp::create(builder, builder.getUnknownLoc(), builder.getStringAttr(spec.symbol),
                          TypeAttr::get(RankedTensorType::get(spec.shape(), elementOf(builder, spec))),
                          builder.getStringAttr(spec.source), nullptr,
                          hasLayers ? builder.getI64IntegerAttr(spec.firstLayer) : IntegerAttr(),
                          number(spec.numLayers), number(spec.experts), rows, quantisedOf(builder, spec), nullptr);
  if (spec.pitch)
    weight->setAttr(model::kPitchAttr, builder.getI64IntegerAttr(spec.pitch));
}

void buildRopeTable(OpBuilder &builder, const ModelConfig &config) {
  const RopeConfig &rope = config.ropeConfig;
  auto number = [&](double value) { return builder.getF64FloatAttr(value); };
  auto attribute = model::RopeAttr::get(builder.getContext(), config.rope, number(rope.theta), number(rope.factor),
                                        rope.originalContext, number(rope.betaFast), number(rope.betaSlow),
                                        number(rope.magnitude));
  auto type = RankedTensorType::get({config.context, 2, config.rope / 2}, builder.getF32Type());
  model::WeightOp::create(builder, builder.getUnknownLoc(), builder.getStringAttr("rope_table"), TypeAttr::get(type),
                          nullptr, attribute, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
}

void buildModule(ModuleOp module, const ModelConfig &config, llvm::StringRef profile,
                 llvm::ArrayRef<WeightSpec> weights) {
  MLIRContext *context = module.getContext();
  OpEmitter emit(module, keepsF32(profile) ? Type(Float32Type::get(context)) : BFloat16Type::get(context),
                 quantisesActivations(profile));
  OpBuilder &builder = emit.builder;
  builder.setInsertionPointToEnd(module.getBody());
  for (const WeightSpec &spec : weights)
    buildWeight(builder, spec);
  buildRopeTable(builder, config);
  auto cache = model::CacheType::get(context, config.latent + config.rope, emit.getStorage());
  model::CacheOp::create(builder, emit.loc(), builder.getStringAttr("latent"), TypeAttr::get(cache),
                         builder.getI64IntegerAttr(config.layers));
  for (const LayerKind &kind : listLayerKinds(config))
    LayerBuilder(emit, config, kind).build();
  buildStep(emit, config);
}

/// A module that does not verify is a mistake in import, but still one line and no crash.
llvm::Error verifyModule(ModuleOp module) {
  std::string message;
  ScopedDiagnosticHandler handler(module.getContext(), [&](Diagnostic &diagnostic) {
    if (message.empty())
      message = diagnostic.str();
    return success();
  });
  if (succeeded(mlir::verify(module)))
    return llvm::Error::success();
  return makeError("the imported module does not verify: " + message);
}

} // namespace

llvm::Expected<std::string> findConfig(const std::string &directory, bool mayBeFile) {
  if (llvm::sys::fs::is_directory(directory)) {
    llvm::SmallString<256> path(directory);
    llvm::sys::path::append(path, "config.json");
    if (llvm::sys::fs::exists(path))
      return path.str().str();
    return makeError(directory + " has no config.json: point to the folder of a downloaded checkpoint");
  }
  if (llvm::sys::fs::exists(directory))
    return mayBeFile
               ? llvm::Expected<std::string>(directory)
               : makeError(directory + " is a file but a checkpoint is a folder: point to the folder that holds it");
  return makeError(directory + " does not exist");
}

llvm::Expected<ModelConfig> readModelConfig(const std::string &directory, bool mayBeFile) {
  llvm::Expected<std::string> path = findConfig(directory, mayBeFile);
  if (!path)
    return path.takeError();
  llvm::Expected<std::string> text = readTextFile(*path, kMaxConfigBytes);
  if (!text)
    return text.takeError();
  return parseModelConfig(*text, *path);
}

llvm::Expected<OwningOpRef<ModuleOp>> importCheckpoint(MLIRContext &context, const std::string &directory,
                                                       const ImportOptions &options, std::vector<std::string> *notes) {
  std::vector<std::string> unused;
  std::vector<std::string> &passedOver = notes ? *notes : unused;
  if (llvm::Error error = checkOptions(options))
    return error;
  llvm::Expected<ModelConfig> config = readModelConfig(directory, options.readsConfigOnly());
  if (!config)
    return config.takeError();
  if (llvm::Error error = applyOptions(options, *config))
    return error;

  llvm::Expected<std::vector<WeightSpec>> weights = readWeights(directory, options, *config, passedOver);
  if (!weights)
    return weights.takeError();
  llvm::Expected<std::string> profile = chooseProfile(options.numerics, *weights);
  if (!profile)
    return profile.takeError();
  context.loadDialect<model::KimiDialect, func::FuncDialect, arith::ArithDialect, tensor::TensorDialect>();
  llvm::SmallString<256> source(directory);
  llvm::sys::fs::make_absolute(source);
  llvm::sys::path::remove_dots(source);
  OwningOpRef<ModuleOp> module = createModule(context, *config, options, *profile, source);
  buildModule(*module, *config, *profile, *weights);
  if (llvm::Error error = verifyModule(*module))
    return error;
  return module;
}

} // namespace kimi::import_
