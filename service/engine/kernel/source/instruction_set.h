// One entry of the table from which packed.cpp chooses.
#pragma once

#include "packed.h"

namespace packed {

struct Variant {  // of one instruction set, for one number of bits
    uint64_t (*blob_bytes)(const packed_sizes& sizes);
    void (*build)(const packed_sizes& sizes, const packed_weights& weights, void* blob);
    bool (*check)(const void* blob, uint64_t bytes);
    uint64_t (*arena_bytes)(const void* blob, int texts, int tokens);
    void (*run)(const void* blob, const int32_t* token_ids, const int32_t* offsets, int texts,
                float* logits, void* arena);
};

struct InstructionSet {
    const char* name;
    Variant int16, int8;
};

extern const InstructionSet reference, avx2, avx_vnni, avx512_vnni, neon, neon_dotprod;

}  // namespace packed
