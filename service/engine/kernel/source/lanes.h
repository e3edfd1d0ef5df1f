// Dealing texts to lanes, and all memory that a run needs.
#pragma once

#include <algorithm>

#include "blob.h"
#include "project.h"

namespace packed {
namespace {

constexpr int most_lanes = 16;

// Hands out the arena's bytes from front to back. On no memory at all it only counts them.
class Arena {
public:
    explicit Arena(void* memory) : memory_(static_cast<char*>(memory)) {}

    template <class T>
    T* take(size_t elements) {
        T* start = memory_ ? reinterpret_cast<T*>(memory_ + used_) : nullptr;
        used_ += (elements * sizeof(T) + 63) / 64 * 64;
        return start;
    }
    uint64_t used() const { return used_; }

private:
    char* memory_;
    uint64_t used_ = 0;
};

// Place p of lane l is p = start[l] + step; the lanes' places follow each other without gaps.
struct Lanes {
    int count, steps;
    int start[most_lanes], length[most_lanes];  // in tokens, the longest lane first
    int32_t* token[PACKED_MAX_DIRECTIONS];      // [place]: which of the call's tokens it takes
    int32_t* ended;                             // [place]: the text that ends here, or -1
    int32_t *order, *lane;                      // [text]

    Lanes(Arena& arena, int texts, int tokens) {
        for (int32_t*& tokens_of_direction : token) tokens_of_direction = arena.take<int32_t>(tokens);
        ended = arena.take<int32_t>(tokens);
        order = arena.take<int32_t>(texts);
        lane = arena.take<int32_t>(texts);
    }

    // Longest text first, each to the lane that is shortest so far (Graham 1969): the longest lane
    // is at most a third longer than it must be. More lanes than the texts' sum fills beside the
    // longest text would only leave tiles of fewer rows.
    void deal(const int32_t* offsets, int texts) {
        const auto text_length = [&](int text) { return offsets[text + 1] - offsets[text]; };
        for (int text = 0; text < texts; text++) order[text] = text;
        std::sort(order, order + texts, [&](int a, int b) {
            const int difference = text_length(a) - text_length(b);
            return difference ? difference > 0 : a < b;
        });
        const int64_t longest = text_length(order[0]), tokens = offsets[texts] - offsets[0];
        count = int(std::min<int64_t>(most_lanes, (tokens + longest - 1) / longest));
        int load[most_lanes] = {}, rank[most_lanes];
        for (int i = 0; i < texts; i++) {
            lane[order[i]] = int(std::min_element(load, load + count) - load);
            load[lane[order[i]]] += text_length(order[i]);
        }
        rank_lanes(load, rank);
        int place[most_lanes];
        std::copy(start, start + count, place);
        for (int i = 0; i < texts; i++) {
            const int text = order[i];
            place_text(text, offsets[text] - offsets[0], text_length(text),
                       place[rank[lane[text]]]);
        }
    }

private:
    // Busy lanes are the first ones at every step, if the longest come first.
    void rank_lanes(const int* load, int* rank) {
        int by_load[most_lanes];
        for (int l = 0; l < count; l++) by_load[l] = l;
        std::sort(by_load, by_load + count, [&](int a, int b) {
            return load[a] != load[b] ? load[a] > load[b] : a < b;
        });
        int next = 0;
        for (int l = 0; l < count; l++) {
            rank[by_load[l]] = l;
            start[l] = next;
            length[l] = load[by_load[l]];
            next += length[l];
        }
        steps = length[0];
    }

    void place_text(int text, int first, int tokens, int& place) {
        for (int t = 0; t < tokens; t++, place++) {
            token[0][place] = first + t;
            token[1][place] = first + tokens - 1 - t;
            ended[place] = t == tokens - 1 ? text : -1;
        }
    }
};

template <class Isa>
struct Workspace {
    using Activation = typename Isa::Activation;

    Lanes lanes;
    Activation* outputs[2];  // (tokens, directions * hidden) of a layer, and of the next one
    float* bases;            // (rows_at_once, gates * hidden)
    float* hidden;           // (lanes, hidden)
    float* cell;             // (lanes, hidden)
    Activation* activations; // (lanes, 2, hidden): h of this step and of the step before
    float* finals;           // (texts, directions * hidden)
    float* logits;           // (rows_at_once, labels filled up to whole blocks)

    Workspace(Arena& arena, const Header& header, int texts, int tokens)
        : lanes(arena, texts, tokens) {
        const packed_sizes& sizes = header.sizes;
        const size_t width = size_t(sizes.directions) * sizes.hidden;
        for (int i = 0; i < 2; i++)
            outputs[i] = sizes.layers > i + 1 ? arena.take<Activation>(tokens * width) : nullptr;
        bases = arena.take<float>(size_t(rows_at_once) * gates_of(sizes.cell) * sizes.hidden);
        hidden = arena.take<float>(size_t(most_lanes) * sizes.hidden);
        cell = arena.take<float>(size_t(most_lanes) * sizes.hidden);
        activations = arena.take<Activation>(size_t(most_lanes) * 2 * sizes.hidden);
        finals = arena.take<float>(texts * width);
        logits = arena.take<float>(size_t(rows_at_once) * header.linear.blocks * Isa::lanes);
    }
};

}  // namespace
}  // namespace packed
