// kimi-opt: every dialect and every pass, for tests and for the curious.
#include "compiler/Registration.h"

#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  kimi::registerDialects(registry);
  kimi::registerPasses();
  mlir::registerAllPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "kimic's optimiser driver\n", registry));
}
