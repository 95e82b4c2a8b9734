// How a launch's grid and arguments are written: short, because a plan is read by people. See PlanOps.td.
#include "dialects/plan/PlanSyntax.h"

using namespace mlir;
using namespace kimi::plan;
using kimi::kernel::DimSymbol;
using kimi::kernel::ExtentAttr;

namespace kimi::plan {

/// `tokens`, `tokens * 8`, `tokens by 64`, `6`, `6 by 4`.
static ParseResult parseExtent(OpAsmParser &parser, SmallVectorImpl<Attribute> &grid) {
  MLIRContext *context = parser.getContext();
  int64_t multiplier = 1, divisor = 1;
  OptionalParseResult number = parser.parseOptionalInteger(multiplier);
  std::optional<DimSymbol> symbol = DimSymbol::one;
  if (!number.has_value()) {
    StringRef name;
    SMLoc location = parser.getCurrentLocation();
    if (parser.parseKeyword(&name))
      return failure();
    symbol = kernel::symbolizeDimSymbol(name);
    if (!symbol)
      return parser.emitError(location) << "'" << name << "' is no run-time size";
    if (succeeded(parser.parseOptionalStar()) && parser.parseInteger(multiplier))
      return failure();
  } else if (failed(*number)) {
    return failure();
  }
  if (succeeded(parser.parseOptionalKeyword("by")) && parser.parseInteger(divisor))
    return failure();
  grid.push_back(ExtentAttr::get(context, *symbol, multiplier, divisor));
  return success();
}

ParseResult parseGrid(OpAsmParser &parser, ArrayAttr &grid) {
  SmallVector<Attribute> extents;
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] { return parseExtent(parser, extents); }))
    return failure();
  grid = ArrayAttr::get(parser.getContext(), extents);
  return success();
}

void printGrid(OpAsmPrinter &printer, Operation *, ArrayAttr grid) {
  printer << '[';
  llvm::interleaveComma(grid.getAsRange<ExtentAttr>(), printer, [&](ExtentAttr extent) {
    if (extent.getSymbol() == DimSymbol::one)
      printer << extent.getMultiplier();
    else
      printer << kernel::stringifyDimSymbol(extent.getSymbol());
    if (extent.getSymbol() != DimSymbol::one && extent.getMultiplier() != 1)
      printer << " * " << extent.getMultiplier();
    if (extent.getDivisor() != 1)
      printer << " by " << extent.getDivisor();
  });
  printer << ']';
}

static Attribute parseSymbolArgument(OpAsmParser &parser, StringRef kind) {
  StringAttr name;
  if (parser.parseSymbolName(name))
    return {};
  auto symbol = FlatSymbolRefAttr::get(name);
  return kind == "weight" ? Attribute(WeightRefAttr::get(parser.getContext(), symbol))
                          : Attribute(CacheRefAttr::get(parser.getContext(), symbol));
}

static Attribute parseArenaArgument(OpAsmParser &parser) {
  int64_t offset = 0, bytes = 0;
  if (parser.parseInteger(offset) || parser.parseKeyword("bytes") || parser.parseInteger(bytes))
    return {};
  return ArenaAttr::get(parser.getContext(), offset, bytes);
}

static Attribute parseStepArgument(OpAsmParser &parser, StringRef kind) {
  StringRef name;
  SMLoc location = parser.getCurrentLocation();
  if (parser.parseKeyword(&name))
    return {};
  if (kind == "input") {
    if (std::optional<model::StepInput> input = model::symbolizeStepInput(name))
      return model::StepInputAttr::get(parser.getContext(), *input);
  } else if (std::optional<model::StepOutput> output = model::symbolizeStepOutput(name)) {
    return model::StepOutputAttr::get(parser.getContext(), *output);
  }
  parser.emitError(location) << "'" << name << "' is no step " << kind;
  return {};
}

static ParseResult parseArgument(OpAsmParser &parser, SmallVectorImpl<Attribute> &arguments) {
  StringRef kind;
  SMLoc location = parser.getCurrentLocation();
  if (parser.parseKeyword(&kind))
    return failure();
  Attribute argument;
  if (kind == "arena")
    argument = parseArenaArgument(parser);
  else if (kind == "weight" || kind == "cache")
    argument = parseSymbolArgument(parser, kind);
  else if (kind == "input" || kind == "output")
    argument = parseStepArgument(parser, kind);
  else
    return parser.emitError(location)
           << "'" << kind << "' is no kind of argument: expected arena, weight, input, output or cache";
  arguments.push_back(argument);
  return success(static_cast<bool>(argument));
}

ParseResult parseArguments(OpAsmParser &parser, ArrayAttr &arguments) {
  SmallVector<Attribute> parsed;
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, [&] { return parseArgument(parser, parsed); }))
    return failure();
  arguments = ArrayAttr::get(parser.getContext(), parsed);
  return success();
}

void printArguments(OpAsmPrinter &printer, Operation *, ArrayAttr arguments) {
  printer << '(';
  llvm::interleaveComma(arguments, printer, [&](Attribute argument) {
    if (auto arena = dyn_cast<ArenaAttr>(argument))
      printer << "arena " << arena.getOffset() << " bytes " << arena.getBytes();
    else if (auto weight = dyn_cast<WeightRefAttr>(argument))
      printer << "weight " << weight.getSymbol();
    else if (auto cache = dyn_cast<CacheRefAttr>(argument))
      printer << "cache " << cache.getSymbol();
    else if (auto input = dyn_cast<model::StepInputAttr>(argument))
      printer << "input " << model::stringifyStepInput(input.getValue());
    else if (auto output = dyn_cast<model::StepOutputAttr>(argument))
      printer << "output " << model::stringifyStepOutput(output.getValue());
    else
      printer << argument;
  });
  printer << ')';
}

} // namespace kimi::plan
