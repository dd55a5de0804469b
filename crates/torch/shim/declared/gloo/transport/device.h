#include <gloo/declared.h>
