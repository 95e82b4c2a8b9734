// Settings and counters of the fake cuBLASLt, shared by the library and the tests that load it. It stands in for
// libcublasLt.so.13 on machines without a GPU (KIMI_CUBLASLT names it), runs on the fake driver's memory and streams, and is
// stricter than the real one: it takes bf16 products as kimic's runtime describes them and nothing else, refuses operands and
// workspaces that lie outside one allocation or at odd addresses, and an algorithm that was not chosen by it or checked for
// the very sizes of a product.
#pragma once

#include <cstdint>
#include <string>

namespace kimi::test {

struct FakeCublasLt {
  // Settings.
  std::string failing;         // entry point that gives `status`
  int status = 15;             // CUBLAS_STATUS_NOT_SUPPORTED
  bool hasAlgorithms = true;   // else the heuristic finds none
  int64_t fewestRows = 1;      // that an algorithm chosen for more takes
  uint64_t workspaceBytes = 0; // that algorithms want

  // Counters.
  int64_t chosen = 0, checked = 0, products = 0;
  int64_t liveObjects = 0; // what somebody forgot to destroy
};

} // namespace kimi::test

/// In the library, found with dlsym.
extern "C" kimi::test::FakeCublasLt *kimiFakeCublasLt();
