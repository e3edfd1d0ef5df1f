// The C interface: which instruction set, which mode of the floating-point unit, which errors.
#include "packed.h"

#include <string.h>

#include "blob.h"
#include "instruction_set.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace packed {
namespace {

// Rounding to nearest and gradual underflow while it lives, whatever the caller has set: a
// library that turns denormals off for speed must not change logits.
#if defined(__x86_64__)
class IeeeArithmetic {
public:
    IeeeArithmetic() : before_(_mm_getcsr()) { _mm_setcsr(0x1f80); }  // all exceptions masked
    ~IeeeArithmetic() { _mm_setcsr(before_); }

private:
    unsigned before_;
};
#elif defined(__aarch64__)
class IeeeArithmetic {
public:
    IeeeArithmetic() {
        asm volatile("mrs %0, fpcr" : "=r"(before_));
        asm volatile("msr fpcr, %0" ::"r"(uint64_t(0)) : "memory");
    }
    ~IeeeArithmetic() { asm volatile("msr fpcr, %0" ::"r"(before_) : "memory"); }

private:
    uint64_t before_;
};
#else
class IeeeArithmetic {};
#endif

bool everywhere() { return true; }

#if defined(__x86_64__)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool has_avx512_vnni() {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
}
#elif defined(__aarch64__)
bool has_dot_products() { return getauxval(AT_HWCAP) & HWCAP_ASIMDDP; }
#endif

struct Candidate {
    const InstructionSet* instruction_set;
    bool (*available)();
};

// Fastest first. The reference runs everywhere, but only where it is asked for by name.
const Candidate candidates[] = {
#if defined(__x86_64__)
    {&avx512_vnni, has_avx512_vnni},
    {&avx2, has_avx2},
#elif defined(__aarch64__)
    {&neon_dotprod, has_dot_products},
    {&neon, everywhere},
#endif
    {&reference, everywhere},
};

const InstructionSet* named(const char* name) {
    for (const Candidate& candidate : candidates)
        if (!strcmp(candidate.instruction_set->name, name) && candidate.available())
            return candidate.instruction_set;
    return nullptr;
}

const Variant* variant_of(const InstructionSet* set, int bits) {
    return set ? bits == 16 ? &set->int16 : &set->int8 : nullptr;
}

// Of a blob that packed_check has accepted.
const Variant* variant_of(const void* blob) {
    const Header& header = *static_cast<const Header*>(blob);
    return variant_of(named(header.instruction_set), header.sizes.bits);
}

int32_t check_texts(const int32_t* offsets, int32_t texts) {
    if (texts < 1) return PACKED_NO_TEXTS;
    for (int32_t i = 0; i < texts; i++)
        if (offsets[i + 1] <= offsets[i]) return PACKED_EMPTY_TEXT;
    return int64_t(offsets[texts]) - offsets[0] > (1 << 28) ? PACKED_TOO_MANY_TOKENS : PACKED_OK;
}

// One comparison finds both a negative id and one beyond the vocabulary.
int32_t check_ids(const int32_t* token_ids, int32_t first, int32_t end, int32_t vocabulary) {
    for (int32_t i = first; i < end; i++)
        if (uint32_t(token_ids[i]) >= uint32_t(vocabulary)) return PACKED_TOKEN_ID_OUT_OF_RANGE;
    return PACKED_OK;
}

}  // namespace
}  // namespace packed

using namespace packed;

int32_t packed_abi() { return PACKED_ABI; }

int32_t packed_arithmetic() { return PACKED_ARITHMETIC; }

const char* packed_error(int32_t code) {
    switch (code) {
        case PACKED_OK: return "nothing failed";
        case PACKED_NO_SUCH_INSTRUCTION_SET: return "this processor lacks the instruction set";
        case PACKED_UNSUPPORTED_SIZES: return "the kernel does not compute a model of these sizes";
        case PACKED_FOREIGN_BLOB: return "the prepared weights are not of this kernel";
        case PACKED_BLOB_TOO_SMALL: return "the memory for the prepared weights is too small";
        case PACKED_ARENA_TOO_SMALL: return "the working memory is too small for this batch";
        case PACKED_NO_TEXTS: return "the batch is empty";
        case PACKED_TOO_MANY_TOKENS: return "the batch has too many tokens";
        case PACKED_EMPTY_TEXT: return "a text has no tokens";
        case PACKED_TOKEN_ID_OUT_OF_RANGE: return "a token id is not in the vocabulary";
        default: return "the kernel failed for a reason that it has no words for";
    }
}

const char* packed_instruction_set(int32_t index) {
    for (const Candidate& candidate : candidates)
        if (candidate.available() && index-- == 0) return candidate.instruction_set->name;
    return nullptr;
}

int32_t packed_blob_bytes(const char* instruction_set, const packed_sizes* sizes,
                          uint64_t* bytes) {
    const Variant* variant = variant_of(named(instruction_set), sizes->bits);
    if (!variant) return PACKED_NO_SUCH_INSTRUCTION_SET;
    if (!supported(*sizes)) return PACKED_UNSUPPORTED_SIZES;
    *bytes = variant->blob_bytes(*sizes);
    return PACKED_OK;
}

int32_t packed_build(const char* instruction_set, const packed_sizes* sizes,
                     const packed_weights* weights, void* blob, uint64_t bytes) {
    uint64_t needed;
    const int32_t error = packed_blob_bytes(instruction_set, sizes, &needed);
    if (error) return error;
    if (bytes < needed) return PACKED_BLOB_TOO_SMALL;
    IeeeArithmetic mode;
    variant_of(named(instruction_set), sizes->bits)->build(*sizes, *weights, blob);
    return PACKED_OK;
}

int32_t packed_check(const void* blob, uint64_t bytes) {
    if (bytes < sizeof(Header)) return PACKED_FOREIGN_BLOB;
    const Header& header = *static_cast<const Header*>(blob);
    if (memcmp(header.magic, "PACKED\n", 8) || header.abi != PACKED_ABI ||
        header.arithmetic != PACKED_ARITHMETIC || !supported(header.sizes) ||
        header.instruction_set[sizeof header.instruction_set - 1])
        return PACKED_FOREIGN_BLOB;
    const Variant* variant = variant_of(blob);
    if (!variant) return PACKED_NO_SUCH_INSTRUCTION_SET;
    return variant->check(blob, bytes) ? PACKED_OK : PACKED_FOREIGN_BLOB;
}

int32_t packed_arena_bytes(const void* blob, int32_t texts, int32_t tokens, uint64_t* bytes) {
    const Variant* variant = variant_of(blob);
    if (!variant) return PACKED_NO_SUCH_INSTRUCTION_SET;
    if (texts < 1) return PACKED_NO_TEXTS;
    if (tokens < texts) return PACKED_EMPTY_TEXT;
    *bytes = variant->arena_bytes(blob, texts, tokens);
    return PACKED_OK;
}

int32_t packed_run(const void* blob, const int32_t* token_ids, const int32_t* offsets,
                   int32_t texts, float* logits, void* arena, uint64_t arena_bytes) {
    if (const int32_t error = check_texts(offsets, texts)) return error;
    const int32_t vocabulary = static_cast<const Header*>(blob)->sizes.vocabulary;
    if (const int32_t error = check_ids(token_ids, offsets[0], offsets[texts], vocabulary))
        return error;
    uint64_t needed;
    const int32_t tokens = offsets[texts] - offsets[0];
    if (const int32_t error = packed_arena_bytes(blob, texts, tokens, &needed)) return error;
    if (arena_bytes < needed) return PACKED_ARENA_TOO_SMALL;
    IeeeArithmetic mode;
    variant_of(blob)->run(blob, token_ids, offsets, texts, logits, arena);
    return PACKED_OK;
}
