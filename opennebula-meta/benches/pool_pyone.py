"""The other peer of benches/pool.rs: the same conversion, written as a user of pyone writes it, on pyone's own objects.

The whole pool becomes objects first, as one.vmpool.infoextended() of pyone returns it; there is no other way in pyone.
Its classes do not have every field of a VM (no PERMISSIONS, no BACKUPS below a pool), so fewer changes can be listed, and no
template has a BACKUP_CONFIG; all else must be as on the Rust side. Prints what benches/pool.py prints.
"""
from pyone import bindings

from pool import (ACTS, CARD, DEVICE, DISK, DISK_PREFIXES, DOLLAR, NIC, PCI, ROOT, SUFFIX, TOP, Conversion,
                  main, write)


def many(value):
    return value if isinstance(value, list) else [] if value is None else [value]


class PyoneConversion:
    boot = Conversion.boot

    def __init__(self, vm):
        self.vm = vm
        self.changes = []
        self.rest = []
        self.images = []

    def drop(self, holder, key, reason):
        self.changes.append((holder, key, "dropped", reason))

    def change(self, holder, key, reason, now):
        self.changes.append((holder, key, "changed", reason, now))

    def vector(self, name, fields, dropped):
        pairs = []
        for key, value in fields.items():
            if dropped(key):
                self.drop(fields, key, "rule")
            else:
                pairs.append((key, value or ""))
        if pairs:
            self.rest.append((name, pairs))

    def disk(self, fields):
        pairs = []
        if not any(fields.get(key) for key in ("CLONE", "SOURCE", "IMAGE", "IMAGE_ID")):
            for key, value in fields.items():
                if key not in ("TYPE", "SIZE", "FORMAT", "FS") and self.disk_drops(key):
                    self.drop(fields, key, "rule")
                else:
                    pairs.append((key, value or ""))
            self.change(fields, None, "empty", "empty")
            self.rest.append(("DISK", pairs))
            return
        clone = fields["CLONE"].upper() == "YES"
        cdrom = (fields.get("TYPE") or "").endswith("CDROM")
        disk_id = fields["DISK_ID"]
        source = fields["SOURCE"]
        if clone:
            source = "%s-%s-%s" % (source, self.vm.ID, disk_id)
            name = self.name if disk_id == "0" else "%s-disk-%s" % (self.name, disk_id)
            owner = self.vm.UNAME
        else:
            name = fields["IMAGE"] + SUFFIX
            owner = fields.get("IMAGE_UNAME") or self.vm.UNAME
        boot = (self.vm.TEMPLATE.get("OS") or {}).get("BOOT")
        booted = "disk" + disk_id in boot.split(",") if boot else disk_id == "0"
        image_type = "CDROM" if cdrom else "OS" if booted else "DATABLOCK"
        image = [("NAME", name), ("TYPE", image_type), ("PERSISTENT", "no" if cdrom else "yes"), ("SOURCE", source),
                 ("FORMAT", fields.get("FORMAT") or "raw"), ("SIZE", str(int(fields["SIZE"])))]
        if fields.get("DEV_PREFIX"):
            image.append(("DEV_PREFIX", fields["DEV_PREFIX"]))
        self.images.append(image)
        if fields["IMAGE"] != name:
            self.change(fields, "IMAGE", "mapped", name)
        pairs += [("IMAGE", name), ("IMAGE_UNAME", owner)]
        for key, value in fields.items():
            if key == "IMAGE":
                continue
            if key == "IMAGE_UNAME":
                if value != owner:
                    self.change(fields, key, "mapped", owner)
            elif key == "READONLY" and (cdrom or (value or "").upper() != "YES") or self.disk_drops(key):
                self.drop(fields, key, "rule")
            else:
                pairs.append((key, value or ""))
        self.rest.append(("DISK", pairs))

    @staticmethod
    def disk_drops(key):
        return key in DISK or key.startswith(DISK_PREFIXES)

    def card(self, name, fields, renamed):
        owner = fields.get("NETWORK_UNAME")
        if not owner:
            owner = "oneadmin"
            self.changes.append((fields, "added", "NETWORK_UNAME", owner))
        kept = next((key for key in ("IP", "IP6", "MAC") if fields.get(key)), None)
        pairs = [("NETWORK", fields["NETWORK"]), ("NETWORK_UNAME", owner)]
        for key, value in fields.items():
            value = value or ""
            if key in ("NETWORK", "NETWORK_UNAME"):
                continue
            if key in ("IP", "IP6", "MAC"):
                dropped = key != kept
            elif key == "SECURITY_GROUPS" or key == "NAME" and value.startswith("NIC"):
                dropped = True
            elif key == "TARGET" and value.startswith("one-"):
                dropped = True
            elif key == "PARENT" and name == "NIC_ALIAS":
                now = renamed.get(value, value)
                if now != value:
                    self.change(fields, key, "renumbered", now)
                pairs.append(("PARENT", now))
                continue
            else:
                dropped = key in NIC or key.startswith(("BRIDGE", "VXLAN_", "IP6_")) or key.endswith("_AUTOMATIC")
            if dropped:
                self.drop(fields, key, "rule")
            else:
                pairs.append((key, value))
        self.rest.append((name, pairs))

    def context(self, fields):
        written = (fields.get("NETWORK") or "").upper() == "YES"
        pairs = []
        for key, value in fields.items():
            value = value or ""
            if key in ("DISK_ID", "VMID", "ONEGATE_ENDPOINT", "FILES") or DEVICE.match(key) or (
                    written and CARD.match(key)):
                self.drop(fields, key, "rule")
            elif key == "PASSWORD" and value:
                self.drop(fields, key, "cipher text")
            elif "@^_^@" in value:
                raise ValueError(key)
            elif DOLLAR.search(value):
                self.drop(fields, key, "dollar")
            else:
                pairs.append((key, value))
        if pairs:
            self.rest.append(("CONTEXT", pairs))

    def os(self, fields, disks, nics):
        pairs = []
        for key, value in fields.items():
            value = value or ""
            if key.startswith(("KERNEL_DS_", "INITRD_DS_")):
                self.drop(fields, key, "rule")
                continue
            if key == "BOOT":
                now = self.boot(value, disks, nics)
                if now != value:
                    self.change(fields, key, "renumbered", now)
                    value = now
            pairs.append((key, value))
        if pairs:
            self.rest.append(("OS", pairs))

    def action(self, fields):
        pairs = []
        for key, value in fields.items():
            if key in ("ID", "PARENT_ID", "TYPE", "DONE", "MESSAGE", "WARNING"):
                self.drop(fields, key, "rule")
            elif value:
                pairs.append((key, value))
        self.rest.append(("SCHED_ACTION", pairs))

    def attribute(self, key, value):
        if isinstance(value, dict):
            self.vector(key, value, lambda key: False)
        else:
            self.rest.append((key, value or ""))

    def run(self):
        vm, template = self.vm, self.vm.TEMPLATE
        self.name = vm.NAME + SUFFIX
        self.change(vm, "NAME", "mapped", self.name)
        for key in vars(vm):
            if key.isupper() and key not in ROOT:
                self.drop(vm, key, "root")
        disks, nics, renamed = {}, {}, {}
        for number, disk in enumerate(many(template.get("DISK"))):
            disks["disk" + disk["DISK_ID"]] = "disk%d" % number
            self.disk(disk)
        for number, nic in enumerate(many(template.get("NIC"))):
            nics["nic" + nic["NIC_ID"]] = "nic%d" % number
            if (nic.get("NAME") or "NIC").startswith("NIC"):
                renamed["NIC" + nic["NIC_ID"]] = "NIC%d" % number
            self.card("NIC", nic, {})
        for alias in many(template.get("NIC_ALIAS")):
            self.card("NIC_ALIAS", alias, renamed)
        if template.get("CONTEXT"):
            self.context(template["CONTEXT"])
        for key, values in template.items():
            if key in ("DISK", "NIC", "NIC_ALIAS", "CONTEXT"):
                continue
            for value in values if isinstance(values, list) else [values]:
                if key == "GRAPHICS":
                    self.vector(key, value, lambda inner: inner == "PORT")
                elif key == "OS":
                    self.os(value, disks, nics)
                elif key == "PCI":
                    self.vector(key, value, lambda inner: inner in PCI or inner.startswith("VM_"))
                elif key == "SCHED_ACTION":
                    self.action(value)
                elif key in TOP or key.startswith("VROUTER_"):
                    self.drop(template, key, "rule")
                else:
                    self.attribute(key, value)
        user = vm.USER_TEMPLATE or {}
        for key, values in user.items():
            for value in values if isinstance(values, list) else [values]:
                if key in TOP or key.startswith("VROUTER_") or key in ACTS:
                    self.drop(user, key, "rule")
                else:
                    self.attribute(key, value)
        self.rest.sort(key=lambda attribute: attribute[0])
        return [("NAME", self.name)] + self.rest


def convert(answer, take):
    vms = images = changes = 0
    for vm in bindings.parseString(answer).VM:
        conversion = PyoneConversion(vm)
        take(write(conversion.run()))
        for image in conversion.images:
            take(write(image))
        vms += 1
        images += len(conversion.images)
        changes += len(conversion.changes)
    return vms, images, changes


if __name__ == "__main__":
    main(convert)
