#include "compiler/import/Quantisation.h"

#include "compiler/import/FieldReader.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Regex.h"

namespace kimi::import_ {
namespace {

constexpr llvm::StringLiteral kRegex = "re:";
// Of formats that exist: fp8 in squares, int4 in groups of columns.
constexpr int64_t kFloat8Block = 128, kInt4Group = 32;

/// A regular expression of the config matches from the beginning, as Python's re.match.
std::string anchored(llvm::StringRef entry) { return "^(" + entry.drop_front(kRegex.size()).str() + ")"; }

bool isEmpty(const llvm::json::Value &value) {
  const auto *object = value.getAsObject();
  return value.kind() == llvm::json::Value::Null || (object && object->empty());
}

/// Every key must be one of `known`, or say nothing.
void refuseOtherKeys(const llvm::json::Object &object, const llvm::StringSet<> &known, FieldReader &fields) {
  for (const auto &[key, value] : object)
    if (!known.contains(key) && !isEmpty(value))
      fields.fail("the key " + inQuotes(key) + " is not known here: it may change what weights mean");
}

void requireNull(const llvm::json::Object &object, llvm::StringRef key, FieldReader &fields) {
  if (const llvm::json::Value *value = object.get(key); value && !isEmpty(*value))
    fields.fail(key + " must be null: only weights are quantised here");
}

/// A list of strings; a missing or null key is an empty one.
std::vector<std::string> readNames(const llvm::json::Object &object, llvm::StringRef key, FieldReader &fields) {
  std::vector<std::string> names;
  if (fields.isAbsent(key))
    return names;
  const llvm::json::Array *list = object.getArray(key);
  if (!list)
    return fields.fail(key + " must be a list of strings"), names;
  for (const llvm::json::Value &value : *list)
    if (std::optional<llvm::StringRef> name = value.getAsString())
      names.push_back(name->str());
    else
      fields.fail(key + " must be a list of strings");
  for (const std::string &name : names)
    if (std::string why; llvm::StringRef(name).starts_with(kRegex) && !llvm::Regex(anchored(name)).isValid(why))
      fields.fail(key + " holds " + inQuotes(name) + ", which is no regular expression: " + why);
  return names;
}

void readFloat8(const llvm::json::Object &object, FieldReader &fields, Quantisation &quantisation) {
  refuseOtherKeys(object, {"quant_method", "fmt", "activation_scheme", "weight_block_size", "modules_to_not_convert"},
                  fields);
  fields.requireString("fmt", "e4m3");
  fields.requireString("activation_scheme", "dynamic");
  const llvm::json::Value *block = object.get("weight_block_size");
  if (!block || *block != llvm::json::Value(llvm::json::Array{kFloat8Block, kFloat8Block}))
    fields.fail("weight_block_size must be [" + llvm::Twine(kFloat8Block) + ", " + llvm::Twine(kFloat8Block) + "]");
  quantisation.format = WeightFormat::fp8;
  quantisation.blockRows = quantisation.blockColumns = kFloat8Block;
  quantisation.ignored = readNames(object, "modules_to_not_convert", fields);
}

/// The `weights` of a group of compressed-tensors.
llvm::Error readInt4Weights(const llvm::json::Object &object, const std::string &where) {
  FieldReader fields(object, where);
  refuseOtherKeys(object, {"num_bits", "type", "symmetric", "strategy", "group_size", "dynamic", "observer",
                           "observer_kwargs", "actorder"}, fields);
  fields.integer("num_bits", 4, 4);
  fields.requireString("type", "int");
  fields.requireString("strategy", "group");
  fields.integer("group_size", kInt4Group, kInt4Group);
  if (!fields.boolean("symmetric"))
    fields.fail("symmetric is false; only true is supported");
  fields.requireFalse("dynamic");
  if (!fields.isAbsent("actorder"))
    fields.fail("actorder must be null: groups lie in the order of columns");
  return fields.takeError();
}

llvm::Error readInt4Group(const llvm::json::Object &object, const std::string &where) {
  FieldReader fields(object, where);
  refuseOtherKeys(object, {"targets", "weights", "format"}, fields);
  if (!fields.isAbsent("format"))
    fields.requireString("format", "pack-quantized");
  requireNull(object, "input_activations", fields);
  requireNull(object, "output_activations", fields);
  const llvm::json::Value *targets = object.get("targets");
  if (!targets || *targets != llvm::json::Value(llvm::json::Array{"Linear"}))
    fields.fail("targets must be [\"Linear\"]");
  const llvm::json::Object *weights = object.getObject("weights");
  if (!weights)
    fields.fail("weights is missing; an object {..} is needed");
  if (llvm::Error error = fields.takeError())
    return error;
  return readInt4Weights(*weights, where + ".weights");
}

llvm::Error readInt4(const llvm::json::Object &object, const std::string &where, FieldReader &fields,
                     Quantisation &quantisation) {
  refuseOtherKeys(object, {"quant_method", "format", "config_groups", "ignore", "quantization_status", "version",
                           "global_compression_ratio"}, fields);
  fields.requireString("format", "pack-quantized");
  fields.requireString("quantization_status", "compressed");
  quantisation.format = WeightFormat::int4;
  quantisation.blockColumns = kInt4Group;
  quantisation.ignored = readNames(object, "ignore", fields);
  const llvm::json::Object *groups = object.getObject("config_groups");
  if (!groups || groups->size() != 1 || !groups->begin()->second.getAsObject())
    fields.fail("config_groups must be one group, an object {..}");
  if (fields.hasFailed())
    return llvm::Error::success(); // the caller takes it
  const auto &[name, group] = *groups->begin();
  return readInt4Group(*group.getAsObject(), where + ".config_groups." + name.str());
}

} // namespace

bool Quantisation::ignores(llvm::StringRef module) const {
  for (const std::string &entry : ignored)
    if (llvm::StringRef(entry).starts_with(kRegex) ? llvm::Regex(anchored(entry)).match(module) : module == entry)
      return true;
  return false;
}

llvm::Expected<Quantisation> parseQuantisation(const llvm::json::Object &object, const std::string &outer) {
  Quantisation quantisation;
  const llvm::json::Value *value = object.get("quantization_config");
  if (!value || value->kind() == llvm::json::Value::Null)
    return quantisation;
  const std::string where = outer + ": quantization_config";
  const llvm::json::Object *config = value->getAsObject();
  if (!config)
    return makeError(where + " must be an object {..}");
  FieldReader fields(*config, where);
  const std::string method = fields.string("quant_method");
  if (method == "fp8")
    readFloat8(*config, fields, quantisation);
  else if (method == "compressed-tensors") {
    if (llvm::Error error = readInt4(*config, where, fields, quantisation))
      return error;
  } else if (!fields.hasFailed())
    fields.fail("quant_method is " + inQuotes(method) + "; fp8 and compressed-tensors are supported");
  if (llvm::Error error = fields.takeError())
    return error;
  return quantisation;
}

} // namespace kimi::import_
