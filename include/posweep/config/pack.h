/* A configuration in few bytes: what differs from the defaults. For messages between ranks of
 * the same program, not for files. */
#ifndef POSWEEP_CONFIG_PACK_H
#define POSWEEP_CONFIG_PACK_H

#include <posweep/config/config.h>
#include <stddef.h>

/** More than any configuration takes. */
enum { PSW_CONFIG_PACKED_BYTES = sizeof(struct psw_config) + 4096 };

/** Returns the bytes used of out [PSW_CONFIG_PACKED_BYTES]. */
size_t psw_config_pack(const struct psw_config *config, void *out);

/** Read back what psw_config_pack wrote in n_bytes. */
void psw_config_unpack(const void *bytes, size_t n_bytes, struct psw_config *out);

#endif
