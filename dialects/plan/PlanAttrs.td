#ifndef PLAN_ATTRS
#define PLAN_ATTRS

include "dialects/kernel/KernelAttrs.td"
include "dialects/kimi/KimiAttrs.td"
include "dialects/plan/PlanDialect.td"

class Plan_Attr<string name, string mnemonic_> : AttrDef<Plan_Dialect, name> { let mnemonic = mnemonic_; }

def Plan_ArenaAttr : Plan_Attr<"Arena", "arena"> {
  let summary = "A buffer: bytes [offset, offset + bytes) of the entry's arena";
  let description = [{
    `bytes` is the size at the entry's capacity; a smaller step uses a prefix.
    Example: `#plan.arena<4096 bytes 2048>`
  }];
  let parameters = (ins "int64_t":$offset, "int64_t":$bytes);
  let assemblyFormat = "`<` $offset `bytes` $bytes `>`";
  let extraClassDeclaration = [{
    int64_t getEnd() const { return getOffset() + getBytes(); }
    /// Ranges share a byte.
    bool overlaps(ArenaAttr other) const { return getOffset() < other.getEnd() && other.getOffset() < getEnd(); }
  }];
}

def Plan_WeightRefAttr : Plan_Attr<"WeightRef", "weight"> {
  let summary = "A weight as a launch argument; in a block, the slice of the running layer";
  let description = [{ Example: `#plan.weight<@moe.q_a_proj>` }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$symbol);
  let assemblyFormat = "`<` $symbol `>`";
}

def Plan_CacheRefAttr : Plan_Attr<"CacheRef", "cache"> {
  let summary = "A cache as a launch argument: the slice of the running layer";
  let description = [{ Example: `#plan.cache<@latent>` }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$symbol);
  let assemblyFormat = "`<` $symbol `>`";
}

def Plan_CapacityAttr : Plan_Attr<"Capacity", "capacity"> {
  let summary = "The most elements an entry may see of each run-time size";
  let description = [{
    Example: `#plan.capacity<tokens = 4, sequences = 4, logit_rows = 4, table_blocks = 64, bias_entries = 1200, penalty_entries = 16384>`
  }];
  let parameters = (ins "int64_t":$tokens, "int64_t":$sequences, "int64_t":$logit_rows, "int64_t":$table_blocks,
                        "int64_t":$bias_entries, "int64_t":$penalty_entries);
  let assemblyFormat = "`<` struct(params) `>`";
  let extraClassDeclaration = [{
    /// The value of `extent` in a full step. Nothing where it has none (cache_blocks: chosen when the artifact is
    /// loaded; context_tokens: for costs only) or where it does not fit 62 bits.
    std::optional<int64_t> valueOf(::kimi::kernel::ExtentAttr extent) const;
  }];
}

def Plan_EntryKindAttr : Plan_Attr<"EntryKind", "kind"> {
  let summary = "Which steps an entry serves: decode or mixed";
  let description = [{ Example: `#plan.kind<decode>` }];
  let parameters = (ins EnumParameter<Kimi_EntryKind>:$value);
  let assemblyFormat = "`<` $value `>`";
}

#endif
