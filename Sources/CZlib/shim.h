#include <zlib.h>

// inflateInit2 and deflateInit are macros, which Swift does not import.
static inline int plaw_inflate_init_gzip(z_stream *stream) { return inflateInit2(stream, 15 + 16); }
