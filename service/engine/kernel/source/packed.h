// The packed recurrent classifier: token ids in, logits out. This header is the whole C interface.
//
// WHAT IT COMPUTES. Embedding, one to four layers of LSTM, GRU or RNN in one or two directions, the
// last layer's final states side by side, a linear layer: texts (tokens) -> logits (texts, labels).
//
// LANES. A text is a chain: step t needs the hidden state of step t - 1. Only different texts can
// be computed side by side, and only that makes a weight, once read, useful more than once. So the
// texts of a call are dealt to at most 16 lanes of about equal length (lanes.h). A lane runs text
// after text and starts each from a zero state. No step is ever computed for padding, and texts
// need not have similar lengths. Lane and neighbours do not touch a text's arithmetic.
//
//     lane 0   the film was much longer than I had hoped
//     lane 1   not bad at all | I would buy it again
//     lane 2   great fun | a waste of time | no
//
// TWO HALVES OF A LAYER. Each gate is W_ih x + b_ih + W_hh h + b_hh. The half with x knows no step
// before it, so it is taken for many tokens at once and gives one row of floats per token, the
// `base` (project.h). In the first layer x is a function of the token id alone: its base rows are
// computed once for the whole vocabulary and kept as a table, if the table fits its budget. The
// other half and the cell's equations follow step by step (scan.h, cells.h).
//
// ARITHMETIC. Hidden states lie in [-1, 1], so they are multiplied as integers of one fixed scale:
// 8191 in int16, 127 in int8. Each row of a weight matrix has its own scale, small enough that no
// sum can overflow (quantise.h). Sums of integers do not depend on their order, so any number of
// lanes, any tile and any instruction set gives the same sum. All the rest is fp32 in one written
// order, with explicit fused multiply-adds and true division: IEEE 754 leaves no choice there. So
// the same text has the same logits, bit for bit, alone, in any company, on every processor.
// reference.cpp says what those bits are.
//
// BLOB. What a model becomes when it is prepared: one piece of memory without pointers (blob.h),
// 64-byte aligned, which processes can share. Nothing else is kept between calls.
#ifndef PACKED_H
#define PACKED_H

#include <stddef.h>
#include <stdint.h>

#define PACKED_ABI 1         // of the functions below and of the blob
#define PACKED_ARITHMETIC 1  // of the bits: another number, other logits

enum { PACKED_MAX_LAYERS = 4, PACKED_MAX_DIRECTIONS = 2 };
enum { PACKED_RNN = 0, PACKED_GRU = 1, PACKED_LSTM = 2 };

enum {
    PACKED_OK = 0,
    PACKED_NO_SUCH_INSTRUCTION_SET,
    PACKED_UNSUPPORTED_SIZES,
    PACKED_FOREIGN_BLOB,
    PACKED_BLOB_TOO_SMALL,
    PACKED_ARENA_TOO_SMALL,
    PACKED_NO_TEXTS,
    PACKED_TOO_MANY_TOKENS,
    PACKED_EMPTY_TEXT,
    PACKED_TOKEN_ID_OUT_OF_RANGE,
};

#ifdef __cplusplus
extern "C" {
#endif

struct packed_sizes {
    int32_t cell;
    int32_t bits;  // of activations and weights: 16 or 8
    int32_t layers;
    int32_t directions;
    int32_t hidden;  // a multiple of 16, at most 512
    int32_t embedding;
    int32_t vocabulary;
    int32_t labels;
    int64_t table_budget;  // bytes that the table of the first layer may take; 0: no table
};

// Weights as PyTorch lays them out, fp32, gates below each other: i f g o (LSTM), r z n (GRU).
// The caller has checked that they are finite and not larger than 1e4.
struct packed_weights {
    const float* embedding;  // (vocabulary, embedding)
    const float* input[PACKED_MAX_LAYERS][PACKED_MAX_DIRECTIONS];      // (gates * hidden, inputs)
    const float* recurrent[PACKED_MAX_LAYERS][PACKED_MAX_DIRECTIONS];  // (gates * hidden, hidden)
    const float* input_bias[PACKED_MAX_LAYERS][PACKED_MAX_DIRECTIONS];      // (gates * hidden)
    const float* recurrent_bias[PACKED_MAX_LAYERS][PACKED_MAX_DIRECTIONS];  // (gates * hidden)
    const float* linear;       // (labels, directions * hidden)
    const float* linear_bias;  // (labels)
};

#define PACKED_API __attribute__((visibility("default")))

PACKED_API int32_t packed_abi(void);
PACKED_API int32_t packed_arithmetic(void);
PACKED_API const char* packed_error(int32_t code);  // a sentence

// Names of the instruction sets that this processor has, fastest first; NULL past the last.
PACKED_API const char* packed_instruction_set(int32_t index);

// `blob` must be aligned to 64 bytes. It serves only the instruction set that it was built for.
PACKED_API int32_t packed_blob_bytes(const char* instruction_set, const packed_sizes* sizes,
                                     uint64_t* bytes);
PACKED_API int32_t packed_build(const char* instruction_set, const packed_sizes* sizes,
                                const packed_weights* weights, void* blob, uint64_t bytes);
PACKED_API int32_t packed_check(const void* blob, uint64_t bytes);

// `arena` is the only memory that a run writes besides the logits; aligned to 64 bytes, and one
// run at a time may use it. `offsets` (texts + 1): text i is token_ids[offsets[i] .. offsets[i+1]).
PACKED_API int32_t packed_arena_bytes(const void* blob, int32_t texts, int32_t tokens,
                                      uint64_t* bytes);
PACKED_API int32_t packed_run(const void* blob, const int32_t* token_ids, const int32_t* offsets,
                              int32_t texts, float* logits, void* arena, uint64_t arena_bytes);

#ifdef __cplusplus
}
#endif
#endif
