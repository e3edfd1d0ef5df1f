#include "vector_avx512.h"

#include "variant.h"

namespace packed {
const InstructionSet avx512_vnni = {"avx512-vnni", variant<Avx512Vnni<int16_t>>,
                                    variant<Avx512Vnni<int8_t>>};
}
