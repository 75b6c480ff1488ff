/* The C++ form of a program of FPGA bodies: see board.h. */
#include "device/emit/board.h"

void skip_emit_twin(const char *text, bool streams, struct skip_buf *out)
{
	skip_buf_puts(out, "#define SKIP_HLS\n");
	if (streams) skip_buf_puts(out, "#define SKIP_STREAMS\n#include <hls_stream.h>\n");
	skip_buf_puts(out, "#include <math.h>\n#include <stddef.h>\n#include <string.h>\n"
			   "static inline int skip_bits_of(float x)\n{\n\tint bits;\n\tmemcpy(&bits, &x, sizeof(bits));\n\treturn bits;\n}\n"
			   "static inline float skip_float_of(int bits)\n{\n\tfloat x;\n\tmemcpy(&x, &bits, sizeof(x));\n\treturn x;\n}\n");
	skip_buf_puts(out, text);
}
