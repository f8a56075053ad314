/* What `cargo xtask bindgen` reads: the public C headers of librados and librbd, nothing else. */
#include <rados/librados.h>
#include <rbd/features.h>
#include <rbd/librbd.h>
