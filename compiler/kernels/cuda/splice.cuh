// What generated code may do inside a template: one functor before the product and one after it, both optional in what they
// do, never in their type. A functor is a struct that is built from the kernel's own arguments (pointers) and is called from the
// template; it reads and writes global memory itself, so residuals, positions and caches need nothing from the template.
//
// Prologue (struct Prologue): what happens to an activation on its way to the tensor cores.
//
//   | class   | static members             | called as                                           | legal where
//   |---------|----------------------------|-----------------------------------------------------|------------------------------
//   | none    | kind = Splice::none        | never                                               | always
//   | element | kind = Splice::element     | float operator()(int token, int k, float x) const   | bf16 activations; the result
//   |         |                            | by any thread, once per block for each (token, k)   | is rounded to bf16
//
// Epilogue (struct Epilogue): what happens to the sums, in f32. `token` < dims[tokens]; `column` is the weight's row n.
//
//   | class   | static members             | called as                                           | legal where
//   |---------|----------------------------|-----------------------------------------------------|------------------------------
//   | element | kind = Splice::element     | void operator()(int token, int column,              | columns % width == 0
//   |         | width = 1, 2 or 4          |   const float (&values)[width]) const: columns      |
//   |         |                            |   column .. + width - 1, column % width == 0        |
//   | pair    | kind = Splice::pair        | the same; columns 2 j and 2 j + 1 come together     | columns % width == 0
//   |         | width = 2 or 4             |   (SwiGLU on interleaved gate and up rows, RoPE)    |
//   | block   | kind = Splice::block       | void operator()(int token, int column,              | rows per block % span == 0,
//   |         | span = 128 or 256          |   const float (&values)[span / 32]) const by a      | columns % span == 0
//   |         |                            |   whole warp: lane l has the columns column ..      |
//   |         |                            |   + span / 32 - 1, column = span * b + span / 32 * l|
//   |         |                            |   (amax by warpMax; span 256: SwiGLU, then 128)     |
//   | row     | kind = Splice::row         | void operator()(int token, const float *row) const  | one block (or cluster along
//   |         |                            |   by a whole warp; the token's `columns` sums, in   | depth) has all columns: columns
//   |         |                            |   shared memory                                     | <= rows per block
//
// Every (token, column) is passed exactly once per launch. Which block passes it is fixed by shape and parameters, and sums are
// taken in one order, so the same input gives the same bits.
namespace kimi {

enum class Splice { none, element, pair, block, row };

// The prologue that does nothing: activations come by the copy engine, untouched.
struct NoPrologue {
  static constexpr Splice kind = Splice::none;
};

} // namespace kimi
