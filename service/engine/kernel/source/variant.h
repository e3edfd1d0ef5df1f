// The functions of one instruction set, compiled by the file of that instruction set alone.
//
// Everything that the headers define has internal linkage. Else the linker would keep one copy of
// a function that several files compile, perhaps one with instructions that the processor lacks.
#pragma once

#include "instruction_set.h"
#include "quantise.h"
#include "scan.h"

namespace packed {
namespace {

inline const packed_sizes& sizes_of(const void* blob) {
    return static_cast<const Header*>(blob)->sizes;
}

template <class Isa>
constexpr Variant variant = {
    [](const packed_sizes& sizes) { return lay_out<Isa>(sizes).bytes; },
    [](const packed_sizes& sizes, const packed_weights& weights, void* blob) {
        build<Isa>(lay_out<Isa>(sizes), weights, blob);
    },
    check<Isa>,
    [](const void* blob, int texts, int tokens) {
        Arena arena(nullptr);
        Workspace<Isa>(arena, *static_cast<const Header*>(blob), texts, tokens);
        return arena.used();
    },
    [](const void* blob, const int32_t* token_ids, const int32_t* offsets, int texts,
       float* logits, void* arena) {
        switch (sizes_of(blob).cell) {
            case PACKED_LSTM: return run<Isa, Lstm>(blob, token_ids, offsets, texts, logits, arena);
            case PACKED_GRU: return run<Isa, Gru>(blob, token_ids, offsets, texts, logits, arena);
            default: return run<Isa, Rnn>(blob, token_ids, offsets, texts, logits, arena);
        }
    },
};

}  // namespace
}  // namespace packed
