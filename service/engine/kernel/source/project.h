// Products of a matrix with many rows: the input half of a layer, the table, the linear layer.
//
// A tile of `rows` inputs by one block of units is small enough for its sums to stay in registers,
// so that each weight loaded is used `rows` times. All tiles of a block follow each other, so that
// the block's weights (8 to 64 KB) come from the nearest cache after the first.
#pragma once

#include "blob.h"
#include "unrolled.h"

namespace packed {
namespace {

constexpr int rows_at_once = 32;

// The largest activation; in int16 it leaves two bits of headroom, 8191 * 2 * 8191 < 2^31 / 16.
template <class Integer>
constexpr float activation_scale() {
    return sizeof(Integer) == 2 ? 8191.0f : 127.0f;
}

inline int end_of_sum(int columns, int sum) {
    const int end = (sum + 1) * columns_per_sum;
    return end < columns ? end : columns;
}

inline int joined_gates(int cell) { return cell == PACKED_LSTM ? 4 : cell == PACKED_GRU ? 2 : 1; }

struct FloatMatrix {
    const float *weights, *bias;
    int blocks, columns;

    FloatMatrix(const void* blob, const Matrix& matrix)
        : weights(at<float>(blob, matrix.weights)),
          bias(at<float>(blob, matrix.bias)),
          blocks(matrix.blocks),
          columns(matrix.columns) {}
};

template <class Isa>
struct IntegerMatrix {
    const typename Isa::Weight* weights;
    const float *bias, *scales;
    const int32_t* corrections;
    int blocks, columns, sums;

    IntegerMatrix(const void* blob, const Matrix& matrix)
        : weights(at<typename Isa::Weight>(blob, matrix.weights)),
          bias(at<float>(blob, matrix.bias)),
          scales(at<float>(blob, matrix.scales)),
          corrections(at<int32_t>(blob, matrix.corrections)),
          blocks(matrix.blocks),
          columns(matrix.columns),
          sums(matrix.sums) {}
};

// sums[r][g] = correction[g] + weights[g] . inputs[r], over `columns` columns. This loop takes nearly
// all of the time. It is a function of its own, because in a larger one gcc would keep other values
// in registers and the sums in memory, at a third of the speed.
template <class Isa, int gates, int rows>
__attribute__((noinline)) void sum_products(const typename Isa::Weight* weights, int columns,
                                            const int32_t* corrections,
                                            const typename Isa::Activation* const* inputs,
                                            int32_t* to) {
    constexpr int lanes = Isa::lanes, width = lanes * Isa::group;
    const typename Isa::Activation* input[rows];
    typename Isa::Sums sums[rows][gates];
    each<rows>([&](int r) PACKED_INLINED {
        input[r] = inputs[r];
        each<gates>([&](int g) PACKED_INLINED {
            sums[r][g] = Isa::offset ? Isa::load_sums(corrections + g * lanes) : Isa::zero();
        });
    });
    for (int k = 0; k < columns; k += Isa::group, weights += gates * width) {
        decltype(Isa::load(weights)) w[gates];
        each<gates>([&](int g) PACKED_INLINED { w[g] = Isa::load(weights + g * width); });
        each<rows>([&](int r) PACKED_INLINED {
            const auto x = Isa::spread(input[r] + k);
            each<gates>([&](int g) PACKED_INLINED {
                sums[r][g] = Isa::add_products(sums[r][g], x, w[g]);
            });
        });
    }
    each<rows>([&](int r) PACKED_INLINED {
        each<gates>([&](int g) PACKED_INLINED {
            Isa::store_sums(to + (r * gates + g) * lanes, sums[r][g]);
        });
    });
}

// result[r][g] += scale[g] * (weights[g] . inputs[r]), the dot product in integers.
template <class Isa, int gates, int rows>
PACKED_INLINE void multiply(const IntegerMatrix<Isa>& matrix, int block,
                            const typename Isa::Activation* const* inputs,
                            typename Isa::Floats (&result)[rows][gates]) {
    using Floats = typename Isa::Floats;
    constexpr int lanes = Isa::lanes;
    const auto* weights = matrix.weights + size_t(block) * matrix.columns * gates * lanes;
    const float* scales = matrix.scales + size_t(block) * gates * lanes;
    const int32_t* corrections = matrix.corrections + size_t(block) * matrix.sums * gates * lanes;
    for (int sum = 0; sum < matrix.sums; sum++, corrections += gates * lanes) {
        const int first = sum * columns_per_sum, columns = end_of_sum(matrix.columns, sum) - first;
        const typename Isa::Activation* part[rows];
        each<rows>([&](int r) PACKED_INLINED { part[r] = inputs[r] + first; });
        alignas(64) int32_t sums[rows * gates * lanes];
        sum_products<Isa, gates, rows>(weights, columns, corrections, part, sums);
        weights += size_t(columns) * gates * lanes;
        each<rows>([&](int r) PACKED_INLINED {
            each<gates>([&](int g) PACKED_INLINED {
                const Floats products = Floats::from(Isa::load_sums(sums + (r * gates + g) * lanes));
                result[r][g] = fused(products, Floats::load(scales + g * lanes), result[r][g]);
            });
        });
    }
}

// result[r][g] += weights[g] . inputs[r], column after column.
template <class Isa, int gates, int rows>
PACKED_INLINE void multiply(const FloatMatrix& matrix, int block,
                            const float* const (&inputs)[rows],
                            typename Isa::Floats (&result)[rows][gates]) {
    using Floats = typename Isa::Floats;
    constexpr int lanes = Isa::lanes;
    const float* weights = matrix.weights + size_t(block) * matrix.columns * gates * lanes;
    for (int k = 0; k < matrix.columns; k++, weights += gates * lanes) {
        each<rows>([&](int r) PACKED_INLINED {
            const Floats x = Floats::all(inputs[r][k]);
            each<gates>([&](int g) PACKED_INLINED {
                result[r][g] = fused(x, Floats::load(weights + g * lanes), result[r][g]);
            });
        });
    }
}

template <class Isa, int gates, int rows, class AnyMatrix, class Input>
void project_tile(const AnyMatrix& matrix, int block, const Input* const* inputs,
                  float* const* outputs) {
    using Floats = typename Isa::Floats;
    constexpr int lanes = Isa::lanes;
    const size_t place = size_t(block) * gates * lanes;
    const Input* tile_inputs[rows];
    Floats result[rows][gates];
    each<rows>([&](int r) PACKED_INLINED {
        tile_inputs[r] = inputs[r];
        each<gates>([&](int g) PACKED_INLINED {
            result[r][g] = Floats::load(matrix.bias + place + g * lanes);
        });
    });
    multiply<Isa, gates, rows>(matrix, block, tile_inputs, result);
    each<rows>([&](int r) PACKED_INLINED {
        each<gates>([&](int g) PACKED_INLINED {
            result[r][g].store(outputs[r] + place + g * lanes);
        });
    });
}

template <class Isa, int gates, int rows, class AnyMatrix, class Input>
void project_tiles(const AnyMatrix& matrix, int block, const Input* const* inputs,
                   float* const* outputs, int count) {
    int done = 0;
    for (; count - done >= rows; done += rows)
        project_tile<Isa, gates, rows>(matrix, block, inputs + done, outputs + done);
    if constexpr (rows > 1)
        project_tiles<Isa, gates, rows - 1>(matrix, block, inputs + done, outputs + done,
                                            count - done);
}

// outputs[i] = bias + matrix . inputs[i], each in the order of the blob: [block][gate][unit].
template <class Isa, int gates, class AnyMatrix, class Input>
void project(const AnyMatrix& matrix, const Input* const* inputs, float* const* outputs,
             int count) {
    for (int block = 0; block < matrix.blocks; block++)
        project_tiles<Isa, gates, Isa::rows>(matrix, block, inputs, outputs, count);
}

}  // namespace
}  // namespace packed
