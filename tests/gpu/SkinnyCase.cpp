#include "tests/gpu/SkinnyCase.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace kimi::gpu {

void fail(const std::string &message) {
  std::fflush(stdout);
  std::fprintf(stderr, "skinny_gemm_bench: %s\n", message.c_str());
  std::_Exit(1);
}

std::vector<Variant> readVariants(const std::string &folder) {
  std::vector<Variant> variants;
  std::ifstream file(folder + "/kernels.txt");
  if (!file)
    fail("'" + folder + "/kernels.txt' cannot be read: write it with skinny_gemm_cubins");
  for (std::string line; std::getline(file, line);) {
    std::istringstream in(line);
    Variant v;
    unsigned shared = 0, mapCount = 0;
    in >> v.purpose >> v.file >> v.columns >> v.depth >> v.format >> v.tokens >> v.prologue >> v.epilogue >>
        v.label;
    in >> v.kernel.grid >> v.kernel.threads >> shared >> v.kernel.cluster >> mapCount;
    v.maps.resize(mapCount <= 3 ? mapCount : 0);
    for (MapRow &map : v.maps)
      in >> map.argument >> map.elementBytes >> map.shape[0] >> map.shape[1] >> map.stride >> map.box[0] >>
          map.box[1];
    if (!in)
      fail("'" + folder + "/kernels.txt' has a line that skinny_gemm_cubins of this version does not write: " + line);
    const Kernel loaded = loadKernel(folder + "/" + v.file, "skinny", shared);
    v.kernel.function = loaded.function;
    v.kernel.shared = shared;
    variants.push_back(v);
  }
  if (variants.empty())
    fail("'" + folder + "/kernels.txt' names no kernel: nothing would be checked");
  return variants;
}

namespace {

void fillRandom(const Kernel &fill, CUdeviceptr address, long long count, int type, unsigned long long seed,
                float factor) {
  Kernel kernel = fill;
  kernel.grid = 1024;
  kernel.threads = 256;
  launch(kernel, nullptr, {&address, &count, &type, &seed, &factor}, false);
}

} // namespace

Operands::Operands(const Kernel &fill, const Variant &shape, int copies)
    : weightScales(4ull * (shape.columns / 128 + 2) * shape.chunks()), tokens(128 * shape.tokenBytes()),
      tokenScales(4ull * 128 * shape.chunks()), factors(4ull * shape.depth),
      addend(2ull * 128 * shape.columns), scaleRows(4ull * shape.columns), dims(64),
      usedTokens(tokens.size()), usedTokenScales(tokenScales.size()), out(4ull * 128 * shape.columns),
      extra(4ull * 128 * (shape.columns / 128 + 1)) {
  for (int copy = 0; copy < copies; ++copy) {
    weights.push_back(std::make_unique<Buffer>(shape.weightBytes()));
    fillRandom(fill, weights.back()->address(), static_cast<long long>(shape.columns) * shape.depth,
               shape.weightsAreE4m3() ? 0 : 1, 100 + copy, 0.0f);
  }
  fillRandom(fill, weightScales.address(), weightScales.size() / 4, 2, 7, 1e-3f);
  fillRandom(fill, tokens.address(), 128ll * shape.depth, shape.tokensAreE4m3() ? 0 : 1, 11, 0.0f);
  fillRandom(fill, tokenScales.address(), tokenScales.size() / 4, 2, 13, 1e-2f);
  fillRandom(fill, factors.address(), shape.depth, 2, 17, 1.0f);
  fillRandom(fill, addend.address(), 128ll * shape.columns, 1, 19, 0.0f);
  std::vector<int> rows(shape.columns);
  for (int column = 0; column < shape.columns; ++column)
    rows[column] = shape.scaleRowOf(column); // also of {1536, 576}: 1536 is a multiple of 128
  scaleRows.write(rows.data(), 4 * rows.size());
  synchronise();
}

void Operands::use(const Variant &variant, int count) {
  usedTokens.poison();
  usedTokenScales.poison();
  usedTokens.copyFrom(tokens, count * variant.tokenBytes());
  usedTokenScales.copyFrom(tokenScales, 4ull * count * variant.chunks());
  const long long sizes[8] = {1, count, 1, 1, 1, 1, 0, 0};
  dims.write(sizes, sizeof sizes);
}

Call::Call(const Variant &variant, const Operands &operands, int copy) : variant(variant) {
  pointers = {operands.dims.address(), operands.weights[copy]->address()};
  if (variant.weightsAreE4m3())
    pointers.push_back(operands.weightScales.address());
  if (variant.hasTwins())
    pointers.push_back(pointers[1] + variant.weightBytes() / 2);
  if (variant.hasTwins() && variant.weightsAreE4m3())
    pointers.push_back(pointers[2] + 4ull * variant.scaleRowOf(variant.columns / 2) * variant.chunks());
  pointers.push_back(operands.usedTokens.address());
  if (variant.tokensAreE4m3())
    pointers.push_back(operands.usedTokenScales.address());
  if (variant.prologue == "scale")
    pointers.push_back(operands.factors.address());
  pointers.push_back(operands.out.address());
  if (variant.epilogue == "residual")
    pointers.push_back(operands.addend.address());
  if (variant.epilogue.ends_with("quantise"))
    pointers.push_back(operands.extra.address());
  for (const MapRow &map : variant.maps)
    maps.push_back(encodeMap(pointers[1 + map.argument], map.elementBytes, map.shape, map.stride, map.box));
}

void Call::launchOn(CUstream stream, bool programmatic) const {
  std::vector<void *> arguments;
  for (const CUdeviceptr &pointer : pointers)
    arguments.push_back(const_cast<CUdeviceptr *>(&pointer));
  for (const CUtensorMap &map : maps)
    arguments.push_back(const_cast<CUtensorMap *>(&map));
  launch(variant.kernel, stream, arguments, programmatic);
}

} // namespace kimi::gpu
