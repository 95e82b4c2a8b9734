#include "passes/codegen/CudaExpressions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/Format.h"

using namespace mlir;

namespace kimi::passes {

namespace {

using Texts = llvm::ArrayRef<std::string>;

std::string infix(Texts x, StringRef symbol) { return "(" + x[0] + " " + symbol.str() + " " + x[1] + ")"; }

std::string call(StringRef function, Texts x) { return function.str() + "(" + llvm::join(x, ", ") + ")"; }

unsigned widthOf(Type type) { return type.isIndex() ? 64 : type.getIntOrFloatBitWidth(); }

std::string unsignedType(Type type) {
  switch (widthOf(type)) {
  case 8:
    return "u8";
  case 16:
    return "u16";
  case 32:
    return "u32";
  default:
    return "u64";
  }
}

std::string asUnsigned(Type type, const std::string &text) {
  return type.isInteger(1) ? text : unsignedType(type) + "(" + text + ")";
}

/// C++ computes with int where operands are narrower: the result is brought back to its type.
std::string narrowed(Type type, std::string text) {
  bool isNarrow = !type.isIndex() && type.isInteger() && widthOf(type) < 32;
  return isNarrow ? *cudaType(type) + text : text;
}

/// Operations that C++ writes between their operands.
StringRef symbolOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case<arith::AddIOp, arith::AddFOp>([](auto) { return "+"; })
      .Case<arith::SubIOp, arith::SubFOp>([](auto) { return "-"; })
      .Case<arith::MulIOp, arith::MulFOp>([](auto) { return "*"; })
      .Case<arith::DivSIOp, arith::DivFOp>([](auto) { return "/"; })
      .Case([](arith::RemSIOp) { return "%"; })
      .Case([](arith::AndIOp) { return "&"; })
      .Case([](arith::OrIOp) { return "|"; })
      .Case([](arith::XOrIOp) { return "^"; })
      .Case([](arith::ShLIOp) { return "<<"; })
      .Case([](arith::ShRSIOp) { return ">>"; })
      .Default(StringRef());
}

/// The same on the bits as unsigned numbers. Indices are never negative where they are divided or compared so.
std::optional<std::string> unsignedExpression(Operation *op, Texts x) {
  Type type = op->getResult(0).getType();
  StringRef symbol = llvm::TypeSwitch<Operation *, StringRef>(op)
                         .Case([](arith::DivUIOp) { return "/"; })
                         .Case([](arith::RemUIOp) { return "%"; })
                         .Case([](arith::ShRUIOp) { return ">>"; })
                         .Default(StringRef());
  if (!symbol.empty() && type.isIndex())
    return infix(x, symbol);
  if (isa<arith::MinUIOp, arith::MaxUIOp>(op) && type.isIndex())
    return call(isa<arith::MinUIOp>(op) ? "min" : "max", x);
  if (!symbol.empty())
    return *cudaType(type) + "(" + asUnsigned(type, x[0]) + " " + symbol.str() + " " + asUnsigned(type, x[1]) + ")";
  if (isa<arith::MinUIOp, arith::MaxUIOp>(op)) {
    const std::string function = isa<arith::MinUIOp>(op) ? "min" : "max";
    if (type.isIndex())
      return call(function, x);
    return *cudaType(type) + "(" + function + "(" + asUnsigned(type, x[0]) + ", " + asUnsigned(type, x[1]) + "))";
  }
  if (isa<arith::CeilDivUIOp>(op) && type.isIndex())
    return "((" + x[0] + " + " + x[1] + " - 1) / " + x[1] + ")";
  return std::nullopt;
}

StringRef functionOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case([](math::ExpOp) { return "expf"; })
      .Case([](math::Exp2Op) { return "exp2f"; })
      .Case([](math::LogOp) { return "logf"; })
      .Case([](math::Log2Op) { return "log2f"; })
      .Case([](math::SqrtOp) { return "sqrtf"; })
      .Case([](math::RsqrtOp) { return "rsqrtf"; })
      .Case([](math::TanhOp) { return "tanhf"; })
      .Case([](math::SinOp) { return "sinf"; })
      .Case([](math::CosOp) { return "cosf"; })
      .Case([](math::AbsFOp) { return "fabsf"; })
      .Case([](math::FloorOp) { return "floorf"; })
      .Case([](math::RoundEvenOp) { return "rintf"; })
      .Case([](math::FmaOp) { return "fmaf"; })
      .Case([](arith::MaximumFOp) { return "maximum"; })
      .Case([](arith::MinimumFOp) { return "minimum"; })
      .Case([](arith::MaxNumFOp) { return "fmaxf"; })
      .Case([](arith::MinNumFOp) { return "fminf"; })
      .Case<arith::MaxSIOp>([](auto) { return "max"; })
      .Case<arith::MinSIOp>([](auto) { return "min"; })
      .Default(StringRef());
}

std::string compareInts(arith::CmpIOp op, Texts x) {
  using P = arith::CmpIPredicate;
  Type type = op.getLhs().getType();
  auto unsignedly = [&](StringRef symbol) {
    return "(" + asUnsigned(type, x[0]) + " " + symbol.str() + " " + asUnsigned(type, x[1]) + ")";
  };
  switch (op.getPredicate()) {
  case P::eq:
    return infix(x, "==");
  case P::ne:
    return infix(x, "!=");
  case P::slt:
    return infix(x, "<");
  case P::sle:
    return infix(x, "<=");
  case P::sgt:
    return infix(x, ">");
  case P::sge:
    return infix(x, ">=");
  case P::ult:
    return unsignedly("<");
  case P::ule:
    return unsignedly("<=");
  case P::ugt:
    return unsignedly(">");
  case P::uge:
    return unsignedly(">=");
  }
  llvm_unreachable("every predicate has a case");
}

/// Ordered comparisons are false for NaN, as C++'s are; unordered ones are the negation of the opposite.
std::optional<std::string> compareFloats(arith::CmpFOp op, Texts x) {
  using P = arith::CmpFPredicate;
  switch (op.getPredicate()) {
  case P::OEQ:
    return infix(x, "==");
  case P::OLT:
    return infix(x, "<");
  case P::OLE:
    return infix(x, "<=");
  case P::OGT:
    return infix(x, ">");
  case P::OGE:
    return infix(x, ">=");
  case P::UNE:
    return infix(x, "!=");
  case P::ULT:
    return "!" + infix(x, ">=");
  case P::ULE:
    return "!" + infix(x, ">");
  case P::UGT:
    return "!" + infix(x, "<=");
  case P::UGE:
    return "!" + infix(x, "<");
  case P::ONE:
    return "(" + infix(x, "<") + " || " + infix(x, ">") + ")";
  case P::UEQ:
    return "!(" + infix(x, "<") + " || " + infix(x, ">") + ")";
  case P::ORD:
    return "(" + x[0] + " == " + x[0] + " && " + x[1] + " == " + x[1] + ")";
  case P::UNO:
    return "(" + x[0] + " != " + x[0] + " || " + x[1] + " != " + x[1] + ")";
  default:
    return std::nullopt;
  }
}

std::optional<std::string> bitcast(Type from, Type to, const std::string &x) {
  if (from.isInteger(32) && to.isF32())
    return "__int_as_float(" + x + ")";
  if (from.isF32() && to.isInteger(32))
    return "__float_as_int(" + x + ")";
  if (isa<FloatType>(from) && to.isInteger())
    return *cudaType(to) + "(" + x + ".bits)";
  if (from.isInteger() && isa<FloatType>(to) && cudaType(to))
    return *cudaType(to) + "{" + unsignedType(from) + "(" + x + ")}";
  return std::nullopt;
}

std::optional<std::string> conversion(Operation *op, Texts x) {
  if (op->getNumOperands() != 1 || op->getNumResults() != 1)
    return std::nullopt;
  Type from = op->getOperand(0).getType(), to = op->getResult(0).getType();
  auto target = cudaType(to);
  if (!target || !cudaType(from))
    return std::nullopt;
  if (isa<arith::BitcastOp>(op))
    return bitcast(from, to, x[0]);
  if (isa<arith::ExtFOp>(op) && to.isF32())
    return "to_f32(" + x[0] + ")";
  if (isa<arith::TruncFOp>(op) && from.isF32())
    return "to_" + *target + "(" + x[0] + ")";
  if (isa<arith::TruncIOp>(op) && to.isInteger(1))
    return "bool(" + x[0] + " & 1)";
  if (isa<arith::ExtSIOp>(op) && from.isInteger(1))
    return *target + "(" + x[0] + " ? -1 : 0)";
  if (isa<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp, arith::SIToFPOp, arith::FPToSIOp>(op))
    return *target + "(" + x[0] + ")";
  if (isa<arith::IndexCastUIOp, arith::ExtUIOp, arith::UIToFPOp>(op))
    return *target + "(" + asUnsigned(from, x[0]) + ")";
  return std::nullopt;
}

} // namespace

std::optional<std::string> cudaType(Type type) {
  if (type.isIndex())
    return "index_t";
  if (type.isF32())
    return "float";
  if (type.isBF16())
    return "bf16";
  if (isa<Float8E4M3FNType>(type))
    return "f8e4m3";
  if (!type.isSignlessInteger())
    return std::nullopt;
  switch (type.getIntOrFloatBitWidth()) {
  case 1:
    return "bool";
  case 8:
    return "i8";
  case 16:
    return "i16";
  case 32:
    return "int";
  case 64:
    return "i64";
  default:
    return std::nullopt;
  }
}

std::optional<std::string> cudaLiteral(Attribute value) {
  if (auto integer = dyn_cast<IntegerAttr>(value)) {
    if (integer.getType().isInteger(1))
      return integer.getValue().isZero() ? "false" : "true";
    int64_t number = integer.getValue().getSExtValue();
    if (number == INT32_MIN) // -2147483648 is no int in C++
      return "(-2147483647 - 1)";
    std::string text = std::to_string(number);
    return number < 0 ? "(" + text + ")" : text;
  }
  auto real = dyn_cast<FloatAttr>(value);
  if (!real || !real.getType().isF32())
    return std::nullopt;
  float number = real.getValue().convertToFloat();
  if (!real.getValue().isFinite())
    return "__int_as_float(0x" + llvm::utohexstr(real.getValue().bitcastToAPInt().getZExtValue()) + ")";
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.9gf", static_cast<double>(number));
  if (text.find_first_of(".e") == std::string::npos)
    text.insert(text.size() - 1, ".0");
  return number < 0 ? "(" + text + ")" : text;
}

std::optional<std::string> cudaExpression(Operation *op, Texts x) {
  if (op->getNumResults() != 1)
    return std::nullopt;
  if (StringRef symbol = symbolOf(op); !symbol.empty())
    return narrowed(op->getResult(0).getType(), infix(x, symbol));
  if (StringRef function = functionOf(op); !function.empty())
    return call(function, x);
  if (auto text = unsignedExpression(op, x))
    return text;
  if (auto compare = dyn_cast<arith::CmpIOp>(op))
    return compareInts(compare, x);
  if (auto compare = dyn_cast<arith::CmpFOp>(op))
    return compareFloats(compare, x);
  if (isa<arith::NegFOp>(op))
    return "(-" + x[0] + ")";
  if (isa<arith::SelectOp>(op))
    return "(" + x[0] + " ? " + x[1] + " : " + x[2] + ")";
  return conversion(op, x);
}

} // namespace kimi::passes
