// Four floats at a time on aarch64, with the dot products of Armv8.2 where they are compiled in.
#pragma once

#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

namespace packed {
namespace {

struct NeonFloats {
    float32x4_t value;

    static NeonFloats all(float x) { return {vdupq_n_f32(x)}; }
    static NeonFloats load(const float* from) { return {vld1q_f32(from)}; }
    static NeonFloats from(int32x4_t sums) { return {vcvtq_f32_s32(sums)}; }
    void store(float* to) const { vst1q_f32(to, value); }
};

inline NeonFloats operator+(NeonFloats a, NeonFloats b) { return {vaddq_f32(a.value, b.value)}; }
inline NeonFloats operator-(NeonFloats a, NeonFloats b) { return {vsubq_f32(a.value, b.value)}; }
inline NeonFloats operator*(NeonFloats a, NeonFloats b) { return {vmulq_f32(a.value, b.value)}; }
inline NeonFloats operator/(NeonFloats a, NeonFloats b) { return {vdivq_f32(a.value, b.value)}; }

inline NeonFloats minimum(NeonFloats a, NeonFloats b) { return {vminq_f32(a.value, b.value)}; }
inline NeonFloats maximum(NeonFloats a, NeonFloats b) { return {vmaxq_f32(a.value, b.value)}; }

inline NeonFloats fused(NeonFloats a, NeonFloats b, NeonFloats c) {
    return {vfmaq_f32(c.value, a.value, b.value)};
}

inline NeonFloats times_power_of_two(NeonFloats x, NeonFloats shifted) {
    const int32x4_t exponent = vshlq_n_s32(vreinterpretq_s32_f32(shifted.value), 23);
    return {vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(x.value), exponent))};
}

#ifdef __ARM_FEATURE_DOTPROD
constexpr const char* neon_name = "neon-dotprod";
#else
constexpr const char* neon_name = "neon";
#endif

template <class Activation>
struct Neon;

// smlal multiplies four int16 by four int16 and adds them to four int32.
template <>
struct Neon<int16_t> {
    static constexpr const char* name = neon_name;
    using Floats = NeonFloats;
    using Activation = int16_t;
    using Weight = int16_t;
    using Sums = int32x4_t;
    using Spread = int16x4_t;
    static constexpr int lanes = 4, group = 1, rows = 4, offset = 0;

    static Sums zero() { return vdupq_n_s32(0); }
    static Sums load_sums(const int32_t* from) { return vld1q_s32(from); }
    static void store_sums(int32_t* to, Sums sums) {
        vst1q_s32(to, sums);
    }
    static int16x4_t load(const Weight* from) { return vld1_s16(from); }
    static Spread spread(const Activation* from) { return vld1_dup_s16(from); }
    static Sums add_products(Sums sums, Spread activations, int16x4_t weights) {
        return vmlal_s16(sums, activations, weights);
    }
    static void store(Activation* to, Floats x) {
        vst1_s16(to, vmovn_s32(vcvtnq_s32_f32(x.value)));
    }
};

template <>
struct Neon<int8_t> {
    static constexpr const char* name = neon_name;
    using Floats = NeonFloats;
    using Activation = int8_t;
    using Weight = int8_t;
    using Sums = int32x4_t;
    using Spread = int8x16_t;
    static constexpr int lanes = 4, group = 4, rows = 4, offset = 0;

    static Sums zero() { return vdupq_n_s32(0); }
    static Sums load_sums(const int32_t* from) { return vld1q_s32(from); }
    static void store_sums(int32_t* to, Sums sums) {
        vst1q_s32(to, sums);
    }
    static int8x16_t load(const Weight* from) { return vld1q_s8(from); }
    static Spread spread(const Activation* from) {
        int32_t four;
        memcpy(&four, from, 4);
        return vreinterpretq_s8_s32(vdupq_n_s32(four));
    }
    static Sums add_products(Sums sums, Spread activations, int8x16_t weights) {
#ifdef __ARM_FEATURE_DOTPROD
        return vdotq_s32(sums, activations, weights);
#else
        // A product is at most 127 * 127, so that the sum of a pair fits into int16.
        const int16x8_t low = vmull_s8(vget_low_s8(activations), vget_low_s8(weights));
        const int16x8_t high = vmull_high_s8(activations, weights);
        return vpadalq_s16(sums, vpaddq_s16(low, high));
#endif
    }
    static void store(Activation* to, Floats x) {
        const int16x4_t words = vmovn_s32(vcvtnq_s32_f32(x.value));
        const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
        vst1_lane_s32(reinterpret_cast<int32_t*>(to), vreinterpret_s32_s8(bytes), 0);
    }
};

}  // namespace
}  // namespace packed
