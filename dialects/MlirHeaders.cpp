// Nothing: CMake builds a precompiled header beside a file only. Mlir.cmake says which headers and for whom.
