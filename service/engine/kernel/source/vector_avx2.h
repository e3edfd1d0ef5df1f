// Eight floats at a time, and integer products without any dot-product instruction.
#pragma once

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

namespace packed {
namespace {

struct Avx2Floats {
    __m256 value;

    static Avx2Floats all(float x) { return {_mm256_set1_ps(x)}; }
    static Avx2Floats load(const float* from) { return {_mm256_loadu_ps(from)}; }
    static Avx2Floats from(__m256i sums) { return {_mm256_cvtepi32_ps(sums)}; }
    void store(float* to) const { _mm256_storeu_ps(to, value); }
};

inline Avx2Floats operator+(Avx2Floats a, Avx2Floats b) { return {_mm256_add_ps(a.value, b.value)}; }
inline Avx2Floats operator-(Avx2Floats a, Avx2Floats b) { return {_mm256_sub_ps(a.value, b.value)}; }
inline Avx2Floats operator*(Avx2Floats a, Avx2Floats b) { return {_mm256_mul_ps(a.value, b.value)}; }
inline Avx2Floats operator/(Avx2Floats a, Avx2Floats b) { return {_mm256_div_ps(a.value, b.value)}; }

inline Avx2Floats minimum(Avx2Floats a, Avx2Floats b) { return {_mm256_min_ps(a.value, b.value)}; }
inline Avx2Floats maximum(Avx2Floats a, Avx2Floats b) { return {_mm256_max_ps(a.value, b.value)}; }

inline Avx2Floats fused(Avx2Floats a, Avx2Floats b, Avx2Floats c) {
    return {_mm256_fmadd_ps(a.value, b.value, c.value)};
}

inline Avx2Floats times_power_of_two(Avx2Floats x, Avx2Floats shifted) {
    const __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(shifted.value), 23);
    return {_mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x.value), exponent))};
}

// Eight floats, rounded to nearest, ties to even, as int16; none is too large for it.
inline __m128i rounded_to_int16(Avx2Floats x) {
    const __m256i whole = _mm256_cvtps_epi32(x.value);
    return _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
}

inline int32_t four_bytes(const void* from) {
    int32_t bytes;
    memcpy(&bytes, from, 4);
    return bytes;
}

template <class Activation>
struct Avx2;

// vpmaddwd multiplies pairs of int16 and adds each pair up in int32.
template <>
struct Avx2<int16_t> {
    static constexpr const char* name = "avx2";
    using Floats = Avx2Floats;
    using Activation = int16_t;
    using Weight = int16_t;
    using Sums = __m256i;
    using Spread = __m256i;
    // Two texts by four gates fill eight registers with sums. The other eight hold weights,
    // activations and products; a third text would not fit.
    static constexpr int lanes = 8, group = 2, rows = 2, offset = 0;

    static Sums zero() { return _mm256_setzero_si256(); }
    static Sums load_sums(const int32_t* from) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    }
    static void store_sums(int32_t* to, Sums sums) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), sums);
    }
    static __m256i load(const Weight* from) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    }
    static Spread spread(const Activation* from) { return _mm256_set1_epi32(four_bytes(from)); }
    static Sums add_products(Sums sums, Spread activations, __m256i weights) {
        return _mm256_add_epi32(sums, _mm256_madd_epi16(activations, weights));
    }
    static void store(Activation* to, Floats x) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), rounded_to_int16(x));
    }
};

// vpmaddubsw multiplies unsigned by signed bytes and saturates the sum of a pair at int16. With
// |a| as the unsigned side and the sign of a moved to w, a pair is at most 2 * 127 * 127 = 32258.
template <>
struct Avx2<int8_t> {
    static constexpr const char* name = "avx2";
    using Floats = Avx2Floats;
    using Activation = int8_t;
    using Weight = int8_t;
    using Sums = __m256i;
    struct Spread {
        __m256i value, magnitude;
    };
    static constexpr int lanes = 8, group = 4, rows = 2, offset = 0;

    static Sums zero() { return _mm256_setzero_si256(); }
    static Sums load_sums(const int32_t* from) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    }
    static void store_sums(int32_t* to, Sums sums) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), sums);
    }
    static __m256i load(const Weight* from) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    }
    static Spread spread(const Activation* from) {
        const __m256i value = _mm256_set1_epi32(four_bytes(from));
        return {value, _mm256_abs_epi8(value)};
    }
    static Sums add_products(Sums sums, Spread activations, __m256i weights) {
        const __m256i pairs = _mm256_maddubs_epi16(
            activations.magnitude, _mm256_sign_epi8(weights, activations.value));
        return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    static void store(Activation* to, Floats x) {
        const __m128i words = rounded_to_int16(x);
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(words, words));
    }
};

}  // namespace
}  // namespace packed
