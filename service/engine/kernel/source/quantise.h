// From fp32 weights to a blob, in one written order of operations: the same blob in every process.
//
// A row w of weights (one gate unit) is stored as integers round(w * s). With activations
// round(h * a), |h| <= 1, the integer sum is worth 1 / (s * a) of the real one. s is as large as
// two limits allow: a weight must fit its type, and in int16 the sum of |w| over the columns of
// one sum times a must fit int32, however the activations fall.
#pragma once

#include <stddef.h>

#include "blob.h"
#include "project.h"

namespace packed {
namespace {

inline double nearest_integer(double x) {  // ties to even, for |x| < 2^51
    const double magic = 6755399441055744.0;  // 1.5 * 2^52
    return (x + magic) - magic;
}

inline double magnitude(double x) { return x < 0 ? -x : x; }

// 8191 * (262000 + 256 / 2) < 2^31: the half is what rounding can add to each weight.
constexpr double largest_int16_sum = 262000;

inline double row_scale(const float* row, int columns, int bits) {
    double largest = 0, largest_sum = 0;
    for (int first = 0; first < columns; first += columns_per_sum) {
        double sum = 0;
        for (int k = first; k < columns && k < first + columns_per_sum; k++) {
            const double weight = magnitude(row[k]);
            sum += weight;
            if (weight > largest) largest = weight;
        }
        if (sum > largest_sum) largest_sum = sum;
    }
    if (largest == 0) return 1;
    if (bits == 8) return 127 / largest;
    const double fits_type = 32767 / largest, fits_sum = largest_int16_sum / largest_sum;
    return fits_type < fits_sum ? fits_type : fits_sum;
}

// Where gate `gate` of unit `unit` stands among biases and scales.
template <class Isa>
size_t row_place(const Matrix& matrix, int gate, int unit) {
    const size_t block = size_t(unit) / Isa::lanes, in_block = size_t(unit) % Isa::lanes;
    return (block * matrix.gates + gate) * Isa::lanes + in_block;
}

template <class Isa>
size_t weight_place(const Matrix& matrix, int group, int gate, int unit, int column) {
    const size_t block = size_t(unit) / Isa::lanes, in_block = size_t(unit) % Isa::lanes;
    const size_t pass = block * (matrix.columns / group) + column / group;
    return ((pass * matrix.gates + gate) * Isa::lanes + in_block) * group + column % group;
}

template <class Isa>
void place_integer_row(void* blob, const Matrix& matrix, int gate, int unit, const float* row,
                       float bias) {
    using Weight = typename Isa::Weight;
    const double scale = row_scale(row, matrix.columns, 8 * int(sizeof(Weight)));
    const size_t place = row_place<Isa>(matrix, gate, unit);
    at<float>(blob, matrix.bias)[place] = bias;
    at<float>(blob, matrix.scales)[place] = float(1 / (scale * activation_scale<Weight>()));
    Weight* weights = at<Weight>(blob, matrix.weights);
    for (int sum = 0; sum < matrix.sums; sum++) {
        int32_t total = 0;
        const int last = end_of_sum(matrix.columns, sum);
        for (int k = sum * columns_per_sum; k < last; k++) {
            const Weight weight = Weight(nearest_integer(row[k] * scale));
            weights[weight_place<Isa>(matrix, Isa::group, gate, unit, k)] = weight;
            total += weight;
        }
        if (Isa::offset) {
            const size_t block = size_t(unit) / Isa::lanes;
            const size_t start = block * matrix.gates * Isa::lanes * (matrix.sums - 1) +
                                 size_t(sum) * matrix.gates * Isa::lanes;
            at<int32_t>(blob, matrix.corrections)[start + place] = -Isa::offset * total;
        }
    }
}

// A row that only fills up the last block is zero.
template <class Isa>
void place_float_row(void* blob, const Matrix& matrix, int gate, int unit, const float* row,
                     float bias) {
    at<float>(blob, matrix.bias)[row_place<Isa>(matrix, gate, unit)] = bias;
    float* weights = at<float>(blob, matrix.weights);
    for (int k = 0; k < matrix.columns; k++)
        weights[weight_place<Isa>(matrix, 1, gate, unit, k)] = row ? row[k] : 0.0f;
}

// Biases of joined gates go with the input product, the GRU's own b_hn with the recurrent one.
template <class Isa>
void place_layer(void* blob, const Header& header, const packed_weights& weights, int layer,
                 int direction) {
    const Matrix& input = header.input[layer][direction];
    const Matrix& recurrent = header.recurrent[layer][direction];
    const float* input_bias = weights.input_bias[layer][direction];
    const float* recurrent_bias = weights.recurrent_bias[layer][direction];
    const int joined = joined_gates(header.sizes.cell), hidden = header.sizes.hidden;
    for (int gate = 0; gate < input.gates; gate++) {
        for (int unit = 0; unit < hidden; unit++) {
            const size_t row = size_t(gate) * hidden + unit;
            const float* w_ih = weights.input[layer][direction] + row * input.columns;
            const float* w_hh = weights.recurrent[layer][direction] + row * recurrent.columns;
            const float b_hh = recurrent_bias[row];
            const float bias = gate < joined ? input_bias[row] + b_hh : input_bias[row];
            if (input.scales)
                place_integer_row<Isa>(blob, input, gate, unit, w_ih, bias);
            else
                place_float_row<Isa>(blob, input, gate, unit, w_ih, bias);
            place_integer_row<Isa>(blob, recurrent, gate, unit, w_hh, gate < joined ? 0.0f : b_hh);
        }
    }
}

template <class Isa>
void place_linear(void* blob, const Header& header, const packed_weights& weights) {
    const Matrix& linear = header.linear;
    for (int unit = 0; unit < linear.blocks * Isa::lanes; unit++) {
        const bool label = unit < header.sizes.labels;
        const float* row = label ? weights.linear + size_t(unit) * linear.columns : nullptr;
        place_float_row<Isa>(blob, linear, 0, unit, row, label ? weights.linear_bias[unit] : 0.0f);
    }
}

// The base rows of the whole vocabulary.
template <class Isa, int gates>
void fill_table(void* blob, const Header& header, const float* embedding, int direction) {
    const FloatMatrix matrix(blob, header.input[0][direction]);
    const size_t row = size_t(gates) * header.sizes.hidden, width = header.sizes.embedding;
    float* table = at<float>(blob, header.table[direction]);
    const float* inputs[rows_at_once];
    float* bases[rows_at_once];
    for (int first = 0; first < header.sizes.vocabulary; first += rows_at_once) {
        int count = 0;
        for (; count < rows_at_once && first + count < header.sizes.vocabulary; count++) {
            inputs[count] = embedding + (first + count) * width;
            bases[count] = table + (first + count) * row;
        }
        project<Isa, gates>(matrix, inputs, bases, count);
    }
}

template <class Isa>
void build(const Header& header, const packed_weights& weights, void* blob) {
    const packed_sizes& sizes = header.sizes;
    memcpy(blob, &header, sizeof header);
    for (int layer = 0; layer < sizes.layers; layer++)
        for (int direction = 0; direction < sizes.directions; direction++)
            place_layer<Isa>(blob, header, weights, layer, direction);
    place_linear<Isa>(blob, header, weights);
    if (header.embedding) {
        const size_t bytes = size_t(sizes.vocabulary) * sizes.embedding * sizeof(float);
        memcpy(at<float>(blob, header.embedding), weights.embedding, bytes);
    } else {
        for (int direction = 0; direction < sizes.directions; direction++) {
            switch (sizes.cell) {
                case PACKED_LSTM: fill_table<Isa, 4>(blob, header, weights.embedding, direction); break;
                case PACKED_GRU: fill_table<Isa, 3>(blob, header, weights.embedding, direction); break;
                default: fill_table<Isa, 1>(blob, header, weights.embedding, direction);
            }
        }
    }
}

}  // namespace
}  // namespace packed
