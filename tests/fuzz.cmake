# Fuzz targets as tests: fuzz.NAME runs its committed corpus and a fixed number of mutations. tests/fuzz is a project of
# its own, built with clang 22; without it the tests skip, by name.
find_program(KIMI_FUZZ_CXX NAMES clang++-22 PATHS /usr/lib/llvm-22/bin DOC "clang 22, for the fuzz targets")
find_library(KIMI_FUZZ_RUNTIME NAMES libclang_rt.fuzzer.a libclang_rt.fuzzer-x86_64.a
             PATHS /usr/lib/llvm-22/lib/clang/22/lib/linux NO_DEFAULT_PATH DOC "libFuzzer, of libclang-rt-22-dev")
set(build ${CMAKE_BINARY_DIR}/fuzz)
if(KIMI_FUZZ_CXX AND KIMI_FUZZ_RUNTIME)
  include(ExternalProject)
  # A step of the main build. Its own ninja sees what changed; the console pool keeps it from competing with this one.
  ExternalProject_Add(fuzz_targets
    SOURCE_DIR ${CMAKE_CURRENT_SOURCE_DIR}/fuzz BINARY_DIR ${build} PREFIX ${build}/project
    CMAKE_ARGS -DCMAKE_CXX_COMPILER=${KIMI_FUZZ_CXX}
    BUILD_ALWAYS ON USES_TERMINAL_BUILD ON INSTALL_COMMAND "" TEST_COMMAND "")
endif()

# Runs: a few seconds of one core each.
function(kimi_fuzz_test name runs) # ..., further corpora
  add_test(NAME fuzz.${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/run.sh ${build}/fuzz_${name}
                                     ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name} ${runs} ${ARGN})
  set_tests_properties(fuzz.${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)
endfunction()
kimi_fuzz_test(ChatRequest 20000)
kimi_fuzz_test(CheckpointIndex 20000)
kimi_fuzz_test(CompletionRequest 20000)
kimi_fuzz_test(Manifest 20000)
kimi_fuzz_test(ModelConfig 20000 ${CMAKE_CURRENT_SOURCE_DIR}/golden/families)
kimi_fuzz_test(Plan 20000)
kimi_fuzz_test(Safetensors 20000)
kimi_fuzz_test(TokenizerFiles 20000)
