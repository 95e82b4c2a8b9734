// A race detector: it knows which thread and block touched each byte last. Images are compiled with -fsanitize=thread,
// which calls a function before every access to memory; they are linked with ours instead of that library's. The same
// for -fsanitize=alignment: vectors that do not lie on a multiple of their size.
//
// Between two barriers nothing orders the threads of a block, and nothing orders the blocks of a launch. Two accesses
// to one byte, one of them a write, are a race, except writes of the same value.
#pragma once

namespace emulate::races {

/// `private..`: memory that every block has for itself, between two addresses. Block 0 starts a launch: what ran before
/// is ordered before it.
void startBlock(unsigned block, const void *privateBegin, const void *privateEnd);
void startInterval(); // a barrier was passed
void settle();        // before threads switch, and at a thread's end

} // namespace emulate::races

namespace emulate {

/// Ends the running block with a message, as printf makes it. Of several the first is kept.
[[gnu::format(printf, 1, 2)]] void fail(const char *format, ...);

} // namespace emulate
