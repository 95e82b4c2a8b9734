// Calls the kernels of aarch64.mlir and compares them with the same sums in C, bit by bit: k ascending, fused.
#include <dlfcn.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>

typedef void Kernel(void *const *, const int64_t *, int64_t);

enum { tokens = 7, inputs = 37, panels = 2, lanes = 16, codeInputs = 8 };
static float x[tokens][inputs], w[panels][inputs][lanes], y[tokens][panels][lanes];
static float cx[tokens][codeInputs], scale[1] = {0.37f};
static uint8_t codes[panels][codeInputs][lanes], narrowed[tokens][inputs];
static void *library;

static void run(const char *name, void **buffers) {
  Kernel *kernel = (Kernel *)dlsym(library, name);
  const int64_t dims[9] = {1, tokens};
  for (int64_t task = 0; task < (tokens + 3) / 4; ++task)
    kernel(buffers, dims, task);
}

static float valueOf(uint8_t code) {
  const int exponent = code >> 3 & 15, fraction = code & 7;
  const float size = exponent ? ldexpf(8 + fraction, exponent - 10) : ldexpf(fraction, -9);
  return code & 128 ? -size : size;
}

static int checkProduct(void) {
  for (int i = 0; i < panels * inputs * lanes; ++i)
    ((float *)w)[i] = (float)((i * 53 % 97) - 48) / 13;
  run("product", (void *[]){x, w, y});
  int wrong = 0;
  for (int t = 0; t < tokens; ++t)
    for (int n = 0; n < panels; ++n)
      for (int l = 0; l < lanes; ++l) {
        float sum = 0;
        for (int k = 0; k < inputs; ++k)
          sum = fmaf(x[t][k], w[n][k][l], sum);
        wrong += sum != y[t][n][l];
      }
  return wrong;
}

/// Sums of codes without their scale and the factor 2^8 of their f16 form, which follow at the end.
static int checkCodes(void) {
  for (int i = 0; i < panels * codeInputs * lanes; ++i)
    ((uint8_t *)codes)[i] = (uint8_t)((i & 127) == 127 ? 0 : i);
  for (int i = 0; i < tokens * codeInputs; ++i)
    ((float *)cx)[i] = (float)((i * 29 % 31) - 15) / 7;
  run("codes", (void *[]){cx, codes, scale, y});
  int wrong = 0;
  for (int t = 0; t < tokens; ++t)
    for (int n = 0; n < panels; ++n)
      for (int l = 0; l < lanes; ++l) {
        float sum = 0;
        for (int k = 0; k < codeInputs; ++k)
          sum = fmaf(cx[t][k], valueOf(codes[n][k][l]) / 256, sum);
        wrong += fmaf(sum, scale[0] * 256, 0) != y[t][n][l];
      }
  return wrong;
}

static uint8_t nearestCode(float value) {
  int best = 0;
  for (int code = 1; code < 127; ++code) {
    const float old = fabsf(fabsf(value) - valueOf((uint8_t)best)), now = fabsf(fabsf(value) - valueOf((uint8_t)code));
    if (now < old || (now == old && code % 2 == 0))
      best = code;
  }
  return (uint8_t)(best | (signbit(value) ? 128 : 0));
}

static int checkNarrow(void) {
  for (int i = 0; i < tokens * inputs; ++i) // every code, what lies between two, and beyond the last
    ((float *)x)[i] = (i & 1 ? -1 : 1) * (i < 126 ? (valueOf((uint8_t)i) + valueOf((uint8_t)(i + 1))) / 2 : (float)(i - 126) * 4.1f);
  run("narrow", (void *[]){x, narrowed});
  int wrong = 0;
  for (int i = 0; i < tokens * inputs; ++i)
    wrong += nearestCode(((float *)x)[i]) != ((uint8_t *)narrowed)[i];
  return wrong;
}

int main(int argc, char **argv) {
  library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : 0;
  if (!library || !dlsym(library, "product") || !dlsym(library, "codes") || !dlsym(library, "narrow")) {
    printf("no kernels: %s\n", dlerror());
    return 1;
  }
  for (int i = 0; i < tokens * inputs; ++i)
    ((float *)x)[i] = (float)((i * 37 % 101) - 50) / 17;
  const int product = checkProduct(), scaled = checkCodes(), narrow = checkNarrow();
  printf("differ: %d of the product, %d of the codes, %d of the conversions\n", product, scaled, narrow);
  return product + scaled + narrow != 0;
}
