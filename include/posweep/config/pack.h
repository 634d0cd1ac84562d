/* Configurations in few bytes: what differs from another one. For messages between ranks of
 * the same program and for the runs of a large sweep, not for files. */
#ifndef POSWEEP_CONFIG_PACK_H
#define POSWEEP_CONFIG_PACK_H

#include <posweep/config/config.h>
#include <stddef.h>

/** More than any configuration takes. */
enum { PSW_CONFIG_PACKED_BYTES = sizeof(struct psw_config) + 4096 };

/** What of config differs from base. Returns the bytes used of out [PSW_CONFIG_PACKED_BYTES].
 */
size_t psw_config_pack(const struct psw_config *config, const struct psw_config *base,
                       void *out);

/** Read back what psw_config_pack wrote in n_bytes; base is the same. */
void psw_config_unpack(const void *bytes, size_t n_bytes, const struct psw_config *base,
                       struct psw_config *out);

/** Many configurations, of which most settings are the same. Zero it first. */
struct psw_config_list {
    struct psw_config first; /* what the others are packed against */
    uint8_t *bytes;          /* owned */
    size_t *end;             /* [n] owned: of each, in bytes */
    size_t n_room;           /* of bytes */
    int64_t n, n_most;
};

/** Append one, at place n. Errors: PSW_ENOMEM. */
psw_status psw_config_list_add(struct psw_config_list *list, const struct psw_config *config,
                               struct psw_error *err);
/** The one at a place. */
void psw_config_list_get(const struct psw_config_list *list, int64_t place,
                         struct psw_config *out);
void psw_config_list_clear(struct psw_config_list *list);

#endif
