#include "vector_avx2.h"

#include "variant.h"

namespace packed {
const InstructionSet avx2 = {"avx2", variant<Avx2<int16_t>>, variant<Avx2<int8_t>>};
}
