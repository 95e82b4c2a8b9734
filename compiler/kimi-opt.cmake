# kimi-opt, and the registration it shares with kimic.
add_library(compiler_registration STATIC Registration.cpp)
target_link_libraries(compiler_registration PUBLIC dialects_kimi dialects_kernel dialects_plan passes_partition
                                                   passes_specialise passes_fuse passes_select passes_codegen
                                                   passes_plan)

add_executable(kimi-opt kimi-opt.cpp)
target_link_libraries(kimi-opt PRIVATE compiler_registration)
share_mlir_headers(compiler_registration kimi-opt)
