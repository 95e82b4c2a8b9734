# Finds MLIR 22 (asked for without a version: its version file accepts only the exact minor) and offers
# kimi_dialect(NAME FILE.td ...) for the folders below.
list(APPEND CMAKE_PREFIX_PATH /usr/lib/llvm-22)
find_package(MLIR REQUIRED CONFIG)
if(NOT LLVM_VERSION_MAJOR EQUAL 22)
  message(FATAL_ERROR "kimic needs MLIR 22 but CMake found ${LLVM_VERSION}: install libmlir-22-dev or set MLIR_DIR")
endif()
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
set(LLVM_EXTERNAL_LIT ${LLVM_TOOLS_BINARY_DIR}/lit)
include(TableGen)
include(AddLLVM)
include(AddMLIR)
set(MLIR_TABLEGEN_EXE ${LLVM_TOOLS_BINARY_DIR}/mlir-tblgen)

# The shared libraries carry everything; tests and tools link these two.
add_library(mlir_all INTERFACE)
target_link_libraries(mlir_all INTERFACE MLIR LLVM)
target_include_directories(mlir_all SYSTEM INTERFACE ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
target_compile_options(mlir_all INTERFACE -Wno-comment)

# The compiler's own code is a thin layer over libMLIR.so: building it fast is worth more than running it fast.
# (compiler/emit moves the bytes and keeps -O2.)
option(KIMI_OPTIMISE_COMPILER "Optimise the dialects and passes, too" OFF)
if(NOT KIMI_OPTIMISE_COMPILER)
  target_compile_options(mlir_all INTERFACE -O0)
endif()
