// The equations of the three cells, for some units of one text at one step.
//
// Each cell is given `gate[g]` = W_ih x + b_ih + W_hh h + b_hh for those of its gates whose two
// products simply add up: its first `joined` ones. A gate beyond them holds W_hh h + b_hh alone,
// and `apart` is its W_ih x + b_ih. `hidden` is h of the step before; `cell` is carried along.
#pragma once

#include "functions.h"

namespace packed {
namespace {

// Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000:
//     c' = sigmoid(f) c + sigmoid(i) tanh(g)
//     h' = sigmoid(o) tanh(c')
struct Lstm {
    static constexpr int gates = 4, joined = 4;

    template <class V>
    static V next_hidden(const V (&gate)[4], V /* apart */, V /* hidden */, V& cell) {
        const V i = gate[0], f = gate[1], g = gate[2], o = gate[3];
        cell = (cell * sigmoid(f)).value() + (sigmoid(i) * tanh(g)).value();
        return (sigmoid(o) * tanh(cell)).value();
    }
};

// Cho et al. 2014, as PyTorch has it: r scales the product with h and its bias.
//     n  = tanh(x_n + sigmoid(r) h_n)
//     h' = (1 - sigmoid(z)) n + sigmoid(z) h  =  (e n + h) / (e + 1)   with e = exp(-z)
struct Gru {
    static constexpr int gates = 3, joined = 2;

    template <class V>
    static V next_hidden(const V (&gate)[3], V x_n, V hidden, V& /* cell */) {
        const V r = gate[0], z = gate[1], h_n = gate[2];
        const V n = tanh(fused(sigmoid(r).value(), h_n, x_n)).value();
        const V e = exponential(z * V::all(-1.0f));
        return fused(e, n, hidden) / (e + V::all(1.0f));
    }
};

// Elman 1990:
//     h' = tanh(x)
struct Rnn {
    static constexpr int gates = 1, joined = 1;

    template <class V>
    static V next_hidden(const V (&gate)[1], V /* apart */, V /* hidden */, V& /* cell */) {
        return tanh(gate[0]).value();
    }
};

}  // namespace
}  // namespace packed
