#include "passes/codegen/PrintCuda.h"

#include "compiler/kernels/cuda/TemplateText.h"
#include "passes/codegen/CudaExpressions.h"
#include "passes/codegen/CudaPointer.h"
#include "passes/codegen/Passes.h"
#include "passes/codegen/ThreadLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace kimi::passes {

namespace {

constexpr size_t kInlineLength = 100; // longer expressions get a name of their own

class CudaPrinter {
public:
  explicit CudaPrinter(func::FuncOp func) : func(func), os(text) {}

  FailureOr<std::string> run() {
    printHeader();
    if (failed(printBlock(func.getBody().front())))
      return failure();
    os << "}\n";
    return text;
  }

  FailureOr<std::string> runBody(ArrayRef<std::string> argumentNames, unsigned outside) {
    for (auto [argument, name] : llvm::zip_equal(func.getArguments(), argumentNames)) {
      if (isa<MemRefType>(argument.getType()))
        pointers[argument] = {name, {}, {}};
      else
        names[argument] = name;
    }
    depth = outside;
    if (failed(printBlock(func.getBody().front())))
      return failure();
    return text;
  }

private:
  //===- names --------------------------------------------------------------------------------------------------===//

  std::string fresh(StringRef stem) { return (stem + Twine(counters[stem]++)).str(); }

  void indent() { os.indent(depth * 2); }

  std::string textOf(Value value) {
    if (auto op = value.getDefiningOp<arith::ConstantOp>())
      if (auto literal = cudaLiteral(op.getValue()))
        return *literal;
    return names.at(value); // what has no form was refused where it was defined
  }

  std::string textOf(OpFoldResult size) {
    if (auto constant = getConstantIntValue(size))
      return std::to_string(*constant);
    return textOf(cast<Value>(size));
  }

  template <typename Range> CudaTexts textsOf(Range &&values) {
    CudaTexts texts;
    for (auto value : values)
      texts.push_back(textOf(value));
    return texts;
  }

  LogicalResult refuse(Operation *op, const Twine &why) {
    return op->emitError() << "kernel '" << func.getSymName() << "': " << why
                           << " has no form in CUDA C++: give it one in passes/codegen/PrintCuda.cpp";
  }

  //===- the function -------------------------------------------------------------------------------------------===//

  void printHeader() {
    os << "extern \"C\" __global__ void __launch_bounds__(" << kBlockThreads << ", 1)\n" << func.getSymName() << "(";
    for (BlockArgument argument : func.getArguments()) {
      bool isDims = argument.getArgNumber() == 0;
      std::string name = isDims ? "dims" : "b" + std::to_string(argument.getArgNumber() - 1);
      os << (isDims ? "const i64 *__restrict__ " : ", u8 *__restrict__ ") << name;
      if (isDims)
        pointers[argument] = {name, {std::to_string(kernel::kNumDims)}, {"1"}};
      else
        pointers[argument] = {name, {}, {}}; // bytes: views say what they hold
    }
    os << ") {\n";
    auto shared = func->getAttrOfType<IntegerAttr>(kSharedBytesAttr);
    if (shared && shared.getInt() > 0)
      os << "  extern __shared__ __align__(128) u8 shared[];\n";
  }

  LogicalResult printBlock(Block &block) {
    ++depth;
    for (Operation &op : block.without_terminator())
      if (failed(printOp(&op)))
        return failure();
    --depth;
    return success();
  }

  LogicalResult printOp(Operation *op) {
    return llvm::TypeSwitch<Operation *, LogicalResult>(op)
        .Case([&](arith::ConstantOp constant) {
          return cudaLiteral(constant.getValue()) ? success() : refuse(op, "a constant of this type");
        })
        .Case<memref::ViewOp, memref::SubViewOp, memref::ExpandShapeOp, memref::CollapseShapeOp, memref::CastOp,
              memref::MemorySpaceCastOp, gpu::DynamicSharedMemoryOp>([&](auto view) { return printView(view); })
        .Case([&](memref::DimOp dim) {
          if (auto number = dim.getConstantIndex()) {
            std::string size = pointers.at(dim.getSource()).sizes[*number];
            names[dim] = size;
            return success();
          }
          return refuse(op, "a dimension that is no constant");
        })
        .Case<memref::LoadOp, memref::StoreOp, vector::LoadOp, vector::StoreOp, vector::ExtractOp, vector::FromElementsOp>(
            [&](auto access) { return printAccess(access); })
        .Case<scf::ForOp, scf::IfOp, scf::WhileOp>([&](auto region) { return printRegion(region); })
        .Case<gpu::ThreadIdOp, gpu::BlockIdOp, gpu::BarrierOp, gpu::ShuffleOp>(
            [&](auto gpuOp) { return printGpu(gpuOp); })
        .Default([&](Operation *) { return printScalar(op); });
  }

  //===- scalars ------------------------------------------------------------------------------------------------===//

  void define(Value value, StringRef stem, const std::string &expression) {
    std::string name = fresh(stem);
    names[value] = name;
    indent();
    os << "const " << *cudaType(value.getType()) << " " << name << " = " << expression << ";\n";
  }

  /// Used once, in the same block: it stands where it is used.
  static bool standsInline(Operation *op, const std::string &expression) {
    Value result = op->getResult(0);
    return expression.size() <= kInlineLength && result.hasOneUse() &&
           result.getUsers().begin()->getBlock() == op->getBlock() &&
           !isa<scf::YieldOp, scf::ForOp, scf::ConditionOp>(*result.getUsers().begin()) && !isView(*result.getUsers().begin());
  }

  static bool isView(Operation *op) { return isa<memref::ViewOp, memref::SubViewOp>(op); }

  static std::string withoutParentheses(const std::string &text) {
    if (text.size() < 2 || text.front() != '(')
      return text;
    int level = 0;
    for (size_t i = 0; i + 1 < text.size(); ++i) {
      level += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
      if (level == 0)
        return text;
    }
    return text.substr(1, text.size() - 2);
  }

  LogicalResult printScalar(Operation *op) {
    std::optional<std::string> expression = cudaExpression(op, textsOf(op->getOperands()));
    if (!expression || !cudaType(op->getResult(0).getType()))
      return refuse(op, "'" + op->getName().getStringRef() + "'" +
                            (op->getNumResults() == 1 ? " to " + printed(op->getResult(0).getType()) : std::string()));
    if (standsInline(op, *expression))
      names[op->getResult(0)] = *expression;
    else
      define(op->getResult(0), op->getResult(0).getType().isIndex() ? "n" : "v", withoutParentheses(*expression));
    return success();
  }

  static std::string printed(Type type) {
    std::string result;
    llvm::raw_string_ostream(result) << type;
    return result;
  }

  //===- memory -------------------------------------------------------------------------------------------------===//

  /// A pointer of its own for the address `expression`.
  std::string definePointer(Type element, const std::string &expression) {
    std::string name = fresh("p");
    indent();
    os << *cudaType(element) << " *const " << name << " = " << expression << ";\n";
    return name;
  }

  LogicalResult printView(gpu::DynamicSharedMemoryOp op) {
    pointers[op] = {"shared", {}, {}};
    return success();
  }

  LogicalResult printView(memref::ViewOp op) {
    auto type = cast<MemRefType>(op.getType());
    auto element = cudaType(type.getElementType());
    if (!element)
      return refuse(op, "a buffer of " + printed(type.getElementType()));
    SmallVector<OpFoldResult> sizes = getMixedValues(type.getShape(), op.getSizes(), op.getContext());
    std::string bytes = pointers.at(op.getSource()).name, shift = textOf(op.getByteShift());
    if (shift != "0")
      bytes += " + " + shift;
    std::string name = definePointer(type.getElementType(), "reinterpret_cast<" + *element + " *>(" + bytes + ")");
    pointers[op] = CudaPointer::contiguous(name, textsOf(sizes));
    return success();
  }

  LogicalResult printView(memref::SubViewOp op) {
    CudaPointer source = pointers.at(op.getSource());
    std::string position = source.offset(textsOf(op.getMixedOffsets())), name = source.name;
    if (position != "0")
      name = definePointer(op.getType().getElementType(), source.name + " + " + position);
    pointers[op] = source.part(name, textsOf(op.getMixedSizes()), textsOf(op.getMixedStrides()), op.getDroppedDims());
    return success();
  }

  LogicalResult printView(memref::ExpandShapeOp op) {
    CudaPointer source = pointers.at(op.getSrc());
    pointers[op] = source.expanded(op.getReassociationIndices(), textsOf(op.getMixedOutputShape()));
    return success();
  }

  LogicalResult printView(memref::CollapseShapeOp op) {
    CudaPointer source = pointers.at(op.getSrc());
    pointers[op] = source.collapsed(op.getReassociationIndices());
    return success();
  }

  LogicalResult printView(memref::CastOp op) { return share(op, op.getSource()); }
  LogicalResult printView(memref::MemorySpaceCastOp op) { return share(op, op.getSource()); }

  LogicalResult share(Value view, Value source) {
    CudaPointer pointer = pointers.at(source);
    pointers[view] = pointer;
    return success();
  }

  std::string element(Value memref, ValueRange indices) { return pointers.at(memref).element(textsOf(indices)); }

  LogicalResult printAccess(memref::LoadOp op) {
    if (!cudaType(op.getType()))
      return refuse(op, "a load of " + printed(op.getType()));
    define(op, "v", element(op.getMemref(), op.getIndices()));
    return success();
  }

  /// "vec<bf16, 4>": aligned to 16 bytes, or to its size where that is less.
  static std::optional<std::string> vectorType(VectorType type) {
    auto element = cudaType(type.getElementType());
    if (!element || type.getRank() != 1)
      return std::nullopt;
    return "vec<" + *element + ", " + std::to_string(type.getNumElements()) + ">";
  }

  LogicalResult printAccess(vector::LoadOp op) {
    auto vector = vectorType(op.getVectorType());
    if (!vector)
      return refuse(op, "a load of " + printed(op.getVectorType()));
    std::string name = names[op] = fresh("w");
    indent();
    os << "const " << *vector << " " << name << " = *reinterpret_cast<const " << *vector << " *>(&"
       << element(op.getBase(), op.getIndices()) << ");\n";
    return success();
  }

  LogicalResult printAccess(vector::FromElementsOp op) {
    auto vector = vectorType(op.getType());
    if (!vector)
      return refuse(op, "a vector of " + printed(op.getType()));
    std::string name = names[op] = fresh("w");
    indent();
    os << "const " << *vector << " " << name << " = {{" << llvm::join(textsOf(op.getElements()), ", ") << "}};\n";
    return success();
  }

  LogicalResult printAccess(vector::StoreOp op) {
    auto vector = vectorType(op.getVectorType());
    if (!vector)
      return refuse(op, "a store of " + printed(op.getVectorType()));
    indent();
    os << "*reinterpret_cast<" << *vector << " *>(&" << element(op.getBase(), op.getIndices())
       << ") = " << textOf(op.getValueToStore()) << ";\n";
    return success();
  }

  LogicalResult printAccess(vector::ExtractOp op) {
    if (op.getNumIndices() != 1 || op.hasDynamicPosition())
      return refuse(op, "'vector.extract' at a position that is no constant");
    std::string text = textOf(op.getSource()) + ".at[" + std::to_string(op.getStaticPosition()[0]) + "]";
    names[op] = text;
    return success();
  }

  LogicalResult printAccess(memref::StoreOp op) {
    indent();
    os << element(op.getMemref(), op.getIndices()) << " = " << withoutParentheses(textOf(op.getValueToStore())) << ";\n";
    return success();
  }

  //===- threads ------------------------------------------------------------------------------------------------===//

  static std::string dimension(gpu::Dimension dim) { return gpu::stringifyDimension(dim).str(); }

  LogicalResult printGpu(gpu::ThreadIdOp op) {
    return define(op, "thread", "threadIdx." + dimension(op.getDimension())), success();
  }
  LogicalResult printGpu(gpu::BlockIdOp op) {
    return define(op, "task", "blockIdx." + dimension(op.getDimension())), success();
  }
  LogicalResult printGpu(gpu::BarrierOp) {
    indent();
    os << "__syncthreads();\n";
    return success();
  }
  LogicalResult printGpu(gpu::ShuffleOp op) {
    if (op.getMode() != gpu::ShuffleMode::XOR || !op.getValid().use_empty())
      return refuse(op, "a shuffle other than xor");
    define(op.getShuffleResult(), "v",
           "__shfl_xor_sync(0xffffffff, " + textOf(op.getValue()) + ", " + textOf(op.getOffset()) + ", " +
               textOf(op.getWidth()) + ")");
    return success();
  }

  //===- control flow -------------------------------------------------------------------------------------------===//

  /// A variable that later assignments change.
  std::string declare(Type type, StringRef stem, const std::string &initial) {
    std::string name = fresh(stem);
    indent();
    os << *cudaType(type) << " " << name << (initial.empty() ? "" : " = " + initial) << ";\n";
    return name;
  }

  /// All at once, as a yield does: what reads a variable that is assigned too goes through a copy.
  void assign(ArrayRef<std::string> variables, ValueRange values) {
    SmallVector<std::string> texts;
    for (auto [number, value] : llvm::enumerate(values)) {
      std::string text = textOf(value);
      bool isOther = llvm::is_contained(variables, text) && text != variables[number];
      if (isOther) {
        std::string copy = fresh("v");
        indent();
        os << "const " << *cudaType(value.getType()) << " " << copy << " = " << text << ";\n";
        text = copy;
      }
      texts.push_back(text);
    }
    for (auto [variable, text] : llvm::zip(variables, texts))
      if (variable != text) {
        indent();
        os << variable << " = " << text << ";\n";
      }
  }

  LogicalResult printRegion(scf::ForOp op) {
    SmallVector<std::string> carried;
    for (auto [init, argument, result] : llvm::zip(op.getInitArgs(), op.getRegionIterArgs(), op.getResults())) {
      if (!cudaType(init.getType()))
        return refuse(op, "a loop that carries " + printed(init.getType()));
      carried.push_back(declare(init.getType(), "s", textOf(init)));
      names[argument] = carried.back();
      names[result] = carried.back();
    }
    std::string counter = fresh("j"), step = textOf(op.getStep());
    names[op.getInductionVar()] = counter;
    indent();
    os << "for (index_t " << counter << " = " << textOf(op.getLowerBound()) << "; " << counter << " < "
       << textOf(op.getUpperBound()) << "; " << (step == "1" ? "++" + counter : counter + " += " + step) << ") {\n";
    if (failed(printBlock(*op.getBody())))
      return failure();
    ++depth;
    assign(carried, op.getBody()->getTerminator()->getOperands());
    --depth;
    indent();
    os << "}\n";
    return success();
  }

  LogicalResult printBranch(Region &region, ArrayRef<std::string> results) {
    if (failed(printBlock(region.front())))
      return failure();
    ++depth;
    assign(results, region.front().getTerminator()->getOperands());
    --depth;
    return success();
  }

  LogicalResult printRegion(scf::IfOp op) {
    SmallVector<std::string> results;
    for (Value result : op.getResults()) {
      if (!cudaType(result.getType()))
        return refuse(op, "a choice of " + printed(result.getType()));
      results.push_back(declare(result.getType(), "s", ""));
      names[result] = results.back();
    }
    indent();
    os << "if (" << withoutParentheses(textOf(op.getCondition())) << ") {\n";
    if (failed(printBranch(op.getThenRegion(), results)))
      return failure();
    if (!op.getElseRegion().empty()) {
      indent();
      os << "} else {\n";
      if (failed(printBranch(op.getElseRegion(), results)))
        return failure();
    }
    indent();
    os << "}\n";
    return success();
  }

  LogicalResult printRegion(scf::WhileOp op) {
    SmallVector<std::string> before, after;
    for (auto [init, argument] : llvm::zip(op.getInits(), op.getBeforeArguments()))
      names[argument] = before.emplace_back(declare(init.getType(), "s", textOf(init)));
    for (auto [argument, result] : llvm::zip(op.getAfterArguments(), op.getResults())) {
      names[argument] = after.emplace_back(declare(result.getType(), "s", ""));
      names[result] = after.back();
    }
    indent();
    os << "while (true) {\n";
    if (failed(printBlock(*op.getBeforeBody())))
      return failure();
    ++depth;
    assign(after, op.getConditionOp().getArgs());
    indent();
    os << "if (!(" << textOf(op.getConditionOp().getCondition()) << "))\n";
    indent();
    os << "  break;\n";
    --depth;
    if (failed(printBlock(*op.getAfterBody())))
      return failure();
    ++depth;
    assign(before, op.getYieldOp()->getOperands());
    --depth;
    indent();
    os << "}\n";
    return success();
  }

  func::FuncOp func;
  std::string text;
  llvm::raw_string_ostream os;
  unsigned depth = 0;
  llvm::StringMap<unsigned> counters;
  llvm::DenseMap<Value, std::string> names;
  llvm::DenseMap<Value, CudaPointer> pointers;
};

} // namespace

FailureOr<std::string> printCuda(func::FuncOp func) { return CudaPrinter(func).run(); }

FailureOr<std::string> printCudaBody(func::FuncOp func, ArrayRef<std::string> names, unsigned depth) {
  return CudaPrinter(func).runBody(names, depth);
}

llvm::StringRef cudaPrelude() { return cuda::templateText("prelude.cuh"); }

} // namespace kimi::passes
