/* Looks a symbol of a newer librbd up in the libraries that the process has loaded. */
#define _GNU_SOURCE
#include <dlfcn.h>

void *ceph_sys_symbol(const char *name);

void *ceph_sys_symbol(const char *name) {
  return dlsym(RTLD_DEFAULT, name);
}
