// The recurrent half: every lane's next step, one layer and one direction after the other.
#pragma once

#include "cells.h"
#include "lanes.h"
#include "project.h"

namespace packed {
namespace {

// One lane at one step.
template <class Isa>
struct Row {
    const float* base;                          // [block][gate][unit]: W_ih x and biases
    const typename Isa::Activation* previous;   // (hidden): h of the step before, as integers
    typename Isa::Activation* next;             // (hidden)
    float *hidden, *cell;                       // (hidden): overwritten
};

template <class Isa, class Cell, int rows>
void step_tile(const IntegerMatrix<Isa>& matrix, int block, const Row<Isa>* row) {
    using Floats = typename Isa::Floats;
    constexpr int lanes = Isa::lanes, gates = Cell::gates;
    const size_t place = size_t(block) * gates * lanes, unit = size_t(block) * lanes;
    const typename Isa::Activation* inputs[rows];
    Floats gate[rows][gates];
    each<rows>([&](int r) PACKED_INLINED {
        inputs[r] = row[r].previous;
        each<gates>([&](int g) PACKED_INLINED {
            gate[r][g] = Floats::load((g < Cell::joined ? row[r].base : matrix.bias) + place +
                                      g * lanes);
        });
    });
    multiply<Isa, gates, rows>(matrix, block, inputs, gate);
    each<rows>([&](int r) PACKED_INLINED {
        const Floats apart = Floats::load(row[r].base + place + (gates - 1) * lanes);
        Floats cell = Floats::load(row[r].cell + unit);
        const Floats hidden =
            Cell::next_hidden(gate[r], apart, Floats::load(row[r].hidden + unit), cell);
        cell.store(row[r].cell + unit);
        hidden.store(row[r].hidden + unit);
        const float scale = activation_scale<typename Isa::Weight>();
        Isa::store(row[r].next + unit, hidden * Floats::all(scale));
    });
}

template <class Isa, class Cell, int rows>
void step_tiles(const IntegerMatrix<Isa>& matrix, int block, const Row<Isa>* row, int count) {
    int done = 0;
    for (; count - done >= rows; done += rows)
        step_tile<Isa, Cell, rows>(matrix, block, row + done);
    if constexpr (rows > 1)
        step_tiles<Isa, Cell, rows - 1>(matrix, block, row + done, count - done);
}

// One layer in one direction, over all texts of a call.
template <class Isa, class Cell>
class Scan {
    using Activation = typename Isa::Activation;

public:
    Scan(const void* blob, const Workspace<Isa>& space, int layer, int direction,
         const int32_t* token_ids)
        : blob_(blob),
          header_(*static_cast<const Header*>(blob)),
          space_(space),
          lanes_(space.lanes),
          matrix_(blob, header_.recurrent[layer][direction]),
          layer_(layer),
          direction_(direction),
          hidden_(header_.sizes.hidden),
          width_(size_t(header_.sizes.directions) * hidden_),
          base_width_(size_t(Cell::gates) * hidden_),
          token_ids_(token_ids) {}

    void run() {
        const int chunk = std::max(1, rows_at_once / lanes_.count);  // steps
        for (int first = 0; first < lanes_.steps; first += chunk) {
            const int end = std::min(first + chunk, lanes_.steps);
            const float* bases[rows_at_once];
            if (layer_ == 0 && !header_.embedding)
                look_bases_up(first, end, bases);
            else
                compute_bases(first, end, bases);
            const float* const* base = bases;
            for (int step = first; step < end; step++) base += take_step(step, base);
        }
    }

private:
    int busy_lanes(int step) const {
        int busy = lanes_.count;
        while (lanes_.length[busy - 1] <= step) busy--;
        return busy;
    }

    size_t token(int lane, int step) const {
        return size_t(lanes_.token[direction_][lanes_.start[lane] + step]);
    }

    void look_bases_up(int first, int end, const float** bases) const {
        const float* table = at<float>(blob_, header_.table[direction_]);
        for (int step = first; step < end; step++)
            for (int lane = 0, busy = busy_lanes(step); lane < busy; lane++)
                *bases++ = table + size_t(token_ids_[token(lane, step)]) * base_width_;
    }

    void compute_bases(int first, int end, const float** bases) const {
        const Matrix& input = header_.input[layer_][direction_];
        const float* embedding = at<float>(blob_, header_.embedding);
        const Activation* below = layer_ ? space_.outputs[(layer_ - 1) % 2] : nullptr;
        const float* embedded[rows_at_once];
        const Activation* activations[rows_at_once];
        float* outputs[rows_at_once];
        int count = 0;
        for (int step = first; step < end; step++) {
            for (int lane = 0, busy = busy_lanes(step); lane < busy; lane++, count++) {
                const size_t at_token = token(lane, step);
                if (layer_ == 0)
                    embedded[count] =
                        embedding + size_t(token_ids_[at_token]) * header_.sizes.embedding;
                else
                    activations[count] = below + at_token * width_;
                bases[count] = outputs[count] = space_.bases + count * base_width_;
            }
        }
        if (layer_ == 0)
            project<Isa, Cell::gates>(FloatMatrix(blob_, input), embedded, outputs, count);
        else
            project<Isa, Cell::gates>(IntegerMatrix<Isa>(blob_, input), activations, outputs,
                                      count);
    }

    int take_step(int step, const float* const* bases) const {
        Row<Isa> rows[most_lanes];
        const int busy = busy_lanes(step);
        for (int lane = 0; lane < busy; lane++) {
            Activation* two = space_.activations + size_t(lane) * 2 * hidden_;
            Activation* previous = two + (step % 2 ? 0 : hidden_);
            Row<Isa>& row = rows[lane];
            row = {bases[lane], previous, two + (step % 2 ? hidden_ : 0),
                   space_.hidden + size_t(lane) * hidden_, space_.cell + size_t(lane) * hidden_};
            const int place = lanes_.start[lane] + step;
            if (step == 0 || lanes_.ended[place - 1] >= 0) {  // a text begins
                std::fill(row.hidden, row.hidden + hidden_, 0.0f);
                std::fill(row.cell, row.cell + hidden_, 0.0f);
                std::fill(previous, previous + hidden_, Activation(Isa::offset));
            }
        }
        for (int block = 0; block < matrix_.blocks; block++)
            step_tiles<Isa, Cell, Isa::rows>(matrix_, block, rows, busy);
        for (int lane = 0; lane < busy; lane++) keep(rows[lane], lane, step);
        return busy;
    }

    // What the layer above reads, or what the linear layer reads of the last one.
    void keep(const Row<Isa>& row, int lane, int step) const {
        const size_t side = size_t(direction_) * hidden_;
        if (layer_ + 1 < header_.sizes.layers) {
            Activation* output = space_.outputs[layer_ % 2] + token(lane, step) * width_ + side;
            std::copy(row.next, row.next + hidden_, output);
        } else if (const int text = lanes_.ended[lanes_.start[lane] + step]; text >= 0) {
            std::copy(row.hidden, row.hidden + hidden_, space_.finals + text * width_ + side);
        }
    }

    const void* blob_;
    const Header& header_;
    const Workspace<Isa>& space_;
    const Lanes& lanes_;
    const IntegerMatrix<Isa> matrix_;
    const int layer_, direction_, hidden_;
    const size_t width_, base_width_;
    const int32_t* token_ids_;
};

template <class Isa>
void write_logits(const void* blob, const Workspace<Isa>& space, int texts, float* logits) {
    const Header& header = *static_cast<const Header*>(blob);
    const int labels = header.sizes.labels, padded = header.linear.blocks * Isa::lanes;
    const FloatMatrix linear(blob, header.linear);
    for (int first = 0; first < texts; first += rows_at_once) {
        const int count = std::min(rows_at_once, texts - first);
        const float* inputs[rows_at_once];
        float* outputs[rows_at_once];
        for (int i = 0; i < count; i++) {
            inputs[i] = space.finals + size_t(first + i) * linear.columns;
            outputs[i] = space.logits + size_t(i) * padded;
        }
        project<Isa, 1>(linear, inputs, outputs, count);
        for (int i = 0; i < count; i++)
            std::copy(outputs[i], outputs[i] + labels, logits + size_t(first + i) * labels);
    }
}

template <class Isa, class Cell>
void run(const void* blob, const int32_t* token_ids, const int32_t* offsets, int texts,
         float* logits, void* memory) {
    const Header& header = *static_cast<const Header*>(blob);
    Arena arena(memory);
    Workspace<Isa> space(arena, header, texts, offsets[texts] - offsets[0]);
    space.lanes.deal(offsets, texts);
    for (int layer = 0; layer < header.sizes.layers; layer++)
        for (int direction = 0; direction < header.sizes.directions; direction++)
            Scan<Isa, Cell>(blob, space, layer, direction, token_ids + offsets[0]).run();
    write_logits(blob, space, texts, logits);
}

}  // namespace
}  // namespace packed
