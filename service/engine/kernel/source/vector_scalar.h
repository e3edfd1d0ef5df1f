// One float and one integer product at a time: what every other instruction set must agree with.
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

namespace packed {
namespace {

struct ScalarFloats {
    float value;

    static ScalarFloats all(float x) { return {x}; }
    static ScalarFloats load(const float* from) { return {*from}; }
    void store(float* to) const { *to = value; }
};

inline ScalarFloats operator+(ScalarFloats a, ScalarFloats b) { return {a.value + b.value}; }
inline ScalarFloats operator-(ScalarFloats a, ScalarFloats b) { return {a.value - b.value}; }
inline ScalarFloats operator*(ScalarFloats a, ScalarFloats b) { return {a.value * b.value}; }
inline ScalarFloats operator/(ScalarFloats a, ScalarFloats b) { return {a.value / b.value}; }

inline ScalarFloats minimum(ScalarFloats a, ScalarFloats b) { return a.value < b.value ? a : b; }
inline ScalarFloats maximum(ScalarFloats a, ScalarFloats b) { return a.value > b.value ? a : b; }

inline ScalarFloats fused(ScalarFloats a, ScalarFloats b, ScalarFloats c) {
    return {fmaf(a.value, b.value, c.value)};
}

// x * 2^n, n being the integer in the low bits of `shifted`: the exponent's bits begin at 23.
inline ScalarFloats times_power_of_two(ScalarFloats x, ScalarFloats shifted) {
    uint32_t bits, n;
    memcpy(&bits, &x.value, 4);
    memcpy(&n, &shifted.value, 4);
    bits += n << 23;
    memcpy(&x.value, &bits, 4);
    return x;
}

// To the nearest integer, ties to even, for |x| < 2^22.
inline int32_t rounded(float x) { return int32_t((x + 12582912.0f) - 12582912.0f); }

// A blob for one unit and one column at a time: weights [unit][column][gate].
template <class Integer>
struct Scalar {
    static constexpr const char* name = "reference";
    using Floats = ScalarFloats;
    using Activation = Integer;
    using Weight = Integer;
    static constexpr int lanes = 1, group = 1, rows = 1, offset = 0;
};

}  // namespace
}  // namespace packed
