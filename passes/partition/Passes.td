#ifndef PARTITION_PASSES
#define PARTITION_PASSES

include "mlir/Pass/PassBase.td"

def Partition : Pass<"kimi-partition", "::mlir::ModuleOp"> {
  let summary = "Place the model on a grid of ranks";
  let description = [{
    Reads the module attribute `kimi.mesh`, the number of ranks, and writes it as a grid of the shard dialect. One rank
    is what can be placed so far: every tensor is local as it stands, and nothing is moved.

    Before:
    ```mlir
    module attributes {kimi.mesh = 1 : i64} {
      kimi.cache @latent : !kimi.cache<48 x bf16> layers 4
    }
    ```
    After:
    ```mlir
    module attributes {kimi.mesh = 1 : i64} {
      shard.grid @ranks(shape = 1)
      kimi.cache @latent : !kimi.cache<48 x bf16> layers 4
    }
    ```

    Afterwards `@ranks` is the only grid of the module.
  }];
  let dependentDialects = ["::mlir::shard::ShardDialect"];
}

def VerifyAllShapesLocal : Pass<"kimi-verify-all-shapes-local", "::mlir::ModuleOp"> {
  let summary = "Check that no tensor spans ranks";
  let description = [{
    The invariant at the end of `partition`: every tensor type is the shape that one rank holds. An operation that says
    how a tensor is spread (shard.sharding, shard.shard) is a question that partition left open, and an error here.
    Changes nothing.

    Before and after:
    ```mlir
    shard.grid @ranks(shape = 1)
    func.func @step() {
      return
    }
    ```
  }];
}

#endif
