# Fuzz targets as tests: fuzz.NAME runs its corpus and a fixed number of mutations. tests/fuzz is a project of its own,
# built with clang 22; without it the tests skip, by name.
find_program(KIMI_FUZZ_CXX NAMES clang++-22 PATHS /usr/lib/llvm-22/bin DOC "clang 22, for the fuzz targets")
find_library(KIMI_FUZZ_RUNTIME NAMES libclang_rt.fuzzer.a libclang_rt.fuzzer-x86_64.a libclang_rt.fuzzer-aarch64.a
             PATHS /usr/lib/llvm-22/lib/clang/22/lib/linux NO_DEFAULT_PATH DOC "libFuzzer, of libclang-rt-22-dev")
set(fuzz ${CMAKE_CURRENT_SOURCE_DIR}/fuzz)
set(build ${CMAKE_BINARY_DIR}/fuzz)
if(KIMI_FUZZ_CXX AND KIMI_FUZZ_RUNTIME)
  include(ExternalProject)
  # A step of the main build. Its own ninja sees what changed; the console pool keeps it from competing with this one.
  ExternalProject_Add(fuzz_targets
    SOURCE_DIR ${fuzz} BINARY_DIR ${build} PREFIX ${build}/project
    CMAKE_ARGS -DCMAKE_CXX_COMPILER=${KIMI_FUZZ_CXX}
    BUILD_ALWAYS ON USES_TERMINAL_BUILD ON INSTALL_COMMAND "" TEST_COMMAND "")
else()
  message(STATUS "the tests fuzz.* will skip: clang-22 or libclang-rt-22-dev is not installed")
endif()

# Two tests for each target: its runs, a few seconds of one core; and that two shorter ones are the same.
function(kimi_fuzz_test name runs) # corpora...
  add_test(NAME fuzz.${name} COMMAND ${fuzz}/run.sh ${build}/fuzz_${name} ${runs} ${ARGN})
  add_test(NAME fuzz.${name}.repeats COMMAND ${fuzz}/repeats.sh ${build}/fuzz_${name} 2000 ${ARGN})
  set_tests_properties(fuzz.${name} fuzz.${name}.repeats PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)
endfunction()
file(GLOB configs CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/golden/families/*.json)
kimi_fuzz_test(ChatRequest 20000 ${fuzz}/corpus/ChatRequest)
kimi_fuzz_test(CheckpointIndex 20000 ${fuzz}/corpus/CheckpointIndex)
kimi_fuzz_test(CompletionRequest 20000 ${fuzz}/corpus/CompletionRequest)
kimi_fuzz_test(Manifest 20000 ${fuzz}/corpus/Manifest)
kimi_fuzz_test(ModelConfig 20000 ${fuzz}/corpus/ModelConfig ${configs})
kimi_fuzz_test(Plan 50000 ${build}/corpus/Plan)
kimi_fuzz_test(Safetensors 20000 ${fuzz}/corpus/Safetensors)
kimi_fuzz_test(TokenizerFiles 10000 ${fuzz}/corpus/TokenizerFiles)
