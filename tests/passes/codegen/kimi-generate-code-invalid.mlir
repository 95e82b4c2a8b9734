// RUN: kimi-opt %s --kimi-generate-code="code-directory=%t" --verify-diagnostics

// expected-error @+1 {{there is no target 'cpu:z80'; there are cpu (= cpu:x86-64-v3), cpu:x86-64-v4, cpu:native, cpu:aarch64}}
module attributes {kimi.target = "cpu:z80"} {
}
