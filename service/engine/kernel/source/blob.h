// What a prepared model is in memory: a header, then sections at offsets that the header states.
//
// Matrices are cut into blocks of as many units as a register has floats. Within a block stand, for
// each group of columns that one instruction multiplies at once, all gates of all units:
//
//     weights [block][column / group][gate][unit in block][column in group]
//
// so that a pass over a block reads memory in order, and the gates of a unit meet in registers
// and never travel. Biases, scales and base rows are [block][gate][unit in block].
#pragma once

#include <stdint.h>
#include <string.h>

#include "packed.h"

namespace packed {
namespace {

// int32 sums are taken over at most so many columns; then they go to fp32. In int16 this bounds
// how much headroom a row of weights must leave: longer sums would cost bits of every weight.
constexpr int columns_per_sum = 256;

struct Matrix {
    uint64_t weights;      // integers, or floats in the first layer's and the linear matrix
    uint64_t bias;         // floats
    uint64_t scales;       // floats: what one unit of an integer sum is worth; 0: none
    uint64_t corrections;  // int32 [block][sum][gate][unit]: where sums start; 0: at zero
    int32_t blocks, gates, columns, sums;
};

struct Header {
    char magic[8];
    int32_t abi, arithmetic;
    char instruction_set[16];
    packed_sizes sizes;
    uint64_t bytes;
    uint64_t table[PACKED_MAX_DIRECTIONS];  // floats (vocabulary, gates * hidden); 0: no table
    uint64_t embedding;                     // floats (vocabulary, embedding); 0: the table serves
    Matrix input[PACKED_MAX_LAYERS][PACKED_MAX_DIRECTIONS];
    Matrix recurrent[PACKED_MAX_LAYERS][PACKED_MAX_DIRECTIONS];
    Matrix linear;
};

inline int gates_of(int cell) { return cell == PACKED_LSTM ? 4 : cell == PACKED_GRU ? 3 : 1; }

inline bool supported(const packed_sizes& sizes) {
    const auto within = [](int64_t value, int64_t low, int64_t high) {
        return low <= value && value <= high;
    };
    return within(sizes.cell, PACKED_RNN, PACKED_LSTM) && (sizes.bits == 8 || sizes.bits == 16) &&
           within(sizes.layers, 1, PACKED_MAX_LAYERS) &&
           within(sizes.directions, 1, PACKED_MAX_DIRECTIONS) &&
           within(sizes.hidden, 16, 512) && sizes.hidden % 16 == 0 &&
           within(sizes.embedding, 1, 65536) && within(sizes.vocabulary, 1, 1 << 28) &&
           within(sizes.labels, 1, 1 << 20) && sizes.table_budget >= 0;
}

// Hands out the blob's bytes from front to back.
class Sections {
public:
    uint64_t take(uint64_t elements, uint64_t element_bytes) {
        const uint64_t start = next_;
        next_ = (start + elements * element_bytes + 63) / 64 * 64;
        return start;
    }
    uint64_t bytes() const { return next_; }

private:
    uint64_t next_ = (sizeof(Header) + 63) / 64 * 64;
};

inline uint64_t units(const Matrix& matrix, int lanes) {
    return uint64_t(matrix.blocks) * matrix.gates * lanes;
}

template <class Isa>
Matrix float_matrix(Sections& sections, int units_per_gate, int gates, int columns) {
    Matrix matrix = {};
    matrix.blocks = (units_per_gate + Isa::lanes - 1) / Isa::lanes;
    matrix.gates = gates;
    matrix.columns = columns;
    matrix.weights = sections.take(units(matrix, Isa::lanes) * columns, sizeof(float));
    matrix.bias = sections.take(units(matrix, Isa::lanes), sizeof(float));
    return matrix;
}

template <class Isa>
Matrix integer_matrix(Sections& sections, int units_per_gate, int gates, int columns) {
    Matrix matrix = {};
    matrix.blocks = units_per_gate / Isa::lanes;
    matrix.gates = gates;
    matrix.columns = columns;
    matrix.sums = (columns + columns_per_sum - 1) / columns_per_sum;
    const uint64_t rows = units(matrix, Isa::lanes);
    matrix.weights = sections.take(rows * columns, sizeof(typename Isa::Weight));
    matrix.bias = sections.take(rows, sizeof(float));
    matrix.scales = sections.take(rows, sizeof(float));
    if (Isa::offset) matrix.corrections = sections.take(rows * matrix.sums, sizeof(int32_t));
    return matrix;
}

// The one place that says where everything stands; building, running and checking all ask it.
template <class Isa>
Header lay_out(const packed_sizes& sizes) {
    Header header = {};
    memcpy(header.magic, "PACKED\n", 8);
    header.abi = PACKED_ABI;
    header.arithmetic = PACKED_ARITHMETIC;
    strncpy(header.instruction_set, Isa::name, sizeof header.instruction_set - 1);
    header.sizes = sizes;
    Sections sections;
    const int gates = gates_of(sizes.cell);
    for (int layer = 0; layer < sizes.layers; layer++) {
        for (int direction = 0; direction < sizes.directions; direction++) {
            Matrix& input = header.input[layer][direction];
            input = layer == 0 ? float_matrix<Isa>(sections, sizes.hidden, gates, sizes.embedding)
                               : integer_matrix<Isa>(sections, sizes.hidden, gates,
                                                     sizes.directions * sizes.hidden);
            header.recurrent[layer][direction] =
                integer_matrix<Isa>(sections, sizes.hidden, gates, sizes.hidden);
        }
    }
    header.linear =
        float_matrix<Isa>(sections, sizes.labels, 1, sizes.directions * sizes.hidden);
    const uint64_t row = uint64_t(gates) * sizes.hidden;
    const uint64_t table = sizes.directions * row * sizes.vocabulary * sizeof(float);
    if (table <= uint64_t(sizes.table_budget)) {
        for (int direction = 0; direction < sizes.directions; direction++)
            header.table[direction] = sections.take(row * sizes.vocabulary, sizeof(float));
    } else {
        header.embedding =
            sections.take(uint64_t(sizes.vocabulary) * sizes.embedding, sizeof(float));
    }
    header.bytes = sections.bytes();
    return header;
}

// Whether a blob is what building one of its sizes would have begun with.
template <class Isa>
bool check(const void* blob, uint64_t bytes) {
    const Header expected = lay_out<Isa>(static_cast<const Header*>(blob)->sizes);
    return expected.bytes == bytes && !memcmp(&expected, blob, sizeof expected);
}

template <class T>
T* at(void* blob, uint64_t offset) {
    return reinterpret_cast<T*>(static_cast<char*>(blob) + offset);
}

template <class T>
const T* at(const void* blob, uint64_t offset) {
    return reinterpret_cast<const T*>(static_cast<const char*>(blob) + offset);
}

}  // namespace
}  // namespace packed
