// Calls the kernel of aarch64.mlir and compares it with the same sums in C, bit by bit: k ascending, fused.
#include <dlfcn.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>

enum { tokens = 7, inputs = 37, panels = 2, lanes = 16 };
static float x[tokens][inputs], w[panels][inputs][lanes], y[tokens][panels][lanes];

int main(int argc, char **argv) {
  void *code = argc > 1 ? dlopen(argv[1], RTLD_NOW) : 0;
  void (*kernel)(void *const *, const int64_t *, int64_t) = code ? dlsym(code, "product") : 0;
  if (!kernel) {
    printf("no kernel: %s\n", dlerror());
    return 1;
  }
  for (int i = 0; i < tokens * inputs; ++i)
    ((float *)x)[i] = (float)((i * 37 % 101) - 50) / 17;
  for (int i = 0; i < panels * inputs * lanes; ++i)
    ((float *)w)[i] = (float)((i * 53 % 97) - 48) / 13;
  void *buffers[] = {x, w, y};
  int64_t dims[9] = {1, tokens};
  for (int64_t task = 0; task < (tokens + 3) / 4; ++task)
    kernel(buffers, dims, task);
  int wrong = 0;
  for (int t = 0; t < tokens; ++t)
    for (int n = 0; n < panels; ++n)
      for (int l = 0; l < lanes; ++l) {
        float sum = 0;
        for (int k = 0; k < inputs; ++k)
          sum = fmaf(x[t][k], w[n][k][l], sum);
        wrong += sum != y[t][n][l];
      }
  printf("%d of %d elements differ\n", wrong, tokens * panels * lanes);
  return wrong != 0;
}
