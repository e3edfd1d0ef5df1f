// What the bits are: one text after the other, one unit after the other, one product after the
// other. Every other instruction set must give the same logits to the last bit.
//
// The cells' equations are those of cells.h and the integers those of quantise.h. Lanes, tiles and
// the table are ways to be fast and do not occur here.
#include "vector_scalar.h"

#include "cells.h"
#include "instruction_set.h"
#include "lanes.h"
#include "quantise.h"

namespace packed {
namespace {

template <class Integer, class Cell>
class Reference {
    using V = ScalarFloats;
    using Isa = Scalar<Integer>;
    static constexpr int gates = Cell::gates;

public:
    Reference(const void* blob, Arena& arena, int tokens)
        : blob_(blob), header_(*static_cast<const Header*>(blob)), sizes_(header_.sizes) {
        width_ = size_t(sizes_.directions) * sizes_.hidden;
        below_ = arena.take<Integer>(tokens * width_);
        output_ = arena.take<Integer>(tokens * width_);
        hidden_ = arena.take<V>(width_);
        cell_ = arena.take<V>(width_);
        previous_ = arena.take<Integer>(width_);
    }

    void run(const int32_t* token_ids, int tokens, float* logits) {
        for (int layer = 0; layer < sizes_.layers; layer++) {
            for (int direction = 0; direction < sizes_.directions; direction++)
                scan(layer, direction, token_ids, tokens);
            std::swap(below_, output_);
        }
        for (int label = 0; label < sizes_.labels; label++)
            logits[label] = product(header_.linear, 0, label, &hidden_[0].value);
    }

private:
    void scan(int layer, int direction, const int32_t* token_ids, int tokens) {
        const int hidden = sizes_.hidden;
        V* h = hidden_ + direction * hidden;
        V* c = cell_ + direction * hidden;
        std::fill(h, h + hidden, V{0});
        std::fill(c, c + hidden, V{0});
        std::fill(previous_, previous_ + hidden, Integer(0));
        for (int step = 0; step < tokens; step++) {
            const int t = direction == 0 ? step : tokens - 1 - step;
            Integer* next = output_ + t * width_ + direction * hidden;
            for (int unit = 0; unit < hidden; unit++) {
                V gate[gates], apart{};
                for (int g = 0; g < gates; g++) {
                    const V x{input_product(layer, direction, g, unit, token_ids[t], t)};
                    const Matrix& recurrent = header_.recurrent[layer][direction];
                    const float start = g < Cell::joined ? x.value : bias(recurrent, g, unit);
                    gate[g] = {product(recurrent, g, unit, previous_, start)};
                    apart = x;  // of the last gate
                }
                h[unit] = Cell::next_hidden(gate, apart, h[unit], c[unit]);
                next[unit] = Integer(rounded(h[unit].value * activation_scale<Integer>()));
            }
            std::copy(next, next + hidden, previous_);
        }
    }

    // W_ih x + b_ih, and b_hh too where the gate's two products are joined.
    float input_product(int layer, int direction, int gate, int unit, int token_id, int t) const {
        const Matrix& input = header_.input[layer][direction];
        if (layer > 0) return product(input, gate, unit, below_ + t * width_, bias(input, gate, unit));
        const float* embedding = at<float>(blob_, header_.embedding);
        return product(input, gate, unit, embedding + size_t(token_id) * sizes_.embedding);
    }

    float bias(const Matrix& matrix, int gate, int unit) const {
        return at<float>(blob_, matrix.bias)[row_place<Isa>(matrix, gate, unit)];
    }

    // Floats: column after column, each product added with one rounding.
    float product(const Matrix& matrix, int gate, int unit, const float* x) const {
        const float* weights = at<float>(blob_, matrix.weights);
        float result = bias(matrix, gate, unit);
        for (int k = 0; k < matrix.columns; k++)
            result = fmaf(x[k], weights[weight_place<Isa>(matrix, 1, gate, unit, k)], result);
        return result;
    }

    // Integers: exact sums of at most 256 columns, one after the other added to `result`.
    float product(const Matrix& matrix, int gate, int unit, const Integer* x, float result) const {
        const Integer* weights = at<Integer>(blob_, matrix.weights);
        const float scale = at<float>(blob_, matrix.scales)[row_place<Isa>(matrix, gate, unit)];
        for (int i = 0; i < matrix.sums; i++) {
            int32_t sum = 0;
            for (int k = i * columns_per_sum; k < end_of_sum(matrix.columns, i); k++)
                sum += x[k] * weights[weight_place<Isa>(matrix, 1, gate, unit, k)];
            result = fmaf(float(sum), scale, result);
        }
        return result;
    }

    const void* blob_;
    const Header& header_;
    const packed_sizes& sizes_;
    size_t width_;
    Integer *below_, *output_;  // (tokens, directions * hidden)
    V *hidden_, *cell_;         // (directions * hidden): of the last step
    Integer* previous_;         // (hidden)
};

template <class Integer, class Cell>
void run_texts(const void* blob, const int32_t* token_ids, const int32_t* offsets, int texts,
               float* logits, void* memory) {
    Arena arena(memory);
    Reference<Integer, Cell> reference(blob, arena, offsets[texts] - offsets[0]);
    for (int i = 0; i < texts; i++, logits += static_cast<const Header*>(blob)->sizes.labels)
        reference.run(token_ids + offsets[i], offsets[i + 1] - offsets[i], logits);
}

packed_sizes without_table(packed_sizes sizes) {
    sizes.table_budget = 0;
    return sizes;
}

template <class Integer>
constexpr Variant variant = {
    [](const packed_sizes& sizes) {
        return lay_out<Scalar<Integer>>(without_table(sizes)).bytes;
    },
    [](const packed_sizes& sizes, const packed_weights& weights, void* blob) {
        build<Scalar<Integer>>(lay_out<Scalar<Integer>>(without_table(sizes)), weights, blob);
    },
    check<Scalar<Integer>>,
    [](const void* blob, int, int tokens) {
        Arena arena(nullptr);
        Reference<Integer, Lstm>(blob, arena, tokens);
        return arena.used();
    },
    [](const void* blob, const int32_t* token_ids, const int32_t* offsets, int texts,
       float* logits, void* arena) {
        switch (static_cast<const Header*>(blob)->sizes.cell) {
            case PACKED_LSTM:
                return run_texts<Integer, Lstm>(blob, token_ids, offsets, texts, logits, arena);
            case PACKED_GRU:
                return run_texts<Integer, Gru>(blob, token_ids, offsets, texts, logits, arena);
            default:
                return run_texts<Integer, Rnn>(blob, token_ids, offsets, texts, logits, arena);
        }
    },
};

}  // namespace

const InstructionSet reference = {"reference", variant<int16_t>, variant<int8_t>};
}  // namespace packed
