// What generated code may do inside a template: one functor before the product and one after it. A functor is a
// struct that is built from the kernel's own arguments (pointers) and called from the template; it reads and
// writes global memory itself, so residuals, positions and caches need nothing from the template.
//
// struct Prologue: what happens to an activation on its way to the tensor cores.
//
//   class   | kind    | called as                                          | by
//   --------|---------|----------------------------------------------------|--------------------------------------
//   none    | none    | never                                              |
//   element | element | float operator()(int token, int k, float x) const  | any thread, once per block and (token,
//           |         |                                                    | k); bf16 activations only: the result
//           |         |                                                    | is rounded to bf16
//
// struct Epilogue: what happens to the sums, in f32. token < dims[tokens]; column is the weight's row n; with two weights
// (Shape::twins) column 2 n is row n of the first, gate, 2 n + 1 row n of the second, up: classes pair and block.
//
//   class   | members             | called as                                               | by
//   --------|---------------------|---------------------------------------------------------|-------------------
//   element | kind = element,     | void operator()(int token, int column,                  | any thread
//           | width = 1, 2 or 4   |     const float (&values)[width]) const                 |
//   pair    | kind = pair,        | the same; columns 2 j and 2 j + 1 come together: RoPE,  | any thread
//           | width = 2 or 4      | or, with two weights, SwiGLU                            |
//   block   | kind = block,       | void operator()(int token, int column,                  | a whole warp
//           | span = 128 or 256   |     const float (&values)[span / 32]) const             |
//   row     | kind = row          | void operator()(int token, const float *row) const      | a whole warp
//
//   class   | what it is given                                              | legal where
//   --------|---------------------------------------------------------------|--------------------------------------
//   element | columns column .. + width - 1; column % width == 0            | columns % width == 0
//   pair    | the same                                                      | columns % width == 0
//   block   | lane l: columns column .. + span / 32 - 1, where column is    | columns and rows per block are
//           | span * b + span / 32 * l (amax by warpMax; 256 for SwiGLU,    | multiples of span
//           | then quantisation)                                            |
//   row     | the token's `columns` sums in shared memory                   | columns <= rows per block
//
// Every (token, column) is passed exactly once per launch. Which block passes it is fixed by shape and parameters,
// and sums are taken in one order, so the same input gives the same bits.
namespace kimi {

enum class Splice { none, element, pair, block, row };

// The prologue that does nothing: activations come by the copy engine, untouched.
struct NoPrologue {
  static constexpr Splice kind = Splice::none;
};

} // namespace kimi
