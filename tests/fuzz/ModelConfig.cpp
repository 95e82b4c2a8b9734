// The text of a config.json, quantization_config included.
#include "compiler/import/ModelConfig.h"
#include "tests/fuzz/Input.h"

#include <cmath>

using namespace kimi;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto config = import_::parseModelConfig({reinterpret_cast<const char *>(data), size}, "config.json");
  if (!config)
    return fuzz::requireMessage(llvm::toString(config.takeError()), {"_", " key \"", "byte", "not an object"}), 0;
  fuzz::require(config->layers > 0 && config->hidden > 0 && config->heads > 0 && config->vocabulary > 0, "sizes are positive");
  fuzz::require(config->moeLayers() >= 0, "the dense layers are some of the layers");
  fuzz::require(config->expertsPerToken <= config->experts, "a token's experts are some of the experts");
  fuzz::require(std::isfinite(config->softmaxScale()) && config->softmaxScale() > 0, "the softmax scale is a positive number");
  for (const char *module : {"lm_head", "model.layers.0.self_attn.q_a_proj", "model.layers.60.mlp.experts.383.up_proj"})
    config->quantisation.ignores(module);
  return 0;
}
