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

# A file of the compiler is a few pages of code behind half a million lines of MLIR's headers: parsed once for all, they
# save two thirds of the cold build. GCC takes one precompiled header per file, so there is one; each file still includes
# what it uses, and KIMI_PRECOMPILE_HEADERS=OFF shows whether it does.
option(KIMI_PRECOMPILE_HEADERS "Parse MLIR's headers once for all of the compiler" ON)
add_library(mlir_headers OBJECT ${CMAKE_CURRENT_LIST_DIR}/MlirHeaders.cpp)
target_link_libraries(mlir_headers PUBLIC mlir_all)
if(KIMI_PRECOMPILE_HEADERS)
  target_compile_options(mlir_all INTERFACE -fpch-preprocess) # ccache asks for it
  target_precompile_headers(mlir_headers PRIVATE
    <mlir/Bytecode/BytecodeOpInterface.h> <mlir/Dialect/Affine/IR/AffineOps.h>
    <mlir/Dialect/Bufferization/IR/Bufferization.h> <mlir/Dialect/Func/IR/FuncOps.h> <mlir/Dialect/GPU/IR/GPUDialect.h>
    <mlir/Dialect/Linalg/IR/Linalg.h> <mlir/Dialect/Math/IR/Math.h> <mlir/Dialect/MemRef/IR/MemRef.h>
    <mlir/Dialect/SCF/IR/SCF.h> <mlir/Dialect/Tensor/IR/Tensor.h> <mlir/Dialect/Vector/IR/VectorOps.h>
    <mlir/IR/OpImplementation.h> <mlir/Interfaces/FunctionInterfaces.h> <mlir/Interfaces/TilingInterface.h>
    <mlir/Pass/PassManager.h> <llvm/ADT/StringExtras.h> <llvm/ADT/TypeSwitch.h>)
endif()

# share_mlir_headers(TARGET ...): for libraries most of whose files read a dialect; a lighter file compiles faster alone.
function(share_mlir_headers)
  if(KIMI_PRECOMPILE_HEADERS)
    foreach(target IN LISTS ARGN)
      target_precompile_headers(${target} REUSE_FROM mlir_headers)
    endforeach()
  endif()
endfunction()
