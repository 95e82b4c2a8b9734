// Writes @step: token ids to samples, through every layer. Thread rule: a plain function.
#pragma once

#include "compiler/import/OpEmitter.h"
#include "compiler/import/Weights.h"

namespace kimi::import_ {

/// Writes `func.func @step()` where the emitter's builder stands. It calls the layer functions by name.
void buildStep(OpEmitter &emit, const ModelConfig &config);

} // namespace kimi::import_
