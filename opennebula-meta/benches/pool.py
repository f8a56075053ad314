"""The peer of benches/pool.rs: the same conversion of a pool of extended VMs, written as one writes it in Python.

One pass with lxml.etree.iterparse, a VM at a time, freed when it is done. As on the Rust side, a change holds its
element, and its path and value are made when somebody asks.

`pool.py time POOL` prints seconds of processor time; `pool.py check POOL` prints VMs, images, changes and the SHA-256 of all
templates, which must be that of the Rust side.
"""
import hashlib
import io
import re
import sys
import time

from lxml import etree

SUFFIX = "-rep"
TOP = {"VMID", "AUTOMATIC_REQUIREMENTS", "AUTOMATIC_DS_REQUIREMENTS", "AUTOMATIC_NIC_REQUIREMENTS",
       "SECURITY_GROUP_RULE", "NUMA_NODE", "TM_MAD_SYSTEM", "TEMPLATE_ID", "CLONING_TEMPLATE_ID", "CREATED_BY",
       "SNAPSHOT", "SUBMIT_ON_HOLD", "IMPORTED", "RESIZE", "ERROR", "SCHED_MESSAGE", "DEPLOY_ID"}
ACTS = {"NAME", "CPU", "VCPU", "VCPU_MAX", "MEMORY", "MEMORY_MAX", "MEMORY_SLOTS", "MEMORY_RESIZE_MODE", "DISK", "NIC",
        "NIC_ALIAS", "NIC_DEFAULT", "PCI", "CONTEXT", "OS", "GRAPHICS", "VIDEO", "FEATURES", "INPUT", "RAW",
        "CPU_MODEL", "TOPOLOGY", "HYPERV_OPTIONS", "SPICE_OPTIONS", "EMULATOR", "TPM", "VMGROUP", "SCHED_ACTION",
        "BACKUP_CONFIG"}
DISK = {"DISK_ID", "IMAGE_ID", "IMAGE_UID", "DATASTORE_ID", "CLUSTER_ID", "SOURCE", "CLONE", "SAVE", "DRIVER", "FORMAT",
        "TYPE", "PERSISTENT", "SIZE", "ORIGINAL_SIZE", "FS", "LUKS_SECRET", "IMAGE_STATE", "DATASTORE", "POOL_NAME",
        "EC_POOL_NAME", "RBD_FORMAT", "ALLOW_ORPHANS", "PERSISTENT_SNAPSHOTS", "BRIDGE_LIST", "SPARSE",
        "QCOW2_STANDALONE", "ORDER", "CLONING", "ATTACH", "RESIZE", "SIZE_PREV", "DISK_SNAPSHOT_TOTAL_SIZE",
        "DISK_SNAPSHOT_ACTIVE", "DISK_SNAPSHOT_ID", "OPENNEBULA_MANAGED"}
DISK_PREFIXES = ("HOTPLUG_SAVE_AS", "CEPH_", "TM_MAD", "DISK_TYPE", "CLONE_TARGET", "LN_TARGET", "ISCSI_", "GLUSTER_")
NIC = {"NETWORK_ID", "NIC_ID", "AR_ID", "CLUSTER_ID", "ALIAS_ID", "ALIAS_IDS", "PARENT_ID", "PARENT_NETWORK_ID",
       "NETWORK_UID", "ORDER", "ATTACH", "DETACH", "UPDATE", "OPENNEBULA_MANAGED", "VN_MAD", "PHYDEV", "VLAN_ID",
       "OUTER_VLAN_ID", "GATEWAY", "GATEWAY6", "DNS", "NETWORK_ADDRESS", "NETWORK_MASK", "PREFIX_LENGTH", "GUEST_MTU",
       "SEARCH_DOMAIN", "METHOD", "METRIC", "EXTERNAL", "VROUTER_IP", "VROUTER_IP6", "MTU", "CONF", "OVS_BRIDGE_CONF",
       "IP_LINK_CONF", "VLAN_TAGGED_ID", "CVLANS", "QINQ_TYPE", "EXTERNAL_IP", "ROUTES", "NETWORK_MODE"}
PCI = {"PCI_ID", "ADDRESS", "PREV_ADDRESS", "DOMAIN", "BUS", "SLOT", "FUNCTION", "NUMA_NODE", "UUID"}
ROOT = {"NAME", "TEMPLATE", "USER_TEMPLATE", "BACKUPS"}
BACKUP = {"BACKUP_VOLATILE", "FS_FREEZE", "KEEP_LAST", "MODE", "INCREMENT_MODE"}
CARD = re.compile(r"ETH\d+_")
DEVICE = re.compile(r"PCI\d+_")
DOLLAR = re.compile(r"(?<!\\)(?:\\\\)*\$")


def text(element):
    return element.text or ""


class Conversion:
    def __init__(self, vm):
        self.vm = vm
        self.changes = []
        self.rest = []
        self.images = []

    def drop(self, element, reason):
        self.changes.append((element, "dropped", reason))

    def change(self, element, reason, now):
        self.changes.append((element, "changed", reason, now))

    def vector(self, element, dropped):
        pairs = []
        for field in element:
            if dropped(field.tag):
                self.drop(field, "rule")
            else:
                pairs.append((field.tag, text(field)))
        if pairs:
            self.rest.append((element.tag, pairs))

    def disk(self, element, number):
        fields = {field.tag: text(field) for field in element}
        has_image = any(fields.get(key) for key in ("CLONE", "SOURCE", "IMAGE", "IMAGE_ID"))
        pairs = []
        if not has_image:
            for field in element:
                if field.tag not in ("TYPE", "SIZE", "FORMAT", "FS") and self.disk_drops(field.tag):
                    self.drop(field, "rule")
                else:
                    pairs.append((field.tag, text(field)))
            self.change(element, "empty", "empty")
            self.rest.append(("DISK", pairs))
            return
        clone = fields["CLONE"].upper() == "YES"
        cdrom = fields.get("TYPE", "").endswith("CDROM")
        disk_id = fields["DISK_ID"]
        source = fields["SOURCE"]
        if clone:
            source = "%s-%s-%s" % (source, self.vm_id, disk_id)
            name = self.name if disk_id == "0" else "%s-disk-%s" % (self.name, disk_id)
            owner = self.owner
        else:
            name = fields["IMAGE"] + SUFFIX
            owner = fields.get("IMAGE_UNAME") or self.owner
        boot = self.vm.findtext("TEMPLATE/OS/BOOT")
        booted = "disk" + disk_id in boot.split(",") if boot else disk_id == "0"
        image_type = "CDROM" if cdrom else "OS" if booted else "DATABLOCK"
        image = [("NAME", name), ("TYPE", image_type), ("PERSISTENT", "no" if cdrom else "yes"), ("SOURCE", source),
                 ("FORMAT", fields.get("FORMAT") or "raw"), ("SIZE", str(int(fields["SIZE"])))]
        if fields.get("DEV_PREFIX"):
            image.append(("DEV_PREFIX", fields["DEV_PREFIX"]))
        self.images.append(image)
        if fields["IMAGE"] != name:
            self.change(element.find("IMAGE"), "mapped", name)
        pairs += [("IMAGE", name), ("IMAGE_UNAME", owner)]
        for field in element:
            tag = field.tag
            if tag == "IMAGE":
                continue
            if tag == "IMAGE_UNAME":
                if text(field) != owner:
                    self.change(field, "mapped", owner)
            elif tag == "READONLY" and (cdrom or text(field).upper() != "YES") or self.disk_drops(tag):
                self.drop(field, "rule")
            else:
                pairs.append((tag, text(field)))
        self.rest.append(("DISK", pairs))

    @staticmethod
    def disk_drops(tag):
        return tag in DISK or tag.startswith(DISK_PREFIXES)

    def card(self, element, alias, renamed):
        fields = {field.tag: text(field) for field in element}
        owner = fields.get("NETWORK_UNAME")
        if not owner:
            owner = "oneadmin"
            self.changes.append((element, "added", "NETWORK_UNAME", owner))
        kept = next((key for key in ("IP", "IP6", "MAC") if fields.get(key)), None)
        pairs = [("NETWORK", fields["NETWORK"]), ("NETWORK_UNAME", owner)]
        for field in element:
            tag, value = field.tag, text(field)
            if tag in ("NETWORK", "NETWORK_UNAME"):
                continue
            if tag in ("IP", "IP6", "MAC"):
                dropped = tag != kept
            elif tag == "SECURITY_GROUPS" or tag == "NAME" and value.startswith("NIC"):
                dropped = True
            elif tag == "TARGET" and value.startswith("one-"):
                dropped = True
            elif tag == "PARENT" and alias:
                now = renamed.get(value, value)
                if now != value:
                    self.change(field, "renumbered", now)
                pairs.append(("PARENT", now))
                continue
            else:
                dropped = (tag in NIC or tag.startswith(("BRIDGE", "VXLAN_", "IP6_")) or tag.endswith("_AUTOMATIC"))
            if dropped:
                self.drop(field, "rule")
            else:
                pairs.append((tag, value))
        self.rest.append((element.tag, pairs))

    def context(self, element):
        written = (element.findtext("NETWORK") or "").upper() == "YES"
        pairs = []
        for field in element:
            tag, value = field.tag, text(field)
            if tag in ("DISK_ID", "VMID", "ONEGATE_ENDPOINT", "FILES") or DEVICE.match(tag) or (
                    written and CARD.match(tag)):
                self.drop(field, "rule")
            elif tag == "PASSWORD" and value:
                self.drop(field, "cipher text")
            elif "@^_^@" in value:
                raise ValueError(tag)
            elif DOLLAR.search(value):
                self.drop(field, "dollar")
            else:
                pairs.append((tag, value))
        if pairs:
            self.rest.append(("CONTEXT", pairs))

    def boot(self, value, disks, nics):
        devices = []
        for device in value.split(","):
            kind = disks if device.startswith("disk") else nics if device.startswith("nic") else None
            if kind is None:
                devices.append(device)
            elif device in kind:
                devices.append(kind[device])
        return ",".join(devices)

    def run(self):
        vm = self.vm
        self.vm_id = vm.findtext("ID")
        self.owner = vm.findtext("UNAME")
        self.name = vm.findtext("NAME") + SUFFIX
        self.change(vm.find("NAME"), "mapped", self.name)
        for field in vm:
            if field.tag not in ROOT:
                self.drop(field, "root")
        template = vm.find("TEMPLATE")
        disks, nics, renamed = {}, {}, {}
        for number, disk in enumerate(template.iterfind("DISK")):
            disks["disk" + disk.findtext("DISK_ID")] = "disk%d" % number
            self.disk(disk, number)
        for number, nic in enumerate(template.iterfind("NIC")):
            nic_id = nic.findtext("NIC_ID")
            nics["nic" + nic_id] = "nic%d" % number
            if (nic.findtext("NAME") or "NIC").startswith("NIC"):
                renamed["NIC" + nic_id] = "NIC%d" % number
            self.card(nic, False, renamed)
        for alias in template.iterfind("NIC_ALIAS"):
            self.card(alias, True, renamed)
        context = template.find("CONTEXT")
        if context is not None:
            self.context(context)
        for field in template:
            tag = field.tag
            if tag in ("DISK", "NIC", "NIC_ALIAS", "CONTEXT"):
                continue
            if tag == "GRAPHICS":
                self.vector(field, lambda key: key == "PORT")
            elif tag == "OS":
                pairs = []
                for inner in field:
                    value = text(inner)
                    if inner.tag.startswith(("KERNEL_DS_", "INITRD_DS_")):
                        self.drop(inner, "rule")
                        continue
                    if inner.tag == "BOOT":
                        now = self.boot(value, disks, nics)
                        if now != value:
                            self.change(inner, "renumbered", now)
                            value = now
                    pairs.append((inner.tag, value))
                if pairs:
                    self.rest.append(("OS", pairs))
            elif tag == "PCI":
                self.vector(field, lambda key: key in PCI or key.startswith("VM_"))
            elif tag == "SCHED_ACTION":
                pairs = []
                for inner in field:
                    if inner.tag in ("ID", "PARENT_ID", "TYPE", "DONE", "MESSAGE", "WARNING"):
                        self.drop(inner, "rule")
                    elif text(inner):
                        pairs.append((inner.tag, text(inner)))
                self.rest.append(("SCHED_ACTION", pairs))
            elif tag in TOP or tag.startswith("VROUTER_"):
                self.drop(field, "rule")
            elif len(field):
                self.vector(field, lambda key: False)
            else:
                self.rest.append((tag, text(field)))
        for field in vm.find("USER_TEMPLATE"):
            tag = field.tag
            if tag in TOP or tag.startswith("VROUTER_") or tag in ACTS:
                self.drop(field, "rule")
            elif len(field):
                self.vector(field, lambda key: False)
            else:
                self.rest.append((tag, text(field)))
        config = vm.find("BACKUPS/BACKUP_CONFIG")
        if config is not None:
            self.vector(config, lambda key: key not in BACKUP)
        for backup in vm.iterfind("BACKUPS/BACKUP_IDS/ID"):
            self.drop(backup, "rule")
        self.rest.sort(key=lambda attribute: attribute[0])
        return [("NAME", self.name)] + self.rest


def write(attributes):
    out = ["<TEMPLATE>"]
    for key, value in attributes:
        if isinstance(value, str):
            out.append("<%s><![CDATA[%s]]></%s>" % (key, check(value), key))
            continue
        out.append("<%s>" % key)
        for inner, value in value:
            out.append("<%s><![CDATA[%s]]></%s>" % (inner, check(value), inner))
        out.append("</%s>" % key)
    out.append("</TEMPLATE>")
    return "".join(out).encode()


def check(value):
    if "]]>" in value:
        raise ValueError("]]>")
    return value


def convert(answer, take):
    vms = images = changes = 0
    for _, vm in etree.iterparse(io.BytesIO(answer), tag="VM"):
        if vm.getparent() is None or vm.getparent().tag != "VM_POOL":
            continue
        conversion = Conversion(vm)
        take(write(conversion.run()))
        for image in conversion.images:
            take(write(image))
        vms += 1
        images += len(conversion.images)
        changes += len(conversion.changes)
        vm.clear()
        while vm.getprevious() is not None:
            del vm.getparent()[0]
    return vms, images, changes


def main(convert):
    with open(sys.argv[2], "rb") as file:
        answer = file.read()
    if sys.argv[1] == "time":
        start = time.process_time()
        convert(answer, len)
        print(time.process_time() - start)
    else:
        digest = hashlib.sha256()
        print(*convert(answer, digest.update), digest.hexdigest())


if __name__ == "__main__":
    main(convert)
