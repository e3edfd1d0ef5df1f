// Loops whose every turn is written out when they are compiled.
//
// Sums of a tile are arrays in the source and must be registers in the machine. gcc decides which
// arrays can be registers before it unrolls loops, and an array that a loop indexes can't: a tile
// would load and store its sums at every step, at a third of the speed. So the turns are there
// from the start, as calls that are always inlined.
#pragma once

#include <utility>

#define PACKED_INLINE inline __attribute__((always_inline))
// Before the body of a lambda that `each` is given.
#define PACKED_INLINED __attribute__((always_inline))

namespace packed {
namespace {

template <class Body, int... turns>
PACKED_INLINE void each_of(std::integer_sequence<int, turns...>, const Body& body) {
    (body(turns), ...);
}

// body(0), body(1) ... body(count - 1).
template <int count, class Body>
PACKED_INLINE void each(const Body& body) {
    each_of(std::make_integer_sequence<int, count>(), body);
}

}  // namespace
}  // namespace packed
