// Sixteen floats at a time, and the dot products of AVX-512 VNNI.
#pragma once

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

namespace packed {
namespace {

struct Avx512Floats {
    __m512 value;

    static Avx512Floats all(float x) { return {_mm512_set1_ps(x)}; }
    static Avx512Floats load(const float* from) { return {_mm512_loadu_ps(from)}; }
    static Avx512Floats from(__m512i sums) { return {_mm512_cvtepi32_ps(sums)}; }
    void store(float* to) const { _mm512_storeu_ps(to, value); }
};

using F16 = Avx512Floats;

inline F16 operator+(F16 a, F16 b) { return {_mm512_add_ps(a.value, b.value)}; }
inline F16 operator-(F16 a, F16 b) { return {_mm512_sub_ps(a.value, b.value)}; }
inline F16 operator*(F16 a, F16 b) { return {_mm512_mul_ps(a.value, b.value)}; }
inline F16 operator/(F16 a, F16 b) { return {_mm512_div_ps(a.value, b.value)}; }

inline F16 minimum(F16 a, F16 b) { return {_mm512_min_ps(a.value, b.value)}; }
inline F16 maximum(F16 a, F16 b) { return {_mm512_max_ps(a.value, b.value)}; }

inline F16 fused(F16 a, F16 b, F16 c) { return {_mm512_fmadd_ps(a.value, b.value, c.value)}; }

inline F16 times_power_of_two(F16 x, F16 shifted) {
    const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(shifted.value), 23);
    return {_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x.value), exponent))};
}

template <class Activation>
struct Avx512Vnni;

// vpdpwssd multiplies pairs of int16 and adds them to an int32.
template <>
struct Avx512Vnni<int16_t> {
    static constexpr const char* name = "avx512-vnni";
    using Floats = Avx512Floats;
    using Activation = int16_t;
    using Weight = int16_t;
    using Sums = __m512i;
    using Spread = __m512i;
    // Sixteen sums hide the latency of five cycles at two instructions a cycle.
    static constexpr int lanes = 16, group = 2, rows = 4, offset = 0;

    static Sums zero() { return _mm512_setzero_si512(); }
    static Sums load_sums(const int32_t* from) { return _mm512_loadu_si512(from); }
    static void store_sums(int32_t* to, Sums sums) {
        _mm512_storeu_si512(to, sums);
    }
    static __m512i load(const Weight* from) { return _mm512_loadu_si512(from); }
    static Spread spread(const Activation* from) {
        int32_t pair;
        memcpy(&pair, from, 4);
        return _mm512_set1_epi32(pair);
    }
    static Sums add_products(Sums sums, Spread activations, __m512i weights) {
        return _mm512_dpwssd_epi32(sums, activations, weights);
    }
    static void store(Activation* to, Floats x) {
        const __m256i words = _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(x.value));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), words);
    }
};

// vpdpbusd multiplies unsigned by signed bytes, four at a time. So activations are stored with
// 128 added, and sums start at what that adds to them (`corrections` in the blob).
template <>
struct Avx512Vnni<int8_t> {
    static constexpr const char* name = "avx512-vnni";
    using Floats = Avx512Floats;
    using Activation = uint8_t;
    using Weight = int8_t;
    using Sums = __m512i;
    using Spread = __m512i;
    static constexpr int lanes = 16, group = 4, rows = 4, offset = 128;

    static Sums zero() { return _mm512_setzero_si512(); }
    static Sums load_sums(const int32_t* from) { return _mm512_loadu_si512(from); }
    static void store_sums(int32_t* to, Sums sums) {
        _mm512_storeu_si512(to, sums);
    }
    static __m512i load(const Weight* from) { return _mm512_loadu_si512(from); }
    static Spread spread(const Activation* from) {
        int32_t four;
        memcpy(&four, from, 4);
        return _mm512_set1_epi32(four);
    }
    static Sums add_products(Sums sums, Spread activations, __m512i weights) {
        return _mm512_dpbusd_epi32(sums, activations, weights);
    }
    static void store(Activation* to, Floats x) {
        const __m512i whole =
            _mm512_add_epi32(_mm512_cvtps_epi32(x.value), _mm512_set1_epi32(offset));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(whole));
    }
};

}  // namespace
}  // namespace packed
