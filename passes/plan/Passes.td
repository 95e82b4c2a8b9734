#ifndef PLAN_PASSES
#define PLAN_PASSES

include "mlir/Pass/PassBase.td"

def CopyBlocks : Pass<"kimi-copy-blocks", "::mlir::ModuleOp"> {
  let summary = "Give every entry its own copy of each function it calls";
  let description = [{
    Before: `call @moe_layer(%h, %c1)` in `@decode_4` and in `@mixed_512`
    After: `call @moe_layer.decode_4(%h, %c1)` in the first, `call @moe_layer.mixed_512(%h, %c1)` in the second

    Afterwards every function is called by at most one entry. Functions that nothing calls are gone.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect"];
}

def AssignBuffers : Pass<"kimi-assign-buffers", "::mlir::ModuleOp"> {
  let summary = "Place every value of every entry at an offset of its arena";
  let description = [{
    A value lives from the launch that writes it to the last that reads it, both included: a launch never writes what
    it reads. Values are placed largest first, each at the lowest multiple of 64 that is free for all its life, at the
    size it has in a full step of the entry. The value passed from call to call lies at 0; a function's result takes the
    place of its argument, which must be dead by then. What becomes a step output is written there directly.

    Sizes: tokens, sequences and rows are the entry's; table_blocks = ceil(context / 64); bias_entries = 300 per row
    (the most that OpenAI's API accepts in one request) and penalty_entries = min(context, 4096) per row, each changed by
    `bias_per_row` and `penalties_per_row` of `kimi.options`. cache_blocks is chosen when the artifact is loaded: no
    buffer may depend on it.

    Before: `%y = kernel.call @round_256(%x) : ..`
    After: `%y = kernel.call @round_256(%x) {plan.results = [#plan.arena<2048 bytes 2048>]} : ..`
  }];
  let dependentDialects = ["::kimi::plan::PlanDialect"];
  let statistics = [Statistic<"largestArena", "largest-arena", "Bytes of the largest arena">];
}

def VerifyArena : Pass<"kimi-verify-arena", "::mlir::ModuleOp"> {
  let summary = "Check that every launch finds in the arena what it reads";
  let description = [{
    Runs each entry, calls included, on a model of the arena that remembers which value lies in which bytes. It knows
    nothing of lifetimes or of how offsets were chosen, so a mistake there cannot hide here. Changes nothing.

    An error where a launch reads bytes that another value has overwritten since, writes what it reads, reads a buffer
    of another size than its kernel expects, or leaves the arena.
  }];
}

def LowerToPlan : Pass<"kimi-lower-to-plan", "::mlir::ModuleOp"> {
  let summary = "Write functions and kernels as blocks, entries and launches";
  let description = [{
    Before: `%y = kernel.call @round_256(%x) {plan.results = [#plan.arena<2048 bytes 2048>]} : ..`
    After: `plan.launch @round_256 grid [tokens] (arena 0 bytes 2048) -> (arena 2048 bytes 2048)`

    Afterwards the module holds the plan dialect only. Weights and kernels that no launch uses are gone.
  }];
  let dependentDialects = ["::kimi::plan::PlanDialect"];
}

#endif
