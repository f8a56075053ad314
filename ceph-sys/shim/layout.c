/*
 * Holds the installed headers to what the checked-in bindings say. Nothing here runs: a difference does not compile.
 *
 * The numbers are those of bindings/librbd_1_16.rs (whose own size and offset tests hold the Rust side to them), for the
 * structures whose memory crosses the border. A newer Ceph may add enum values and functions; it must not move a field.
 */
#include <stddef.h>

#include <rados/librados.h>
#include <rbd/features.h>
#include <rbd/librbd.h>

#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "size of " #type)
#define FIELD(type, field, at) _Static_assert(offsetof(type, field) == (at), "offset of " #type "." #field)
#define VALUE(name, number) _Static_assert((name) == (number), "value of " #name)
/* The function has this type, to the letter. */
#define PROTOTYPE(function, type) _Static_assert(__builtin_types_compatible_p(__typeof__(&function), type), "prototype of " #function)

#if LIBRBD_VER_MAJOR != 1 || LIBRBD_VER_MINOR < 16
#error "ceph-sys needs librbd 1.16 (Ceph 16, Pacific) or newer"
#endif

/* LP64, the only data model Ceph is packaged for. */
SIZE(void *, 8);
SIZE(size_t, 8);
SIZE(time_t, 8);

SIZE(rbd_image_info_t, 160);
FIELD(rbd_image_info_t, size, 0);
FIELD(rbd_image_info_t, obj_size, 8);
FIELD(rbd_image_info_t, num_objs, 16);
FIELD(rbd_image_info_t, order, 24);
FIELD(rbd_image_info_t, block_name_prefix, 28);

SIZE(rbd_image_spec_t, 16);
SIZE(rbd_linked_image_spec_t, 48);
FIELD(rbd_linked_image_spec_t, trash, 40);
SIZE(rbd_snap_spec_t, 24);
FIELD(rbd_snap_spec_t, namespace_type, 8);
FIELD(rbd_snap_spec_t, name, 16);
SIZE(rbd_snap_info_t, 24);
FIELD(rbd_snap_info_t, size, 8);
FIELD(rbd_snap_info_t, name, 16);

SIZE(rbd_mirror_peer_site_t, 48);
FIELD(rbd_mirror_peer_site_t, direction, 8);
FIELD(rbd_mirror_peer_site_t, site_name, 16);
FIELD(rbd_mirror_peer_site_t, mirror_uuid, 24);
FIELD(rbd_mirror_peer_site_t, client_name, 32);
FIELD(rbd_mirror_peer_site_t, last_seen, 40);

SIZE(rbd_mirror_image_info_t, 16);
FIELD(rbd_mirror_image_info_t, state, 8);
FIELD(rbd_mirror_image_info_t, primary, 12);

SIZE(rbd_mirror_image_site_status_t, 40);
FIELD(rbd_mirror_image_site_status_t, state, 8);
FIELD(rbd_mirror_image_site_status_t, description, 16);
FIELD(rbd_mirror_image_site_status_t, last_update, 24);
FIELD(rbd_mirror_image_site_status_t, up, 32);

SIZE(rbd_mirror_image_global_status_t, 40);
FIELD(rbd_mirror_image_global_status_t, info, 8);
FIELD(rbd_mirror_image_global_status_t, site_statuses_count, 24);
FIELD(rbd_mirror_image_global_status_t, site_statuses, 32);

SIZE(rbd_snap_mirror_namespace_t, 56);
FIELD(rbd_snap_mirror_namespace_t, mirror_peer_uuids_count, 8);
FIELD(rbd_snap_mirror_namespace_t, mirror_peer_uuids, 16);
FIELD(rbd_snap_mirror_namespace_t, complete, 24);
FIELD(rbd_snap_mirror_namespace_t, primary_mirror_uuid, 32);
FIELD(rbd_snap_mirror_namespace_t, primary_snap_id, 40);
FIELD(rbd_snap_mirror_namespace_t, last_copied_object_number, 48);

SIZE(rbd_trash_image_info_t, 40);
FIELD(rbd_trash_image_info_t, source, 16);
FIELD(rbd_trash_image_info_t, deletion_time, 24);
FIELD(rbd_trash_image_info_t, deferment_end_time, 32);

SIZE(rbd_image_watcher_t, 24);
FIELD(rbd_image_watcher_t, id, 8);
FIELD(rbd_image_watcher_t, cookie, 16);

VALUE(RBD_FEATURE_LAYERING, 1);
VALUE(RBD_FEATURE_EXCLUSIVE_LOCK, 4);
VALUE(RBD_FEATURE_OBJECT_MAP, 8);
VALUE(RBD_FEATURE_FAST_DIFF, 16);
VALUE(RBD_FEATURE_DEEP_FLATTEN, 32);
VALUE(RBD_FEATURE_JOURNALING, 64);

VALUE(RBD_MIRROR_MODE_DISABLED, 0);
VALUE(RBD_MIRROR_MODE_IMAGE, 1);
VALUE(RBD_MIRROR_MODE_POOL, 2);
VALUE(RBD_MIRROR_PEER_DIRECTION_RX, 0);
VALUE(RBD_MIRROR_PEER_DIRECTION_TX, 1);
VALUE(RBD_MIRROR_PEER_DIRECTION_RX_TX, 2);
VALUE(RBD_MIRROR_IMAGE_MODE_JOURNAL, 0);
VALUE(RBD_MIRROR_IMAGE_MODE_SNAPSHOT, 1);
VALUE(RBD_MIRROR_IMAGE_DISABLING, 0);
VALUE(RBD_MIRROR_IMAGE_ENABLED, 1);
VALUE(RBD_MIRROR_IMAGE_DISABLED, 2);
VALUE(MIRROR_IMAGE_STATUS_STATE_UNKNOWN, 0);
VALUE(MIRROR_IMAGE_STATUS_STATE_ERROR, 1);
VALUE(MIRROR_IMAGE_STATUS_STATE_SYNCING, 2);
VALUE(MIRROR_IMAGE_STATUS_STATE_STARTING_REPLAY, 3);
VALUE(MIRROR_IMAGE_STATUS_STATE_REPLAYING, 4);
VALUE(MIRROR_IMAGE_STATUS_STATE_STOPPING_REPLAY, 5);
VALUE(MIRROR_IMAGE_STATUS_STATE_STOPPED, 6);
VALUE(RBD_LOCK_MODE_EXCLUSIVE, 0);
VALUE(RBD_LOCK_MODE_SHARED, 1);
VALUE(RBD_SNAP_NAMESPACE_TYPE_USER, 0);
VALUE(RBD_SNAP_NAMESPACE_TYPE_GROUP, 1);
VALUE(RBD_SNAP_NAMESPACE_TYPE_TRASH, 2);
VALUE(RBD_SNAP_NAMESPACE_TYPE_MIRROR, 3);
VALUE(RBD_SNAP_MIRROR_STATE_PRIMARY, 0);
VALUE(RBD_SNAP_MIRROR_STATE_PRIMARY_DEMOTED, 1);
VALUE(RBD_SNAP_MIRROR_STATE_NON_PRIMARY, 2);
VALUE(RBD_SNAP_MIRROR_STATE_NON_PRIMARY_DEMOTED, 3);
VALUE(RBD_SNAP_CREATE_SKIP_QUIESCE, 1);
VALUE(RBD_SNAP_CREATE_IGNORE_QUIESCE_ERROR, 2);
VALUE(RBD_IMAGE_OPTION_FEATURES, 1);
VALUE(RBD_IMAGE_OPTION_ORDER, 2);
VALUE(RBD_IMAGE_OPTION_STRIPE_UNIT, 3);
VALUE(RBD_IMAGE_OPTION_STRIPE_COUNT, 4);
VALUE(RBD_IMAGE_OPTION_DATA_POOL, 10);
VALUE(RBD_IMAGE_OPTION_CLONE_FORMAT, 12);
VALUE(RBD_IMAGE_OPTION_MIRROR_IMAGE_MODE, 13);
VALUE(RBD_TRASH_IMAGE_SOURCE_USER, 0);
VALUE(RBD_TRASH_IMAGE_SOURCE_MIRRORING, 1);
VALUE(RBD_TRASH_IMAGE_SOURCE_MIGRATION, 2);
VALUE(RBD_TRASH_IMAGE_SOURCE_REMOVING, 3);
VALUE(RBD_TRASH_IMAGE_SOURCE_USER_PARENT, 4);

PROTOTYPE(rbd_mirror_image_enable2, int (*)(rbd_image_t, rbd_mirror_image_mode_t));
PROTOTYPE(rbd_mirror_image_disable, int (*)(rbd_image_t, bool));
PROTOTYPE(rbd_mirror_image_promote, int (*)(rbd_image_t, bool));
PROTOTYPE(rbd_mirror_image_demote, int (*)(rbd_image_t));
PROTOTYPE(rbd_mirror_image_resync, int (*)(rbd_image_t));
PROTOTYPE(rbd_mirror_image_get_info, int (*)(rbd_image_t, rbd_mirror_image_info_t *, size_t));
PROTOTYPE(rbd_mirror_image_get_mode, int (*)(rbd_image_t, rbd_mirror_image_mode_t *));
PROTOTYPE(rbd_mirror_image_get_global_status, int (*)(rbd_image_t, rbd_mirror_image_global_status_t *, size_t));
PROTOTYPE(rbd_aio_mirror_image_promote, int (*)(rbd_image_t, bool, rbd_completion_t));
PROTOTYPE(rbd_aio_mirror_image_demote, int (*)(rbd_image_t, rbd_completion_t));
PROTOTYPE(rbd_aio_mirror_image_get_info, int (*)(rbd_image_t, rbd_mirror_image_info_t *, size_t, rbd_completion_t));
PROTOTYPE(rbd_aio_mirror_image_get_global_status,
          int (*)(rbd_image_t, rbd_mirror_image_global_status_t *, size_t, rbd_completion_t));
PROTOTYPE(rbd_mirror_image_global_status_list,
          int (*)(rados_ioctx_t, const char *, size_t, char **, rbd_mirror_image_global_status_t *, size_t *));
PROTOTYPE(rbd_aio_create_completion, int (*)(void *, rbd_callback_t, rbd_completion_t *));
PROTOTYPE(rbd_aio_mirror_image_get_mode, int (*)(rbd_image_t, rbd_mirror_image_mode_t *, rbd_completion_t));
PROTOTYPE(rbd_aio_mirror_image_create_snapshot, int (*)(rbd_image_t, uint32_t, uint64_t *, rbd_completion_t));
PROTOTYPE(rbd_mirror_peer_bootstrap_create, int (*)(rados_ioctx_t, char *, size_t *));
PROTOTYPE(rbd_mirror_peer_bootstrap_import, int (*)(rados_ioctx_t, rbd_mirror_peer_direction_t, const char *));
PROTOTYPE(rbd_mirror_peer_site_list, int (*)(rados_ioctx_t, rbd_mirror_peer_site_t *, int *));
PROTOTYPE(rbd_snap_get_mirror_namespace, int (*)(rbd_image_t, uint64_t, rbd_snap_mirror_namespace_t *, size_t));
PROTOTYPE(rbd_aio_read2, int (*)(rbd_image_t, uint64_t, size_t, char *, rbd_completion_t, int));
PROTOTYPE(rbd_aio_write2, int (*)(rbd_image_t, uint64_t, size_t, const char *, rbd_completion_t, int));
PROTOTYPE(rbd_aio_compare_and_write,
          ssize_t (*)(rbd_image_t, uint64_t, size_t, const char *, const char *, rbd_completion_t, uint64_t *, int));
PROTOTYPE(rbd_lock_get_owners, int (*)(rbd_image_t, rbd_lock_mode_t *, char **, size_t *));
PROTOTYPE(rbd_lock_break, int (*)(rbd_image_t, rbd_lock_mode_t, const char *));
PROTOTYPE(rbd_watchers_list, int (*)(rbd_image_t, rbd_image_watcher_t *, size_t *));
PROTOTYPE(rbd_flatten_with_progress, int (*)(rbd_image_t, librbd_progress_fn_t, void *));
