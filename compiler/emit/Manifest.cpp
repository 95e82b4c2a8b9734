#include "compiler/emit/Manifest.h"

#include "compiler/import/Json.h"
#include "dialects/kimi/Kimi.h"
#include "runtime/schema/FormatVersion.h"

namespace kimi::emit {

static constexpr uint64_t kMaxManifestBytes = 16 << 20;

/// "packed"; "random, seed 1": so that nobody takes noise for a model.
static std::string describeWeights(mlir::ModuleOp module) {
  auto weights = module->getAttrOfType<mlir::StringAttr>(model::kWeightsAttr);
  auto seed = module->getAttrOfType<mlir::IntegerAttr>(model::kSeedAttr);
  if (!weights)
    return "packed";
  return weights.str() + (seed ? ", seed " + std::to_string(seed.getInt()) : "");
}

std::string printManifest(mlir::ModuleOp module, const FileRecord &plan, llvm::ArrayRef<FileRecord> files) {
  auto text = [&](llvm::StringRef name) {
    auto attr = module->getAttrOfType<mlir::StringAttr>(name);
    return attr ? attr.getValue() : llvm::StringRef();
  };
  auto mesh = module->getAttrOfType<mlir::IntegerAttr>(model::kMeshAttr);
  std::string json;
  llvm::raw_string_ostream stream(json);
  llvm::json::OStream out(stream, /*IndentSize=*/2);
  out.object([&] {
    out.attribute("format_version", static_cast<int64_t>(artifact::kFormatVersion));
    out.attribute("compiler_version", KIMI_VERSION);
    out.attribute("plan_hash", plan.hash);
    out.attribute("plan_bytes", static_cast<int64_t>(plan.bytes));
    out.attributeObject("files", [&] {
      for (const FileRecord &file : files)
        out.attribute(file.path, file.hash);
    });
    out.attribute("source", llvm::json::fixUTF8(text(model::kSourceAttr)));
    out.attribute("mesh", mesh ? mesh.getInt() : 1);
    out.attributeArray("targets", [&] { out.value(text(model::kTargetAttr)); });
    out.attribute("numerics", text(model::kNumericsAttr));
    out.attribute("weights", describeWeights(module));
    if (!text(model::kLayersAttr).empty())
      out.attribute("layers", text(model::kLayersAttr));
  });
  stream << '\n';
  return json;
}

llvm::Expected<ManifestView> readManifest(const std::string &directory) {
  const std::string path = (directory + "/" + kManifestName).str();
  llvm::Expected<std::string> text = import_::readTextFile(path, kMaxManifestBytes);
  if (!text)
    return text.takeError();
  llvm::Expected<llvm::json::Object> object = import_::parseObject(*text, path);
  if (!object)
    return object.takeError();
  std::optional<int64_t> version = object->getInteger("format_version"), bytes = object->getInteger("plan_bytes");
  std::optional<llvm::StringRef> hash = object->getString("plan_hash");
  const llvm::json::Object *files = object->getObject("files");
  if (!version || !bytes || !hash || !files)
    return import_::makeError(path + " lacks format_version, plan_hash, plan_bytes or files: it is no artifact's");
  ManifestView view;
  view.formatVersion = static_cast<uint64_t>(*version);
  view.plan = {kPlanName.str(), static_cast<uint64_t>(*bytes), hash->str()};
  for (const auto &[name, value] : *files)
    view.files.push_back({name.str(), 0, value.getAsString().value_or("").str()});
  return view;
}

} // namespace kimi::emit
