// Nothing to call: what csanitizer.c defines takes the place of functions of the Swift library (scripts/sanitize thread).
#ifndef CSANITIZER_H
#define CSANITIZER_H
#endif
