// kimi.sample as machine code, against a plain reference: rows of 640 tokens, and of 75 (no multiple of mask words
// or of vector lanes).
// RUN: rm -rf %t && kimi-opt %s --kimi-fuse --kimi-generate-code="code-directory=%t" | FileCheck %s
// RUN: %{python} %S/sample.py %t

// CHECK: kernel.func private @sample(tensor<?x640xf32>
// CHECK: kernel.func private @sample_v2(tensor<?x75xf32>

func.func private @rows_of_640(%logits: tensor<?x640xf32>)
    -> (tensor<?xi32>, tensor<?xf32>, tensor<?x20xi32>, tensor<?x20xf32>, tensor<?xi32>) {
  %0 = kimi.step_input <temperature> : tensor<?xf32>
  %1 = kimi.step_input <top_p> : tensor<?xf32>
  %2 = kimi.step_input <min_p> : tensor<?xf32>
  %3 = kimi.step_input <top_k> : tensor<?xi32>
  %4 = kimi.step_input <seeds> : tensor<?x2xi32>
  %5 = kimi.step_input <draw_index> : tensor<?xi32>
  %6 = kimi.step_input <mask_rows> : tensor<?xi32>
  %7 = kimi.step_input <token_mask> : tensor<?x20xi32>
  %8 = kimi.step_input <bias_offsets> : tensor<?xi32>
  %9 = kimi.step_input <bias_tokens> : tensor<?xi32>
  %10 = kimi.step_input <bias_values> : tensor<?xf32>
  %11 = kimi.step_input <penalty_offsets> : tensor<?xi32>
  %12 = kimi.step_input <penalty_tokens> : tensor<?xi32>
  %13 = kimi.step_input <penalty_counts> : tensor<?xi32>
  %14 = kimi.step_input <repetition_penalty> : tensor<?xf32>
  %15 = kimi.step_input <presence_penalty> : tensor<?xf32>
  %16 = kimi.step_input <frequency_penalty> : tensor<?xf32>
  %17 = kimi.step_input <logprob_counts> : tensor<?xi32>
  %token, %logprob, %ids, %logprobs, %finite = kimi.sample %logits
      controls (%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17)
      : tensor<?x640xf32>,
        (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?xi32>, tensor<?x2xi32>, tensor<?xi32>,
         tensor<?xi32>, tensor<?x20xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xf32>, tensor<?xi32>,
         tensor<?xi32>, tensor<?xi32>, tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?xi32>)
      -> tensor<?xi32>, tensor<?xf32>, tensor<?x20xi32>, tensor<?x20xf32>, tensor<?xi32>
  return %token, %logprob, %ids, %logprobs, %finite
      : tensor<?xi32>, tensor<?xf32>, tensor<?x20xi32>, tensor<?x20xf32>, tensor<?xi32>
}

func.func private @rows_of_75(%logits: tensor<?x75xf32>)
    -> (tensor<?xi32>, tensor<?xf32>, tensor<?x20xi32>, tensor<?x20xf32>, tensor<?xi32>) {
  %0 = kimi.step_input <temperature> : tensor<?xf32>
  %1 = kimi.step_input <top_p> : tensor<?xf32>
  %2 = kimi.step_input <min_p> : tensor<?xf32>
  %3 = kimi.step_input <top_k> : tensor<?xi32>
  %4 = kimi.step_input <seeds> : tensor<?x2xi32>
  %5 = kimi.step_input <draw_index> : tensor<?xi32>
  %6 = kimi.step_input <mask_rows> : tensor<?xi32>
  %7 = kimi.step_input <token_mask> : tensor<?x3xi32>
  %8 = kimi.step_input <bias_offsets> : tensor<?xi32>
  %9 = kimi.step_input <bias_tokens> : tensor<?xi32>
  %10 = kimi.step_input <bias_values> : tensor<?xf32>
  %11 = kimi.step_input <penalty_offsets> : tensor<?xi32>
  %12 = kimi.step_input <penalty_tokens> : tensor<?xi32>
  %13 = kimi.step_input <penalty_counts> : tensor<?xi32>
  %14 = kimi.step_input <repetition_penalty> : tensor<?xf32>
  %15 = kimi.step_input <presence_penalty> : tensor<?xf32>
  %16 = kimi.step_input <frequency_penalty> : tensor<?xf32>
  %17 = kimi.step_input <logprob_counts> : tensor<?xi32>
  %token, %logprob, %ids, %logprobs, %finite = kimi.sample %logits
      controls (%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17)
      : tensor<?x75xf32>,
        (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?xi32>, tensor<?x2xi32>, tensor<?xi32>,
         tensor<?xi32>, tensor<?x3xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xf32>, tensor<?xi32>,
         tensor<?xi32>, tensor<?xi32>, tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?xi32>)
      -> tensor<?xi32>, tensor<?xf32>, tensor<?x20xi32>, tensor<?x20xf32>, tensor<?xi32>
  return %token, %logprob, %ids, %logprobs, %finite
      : tensor<?xi32>, tensor<?xf32>, tensor<?x20xi32>, tensor<?x20xf32>, tensor<?xi32>
}
