/* Finds out what the kernel can do, without changing anything. */
#ifndef IGDWARD_BROKER_FW_PROBE_H
#define IGDWARD_BROKER_FW_PROBE_H

#include "fw_internal.h"

/* Fills in fw->has_*. Returns 0; -EPERM; -EOPNOTSUPP without nf_tables; or -errno. */
int fw_probe(struct fw *fw);

#endif
