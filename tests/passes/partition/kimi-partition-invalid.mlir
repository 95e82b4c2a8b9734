// RUN: kimi-opt %s --kimi-partition -split-input-file -verify-diagnostics

// expected-error @+1 {{kimi.mesh asks for 16 ranks but a model can be placed on 1 rank only so far: write kimi.mesh = 1 : i64}}
module @sixteen attributes {kimi.mesh = 16 : i64} {
}

// -----

// expected-error @+1 {{the module has no integer kimi.mesh, the number of ranks: import sets it; write kimi.mesh = 1 : i64}}
module @none {
}

// -----

// expected-error @+1 {{the module has no integer kimi.mesh, the number of ranks}}
module @text attributes {kimi.mesh = "1"} {
}

// -----

// expected-error @+1 {{kimi.mesh asks for -1 ranks}}
module @negative attributes {kimi.mesh = -1 : i64} {
}

// -----

// expected-error @+1 {{the module has a symbol @ranks already: it was partitioned before; go on from the phase after partition}}
module @twice attributes {kimi.mesh = 1 : i64} {
  shard.grid @ranks(shape = 1)
}
