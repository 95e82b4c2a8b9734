// Parsers and printers that PlanOps.td's assembly formats name. Thread rule: plain functions.
#pragma once

#include "dialects/plan/Plan.h"

namespace kimi::plan {

mlir::ParseResult parseGrid(mlir::OpAsmParser &parser, mlir::ArrayAttr &grid);
void printGrid(mlir::OpAsmPrinter &printer, mlir::Operation *op, mlir::ArrayAttr grid);
mlir::ParseResult parseArguments(mlir::OpAsmParser &parser, mlir::ArrayAttr &arguments);
void printArguments(mlir::OpAsmPrinter &printer, mlir::Operation *op, mlir::ArrayAttr arguments);

} // namespace kimi::plan
