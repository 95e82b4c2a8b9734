// Correctness and speed of the template skinny_gemm on a real device.
//   skinny_gemm_bench DIR [check|time [plain]]     DIR: what skinny_gemm_cubins wrote
#include "tests/gpu/SkinnyCase.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

int main(int argc, char **argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: skinny_gemm_bench DIR [check|time [plain]]\n");
    return 1;
  }
  kimi::gpu::startDriver();
  std::printf("%s\n", kimi::gpu::deviceName().c_str());
  const std::vector<kimi::gpu::Variant> variants = kimi::gpu::readVariants(argv[1]);
  const bool onlyCheck = argc > 2 && std::strcmp(argv[2], "check") == 0,
             onlyTime = argc > 2 && std::strcmp(argv[2], "time") == 0;
  int failed = 0;
  if (!onlyTime)
    failed = kimi::gpu::checkAll(argv[1], variants);
  if (!onlyCheck)
    kimi::gpu::timeAll(argv[1], variants, argc > 3 && std::strcmp(argv[3], "plain") == 0);
  std::fflush(stdout);
  std::_Exit(failed ? 1 : 0);
}
