// exp, sigmoid and tanh for any vector type V, in one order of operations: the same bits in each.
//
// V is a vector of floats with + - * /, `V::all(x)`, `minimum`, `maximum`, `fused` (a * b + c
// rounded once) and `times_power_of_two`. vector_scalar.h shows the plainest one.
#pragma once

namespace packed {
namespace {

// Beyond 30 sigmoid and tanh are within 1e-13 of their limits, and products of the
// denominators below can't overflow.
constexpr float largest_exponent = 30.0f;

// e^x = 2^n e^r with n = round(x / ln 2), so that |r| <= ln(2) / 2, where a polynomial of degree 6
// is within 2e-9 of e^r (minimax, by Remez' exchange). e^0 is exactly 1.
template <class V>
inline V exponential(V x) {
    x = minimum(maximum(x, V::all(-largest_exponent)), V::all(largest_exponent));
    // Added to 1.5 * 2^23, a small number is rounded to an integer that stands in the low bits.
    const V magic = V::all(12582912.0f);
    const V shifted = fused(x, V::all(0x1.715476p+0f), magic);  // 1 / ln 2
    const V n = shifted - magic;
    const V r = fused(n, V::all(-0x1.62e430p-1f), x);  // ln 2, by luck right to 2e-9
    V power = V::all(0x1.6ab96ep-10f);
    power = fused(power, r, V::all(0x1.126d1ep-7f));
    power = fused(power, r, V::all(0x1.55589ap-5f));
    power = fused(power, r, V::all(0x1.55540ap-3f));
    power = fused(power, r, V::all(0x1.fffffap-2f));
    power = fused(power, r, V::all(1.0f));
    power = fused(power, r, V::all(1.0f));
    return times_power_of_two(power, shifted);
}

// Sigmoid and tanh are quotients. A product of two needs one division instead of two, and
// division is the slowest instruction here.
template <class V>
struct Quotient {
    V over, under;
    V value() const { return over / under; }
};

template <class V>
inline Quotient<V> operator*(Quotient<V> a, Quotient<V> b) {
    return {a.over * b.over, a.under * b.under};
}

template <class V>
inline Quotient<V> operator*(V a, Quotient<V> b) {
    return {a * b.over, b.under};
}

template <class V>
inline Quotient<V> sigmoid(V x) {
    const V one = V::all(1.0f);
    return {one, one + exponential(x * V::all(-1.0f))};
}

template <class V>
inline Quotient<V> tanh(V x) {
    const V one = V::all(1.0f);
    const V e = exponential(x * V::all(-2.0f));
    return {one - e, one + e};
}

}  // namespace
}  // namespace packed
