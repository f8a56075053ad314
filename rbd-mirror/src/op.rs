//! The operations of this crate, as errors and spans name them.

use std::fmt;

macro_rules! ops {
    ($($name:ident = $word:literal),+ $(,)?) => {
        /// An operation, as an error names it. Shown in words, close to those of the `rbd` command.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Op {
            $(#[doc = concat!("`", $word, "`")] $name),+
        }

        impl Op {
            /// The operation in words.
            #[must_use]
            #[inline]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word),+
                }
            }
        }
    };
}

ops! {
    Connect = "connect", MonCommand = "mon command", MgrCommand = "mgr command", Blocklist = "blocklist",
    ListPools = "list pools", OpenPool = "open pool", InitPool = "init pool",
    SiteName = "site name", SetSiteName = "set site name",
    PoolMode = "mirror mode", SetPoolMode = "set mirror mode", MirrorUuid = "mirror uuid",
    Peers = "list peers", AddPeer = "add peer", ChangePeer = "change peer", RemovePeer = "remove peer",
    CreateBootstrapToken = "create bootstrap token", ImportBootstrapToken = "import bootstrap token",
    RemoteNamespace = "remote namespace",
    ListImages = "list images", CreateImage = "create image", CloneImage = "clone image", RemoveImage = "remove image",
    RenameImage = "rename image", OpenImage = "open image", CloseImage = "close image", FindImage = "find image",
    Namespaces = "namespaces", PoolMetadata = "pool metadata", Trash = "trash",
    ImageInfo = "image info", UpdateFeatures = "update features", Resize = "resize", Read = "read", Write = "write",
    Flush = "flush", Discard = "discard", ImageMetadata = "image metadata",
    Snapshots = "list snapshots", CreateSnapshot = "create snapshot", RemoveSnapshot = "remove snapshot",
    ProtectSnapshot = "protect snapshot", UnprotectSnapshot = "unprotect snapshot",
    Watchers = "list watchers", LockOwners = "list lock owners", BreakLock = "break lock",
    AcquireLock = "acquire lock", ReleaseLock = "release lock", AdvisoryLock = "advisory lock",
    Copy = "copy", DeepCopy = "deep copy", Sparsify = "sparsify", ObjectMap = "object map", Diff = "diff",
    RollBack = "roll back", RenameSnapshot = "rename snapshot", SnapshotLimit = "snapshot limit",
    WriteZeroes = "write zeroes", Config = "configuration", PurgeTrash = "purge trash", Schedule = "snapshot schedule",
    Enable = "enable", Disable = "disable", Flatten = "flatten", Promote = "promote", Demote = "demote",
    Resync = "resync", MirrorInfo = "mirror info", ImageMode = "image mirror mode", Status = "status",
    StatusList = "status list", StatusSummary = "status summary", InstanceId = "instance id", ListMirrored = "list mirrored images",
    MirrorSnapshot = "mirror snapshot", Journal = "read journal", HealJournal = "remove orphan journal",
    DaemonStatus = "daemon status", TakeOver = "take over", Wait = "wait",
    ReadObject = "read object", WriteObject = "write object", LockObject = "lock object",
}

impl fmt::Display for Op {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
