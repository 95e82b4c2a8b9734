#include "compiler/emit/PlanBuilder.h"

#include "compiler/emit/PlanEnums.h"
#include "compiler/import/Json.h"
#include "runtime/schema/FormatVersion.h"

#include "llvm/ADT/StringSet.h"

namespace kimi::emit {

namespace {

template <typename T> std::string print(const T &value) {
  std::string text;
  llvm::raw_string_ostream(text) << value;
  return text;
}

class Builder {
public:
  Builder(mlir::ModuleOp module, const PackedWeights &packed, llvm::ArrayRef<FileRecord> code)
      : module(module), packed(packed), code(code), codeNames(plan::codeFiles(module)) {}

  llvm::Expected<std::string> build();

private:
  llvm::Error addModel(artifact::PlanT &plan);
  void addFiles(artifact::PlanT &plan);
  void indexSymbols();
  void findSharedWeights();
  void addWeight(plan::WeightOp op);
  void addCache(plan::CacheOp op);
  void addKernel(plan::KernelOp op);
  static std::unique_ptr<artifact::MatrixProductT> productOf(kernel::MatrixProductAttr attr);
  static void setLaunch(artifact::KernelT &kernel, kernel::LaunchAttr launch);
  std::vector<std::unique_ptr<artifact::StepT>> steps(mlir::Region &body);
  artifact::Argument argumentOf(mlir::Attribute argument);
  uint32_t indexOf(llvm::StringRef symbol) { return indices.lookup(symbol); }

  mlir::ModuleOp module;
  const PackedWeights &packed;
  llvm::ArrayRef<FileRecord> code;
  llvm::SmallVector<std::string> codeNames; // of `code`, as the module names them
  llvm::StringMap<uint32_t> indices; // symbol → index among operations of its kind
  llvm::StringSet<> inBlocks;        // weights that blocks read
  uint32_t numLayers = 0;
  artifact::RankT rank;
};

llvm::Error Builder::addModel(artifact::PlanT &plan) {
  auto model = module->getAttrOfType<mlir::DictionaryAttr>(model::kModelAttr);
  auto number = [&](llvm::StringRef key) {
    auto value = model ? model.getAs<mlir::IntegerAttr>(key) : mlir::IntegerAttr();
    return value ? value.getInt() : -1;
  };
  for (llvm::StringRef key : {"vocabulary", "hidden", "layers", "context"})
    if (number(key) < 0 || number(key) > UINT32_MAX)
      return import_::makeError("the module's " + model::kModelAttr + " has no number \"" + key +
                                "\": was it imported?");
  auto text = [](mlir::Attribute attribute) {
    auto string = llvm::dyn_cast_or_null<mlir::StringAttr>(attribute);
    return string ? string.str() : std::string();
  };
  plan.model = std::make_unique<artifact::ModelT>();
  plan.model->name = text(model.get("name"));
  plan.model->vocabulary = static_cast<uint32_t>(number("vocabulary"));
  plan.model->hidden = static_cast<uint32_t>(number("hidden"));
  plan.model->layers = numLayers = static_cast<uint32_t>(number("layers"));
  plan.model->context_length = static_cast<uint32_t>(number("context"));
  plan.model->numerics = text(module->getAttr(model::kNumericsAttr));
  rank.target = text(module->getAttr(model::kTargetAttr));
  if (rank.target.empty())
    return import_::makeError("the module has no " + model::kTargetAttr + ": was it imported?");
  return llvm::Error::success();
}

/// The code first, then the weights in the order of PackedWeights.
void Builder::addFiles(artifact::PlanT &plan) {
  auto add = [&](const FileRecord &record) {
    auto file = std::make_unique<artifact::FileT>();
    file->path = record.path;
    file->bytes = record.bytes;
    file->hash = record.hash;
    file->is_reference = record.isReference;
    file->is_shape = record.isShape;
    plan.files.push_back(std::move(file));
  };
  for (const FileRecord &record : code) {
    rank.code.push_back(static_cast<uint32_t>(plan.files.size()));
    add(record);
  }
  for (const FileRecord &record : packed.files)
    add(record);
}

void Builder::indexSymbols() {
  auto number = [&](auto ops) {
    uint32_t index = 0;
    for (auto op : ops)
      indices[op.getSymName()] = index++;
  };
  number(module.getOps<plan::WeightOp>());
  number(module.getOps<plan::CacheOp>());
  number(module.getOps<plan::KernelOp>());
  number(module.getOps<plan::BlockOp>());
}

void Builder::findSharedWeights() {
  for (auto block : module.getOps<plan::BlockOp>())
    for (auto launch : block.getBody().getOps<plan::LaunchOp>())
      for (mlir::Attribute argument : launch.getReads())
        if (auto ref = llvm::dyn_cast<plan::WeightRefAttr>(argument))
          inBlocks.insert(ref.getSymbol().getValue());
}

void Builder::addWeight(plan::WeightOp op) {
  auto weight = std::make_unique<artifact::WeightT>();
  mlir::RankedTensorType type = op.getTensorType();
  weight->name = op.getSymName().str();
  weight->source = op.getSource().value_or("").str();
  weight->type = toSchema(type.getElementType());
  weight->shape.assign(type.getShape().begin(), type.getShape().end());
  weight->layout = print(op.getLayout());
  weight->first_layer = static_cast<uint32_t>(op.getFirstLayer().value_or(0));
  const uint64_t bytes =
      static_cast<uint64_t>(type.getNumElements()) * type.getElementTypeBitWidth() / 8;
  const std::vector<PlacedSlice> &slices = packed.slices.find(op.getSymName())->second;
  // In a block, an argument is the slice of the running layer. A weight outside layers that blocks read (the rotary
  // table) therefore has one and the same slice for each layer.
  const auto numCode = static_cast<uint32_t>(code.size());
  const size_t repeats = !op.getNumLayers() && inBlocks.contains(op.getSymName()) ? numLayers : 1;
  for (size_t i = 0; i < repeats; ++i)
    for (const PlacedSlice &slice : slices)
      weight->slices.push_back(artifact::WeightSlice(slice.file + numCode, slice.offset, bytes)); // after the code
  rank.weights.push_back(std::move(weight));
}

void Builder::addCache(plan::CacheOp op) {
  auto cache = std::make_unique<artifact::CacheT>();
  cache->name = op.getSymName().str();
  cache->type = toSchema(op.getCacheType().getElementType());
  cache->block_tokens = static_cast<uint32_t>(kernel::kBlockTokens);
  cache->values = static_cast<uint32_t>(op.getCacheType().getValues());
  cache->layers = static_cast<uint32_t>(op.getNumLayers());
  rank.caches.push_back(std::move(cache));
}

void Builder::addKernel(plan::KernelOp op) {
  auto kernel = std::make_unique<artifact::KernelT>();
  kernel->name = op.getSymName().str();
  kernel->implementation = op.getImpl().getName().str();
  kernel->parameters = print(op.getImpl().getParameters());
  auto terms = [](mlir::ArrayAttr array, std::vector<artifact::CostTerm> &out) {
    for (auto term : array.getAsRange<kernel::CostTermAttr>())
      out.emplace_back(toSchema(term.getSymbol()), term.getMultiplier(), term.getCap(), term.getAmount());
  };
  if (auto cost = op.getCostAttr()) {
    terms(cost.getBytes(), kernel->bytes);
    terms(cost.getFlops(), kernel->flops);
  }
  if (op.getCode())
    kernel->code = static_cast<uint32_t>(llvm::find(codeNames, *op.getCode()) - codeNames.begin());
  if (kernel::LaunchAttr launch = op.getLaunchAttr())
    setLaunch(*kernel, launch);
  if (kernel::MatrixProductAttr product = op.getProductAttr())
    kernel->product = productOf(product);
  rank.kernels.push_back(std::move(kernel));
}

std::unique_ptr<artifact::MatrixProductT> Builder::productOf(kernel::MatrixProductAttr attr) {
  auto product = std::make_unique<artifact::MatrixProductT>();
  product->activations = static_cast<uint32_t>(attr.getActivations());
  product->activation_type = toSchema(attr.getActivationType());
  product->weight = static_cast<uint32_t>(attr.getWeight());
  product->weight_type = toSchema(attr.getWeightType());
  product->result = static_cast<uint32_t>(attr.getResult());
  product->result_type = toSchema(attr.getResultType());
  product->workspace = static_cast<uint32_t>(attr.getWorkspace());
  product->workspace_bytes = static_cast<uint64_t>(attr.getWorkspaceBytes());
  product->columns = attr.getColumns();
  product->depth = attr.getDepth();
  return product;
}

void Builder::setLaunch(artifact::KernelT &kernel, kernel::LaunchAttr launch) {
  kernel.threads = static_cast<uint32_t>(launch.getThreads());
  kernel.shared_bytes = static_cast<uint32_t>(launch.getSharedBytes());
  kernel.cluster = static_cast<uint32_t>(launch.getCluster());
  kernel.programmatic = launch.getProgrammatic();
  if (!launch.getTensorMaps())
    return;
  for (auto map : launch.getTensorMaps().getAsRange<kernel::TensorMapAttr>()) {
    auto table = std::make_unique<artifact::TensorMapT>();
    table->argument = static_cast<uint32_t>(map.getArgument());
    table->type = toSchema(map.getType());
    for (auto extent : map.getShape().getAsRange<kernel::ExtentAttr>())
      table->shape.emplace_back(toSchema(extent.getSymbol()), extent.getMultiplier(), extent.getDivisor());
    table->strides.assign(map.getStrides().asArrayRef().begin(), map.getStrides().asArrayRef().end());
    table->box.assign(map.getBox().asArrayRef().begin(), map.getBox().asArrayRef().end());
    table->swizzle = toSwizzle(map.getSwizzle());
    kernel.tensor_maps.push_back(std::move(table));
  }
}

artifact::Argument Builder::argumentOf(mlir::Attribute argument) {
  using artifact::ArgumentKind;
  if (auto arena = llvm::dyn_cast<plan::ArenaAttr>(argument))
    return {ArgumentKind::arena, arena.getOffset()};
  if (auto weight = llvm::dyn_cast<plan::WeightRefAttr>(argument))
    return {ArgumentKind::weight, indexOf(weight.getSymbol().getValue())};
  if (auto cache = llvm::dyn_cast<plan::CacheRefAttr>(argument))
    return {ArgumentKind::cache, indexOf(cache.getSymbol().getValue())};
  if (auto input = llvm::dyn_cast<model::StepInputAttr>(argument))
    return {ArgumentKind::input, static_cast<int64_t>(toSchema(input.getValue()))};
  return {ArgumentKind::output,
          static_cast<int64_t>(toSchema(llvm::cast<model::StepOutputAttr>(argument).getValue()))};
}

std::vector<std::unique_ptr<artifact::StepT>> Builder::steps(mlir::Region &body) {
  std::vector<std::unique_ptr<artifact::StepT>> list;
  for (mlir::Operation &op : body.front()) {
    auto step = std::make_unique<artifact::StepT>();
    if (auto call = llvm::dyn_cast<plan::CallOp>(op)) {
      artifact::CallT table;
      table.block = indexOf(call.getBlock());
      table.layer = static_cast<uint32_t>(call.getLayer());
      step->kind.Set(std::move(table));
    } else {
      auto launch = llvm::cast<plan::LaunchOp>(op);
      artifact::LaunchT table;
      table.kernel = indexOf(launch.getKernel());
      for (auto extent : launch.getGrid().getAsRange<kernel::ExtentAttr>())
        table.grid.emplace_back(toSchema(extent.getSymbol()), extent.getMultiplier(), extent.getDivisor());
      for (mlir::ArrayAttr arguments : {launch.getReads(), launch.getWrites()})
        for (mlir::Attribute argument : arguments)
          table.arguments.push_back(argumentOf(argument));
      step->kind.Set(std::move(table));
    }
    list.push_back(std::move(step));
  }
  return list;
}

static std::unique_ptr<artifact::CapacityT> capacityOf(plan::CapacityAttr attr) {
  auto capacity = std::make_unique<artifact::CapacityT>();
  capacity->max_tokens = attr.getTokens();
  capacity->max_sequences = attr.getSequences();
  capacity->max_logit_rows = attr.getLogitRows();
  capacity->max_table_blocks = attr.getTableBlocks();
  capacity->max_bias_entries = attr.getBiasEntries();
  capacity->max_penalty_entries = attr.getPenaltyEntries();
  return capacity;
}

llvm::Expected<std::string> Builder::build() {
  artifact::PlanT plan;
  plan.format_version = artifact::kFormatVersion;
  plan.compiler_version = KIMI_VERSION;
  if (llvm::Error error = addModel(plan))
    return error;
  addFiles(plan);
  indexSymbols();
  findSharedWeights();
  for (mlir::Operation &op : *module.getBody()) {
    if (auto weight = llvm::dyn_cast<plan::WeightOp>(op)) {
      addWeight(weight);
    } else if (auto cache = llvm::dyn_cast<plan::CacheOp>(op)) {
      addCache(cache);
    } else if (auto kernel = llvm::dyn_cast<plan::KernelOp>(op)) {
      addKernel(kernel);
    } else if (auto block = llvm::dyn_cast<plan::BlockOp>(op)) {
      rank.blocks.push_back(std::make_unique<artifact::BlockT>());
      rank.blocks.back()->name = block.getSymName().str();
      rank.blocks.back()->steps = steps(block.getBody());
    } else if (auto entry = llvm::dyn_cast<plan::EntryOp>(op)) {
      rank.entries.push_back(std::make_unique<artifact::EntryT>());
      rank.entries.back()->name = entry.getSymName().str();
      rank.entries.back()->kind = toSchema(entry.getKind().getValue());
      rank.entries.back()->capacity = capacityOf(entry.getCapacity());
      rank.entries.back()->arena_bytes = static_cast<uint64_t>(entry.getArenaBytes());
      rank.entries.back()->steps = steps(entry.getBody());
    } else {
      return import_::makeError("the module holds '" + op.getName().getStringRef() +
                                "' but emit writes the plan dialect only: run the phase plan first");
    }
  }
  if (rank.entries.empty())
    return import_::makeError("the module has no plan.entry: run the phase plan first");
  plan.ranks.push_back(std::make_unique<artifact::RankT>(std::move(rank)));
  flatbuffers::FlatBufferBuilder builder(1 << 20);
  builder.Finish(artifact::Plan::Pack(builder, &plan), artifact::PlanIdentifier());
  return std::string(reinterpret_cast<const char *>(builder.GetBufferPointer()), builder.GetSize());
}

} // namespace

llvm::Expected<std::string> buildPlan(mlir::ModuleOp plan, const PackedWeights &weights,
                                      llvm::ArrayRef<FileRecord> code) {
  return Builder(plan, weights, code).build();
}

} // namespace kimi::emit
