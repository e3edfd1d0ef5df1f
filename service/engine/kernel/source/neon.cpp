#include "vector_neon.h"

#include "variant.h"

// Compiled twice: build.py asks for the dot products of Armv8.2 the second time.
namespace packed {
#ifdef __ARM_FEATURE_DOTPROD
const InstructionSet neon_dotprod = {"neon-dotprod", variant<Neon<int16_t>>, variant<Neon<int8_t>>};
#else
const InstructionSet neon = {"neon", variant<Neon<int16_t>>, variant<Neon<int8_t>>};
#endif
}  // namespace packed
