//! `VNET`: what `onevnet show` says about a virtual network, as far as addresses of VMs depend on it.

use std::{io::BufRead, net::Ipv4Addr};

use crate::{
    document::{Document, Element, Error, Pool, pool},
    id::NetworkId,
    image::expect_root,
    owner::Owner,
};

/// A virtual network as OpenNebula printed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    id: NetworkId,
    document: Document,
}

impl Network {
    /// Reads `onevnet show -x` or `-j`.
    ///
    /// # Errors
    /// See [`Why`](crate::document::Why); of the fields only `ID` and `NAME` must be there.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::try_from(Document::parse(text)?)
    }

    /// Reads a whole pool, XML or JSON.
    ///
    /// # Errors
    /// As [`parse`](Self::parse); the first bad network ends it.
    pub fn parse_pool(text: &str) -> Result<Vec<Self>, Error> {
        pool(text)?.into_iter().map(Self::try_from).collect()
    }

    /// Reads a pool in XML as a stream.
    pub fn stream<R: BufRead>(input: R) -> impl Iterator<Item = Result<Self, Error>> {
        Pool::new(input).map(|document| document.and_then(Self::try_from))
    }

    /// Everything that was printed.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The root element.
    #[must_use]
    pub fn root(&self) -> Element<'_> {
        self.document.root()
    }

    /// `ID`.
    #[must_use]
    pub fn id(&self) -> NetworkId {
        self.id
    }

    /// `NAME`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.root().value("NAME").unwrap_or_default()
    }

    /// `UNAME` and `GNAME`.
    #[must_use]
    pub fn owner(&self) -> Owner {
        Owner::of(self.root())
    }

    /// The address ranges (`AR_POOL/AR`).
    pub fn ranges(&self) -> impl Iterator<Item = AddressRange<'_>> {
        self.root().child("AR_POOL").into_iter().flat_map(|pool| pool.all("AR")).map(|ar| AddressRange { ar })
    }

    /// The MAC that this network gives with `ip`: that of the range's base plus the offset. `None` where no range
    /// holds the address; a lease of it is then refused.
    #[must_use]
    pub fn mac_for(&self, ip: Ipv4Addr) -> Option<String> {
        self.ranges().find_map(|range| range.mac_for(ip))
    }

    /// Whether a lease holds `ip` now.
    #[must_use]
    pub fn is_leased(&self, ip: Ipv4Addr) -> bool {
        let text = ip.to_string();
        self.ranges()
            .filter_map(|range| range.ar.child("LEASES"))
            .flat_map(|leases| leases.all("LEASE"))
            .any(|lease| lease.value("IP") == Some(text.as_str()))
    }
}

impl TryFrom<Document> for Network {
    type Error = Error;

    fn try_from(document: Document) -> Result<Self, Error> {
        let root = document.root();
        expect_root(root, "VNET")?;
        root.required("NAME")?;
        Ok(Self { id: root.required_number("ID")?, document })
    }
}

/// One address range: bases of IP and MAC that move together, and how many.
#[derive(Clone, Copy, Debug)]
pub struct AddressRange<'a> {
    ar: Element<'a>,
}

impl<'a> AddressRange<'a> {
    /// The range's element.
    #[must_use]
    pub fn element(self) -> Element<'a> {
        self.ar
    }

    /// The MAC that this range gives with `ip`.
    #[must_use]
    pub fn mac_for(self, ip: Ipv4Addr) -> Option<String> {
        let first: Ipv4Addr = self.ar.value("IP")?.parse().ok()?;
        let size: u32 = self.ar.value("SIZE")?.parse().ok()?;
        let offset = u32::from(ip).checked_sub(u32::from(first)).filter(|offset| *offset < size)?;
        let mut base = 0_u64;
        let mut parts = 0;
        for part in self.ar.value("MAC")?.split(':') {
            base = base << 8 | u64::from(u8::from_str_radix(part, 16).ok()?);
            parts += 1;
        }
        if parts != 6 {
            return None;
        }
        // OpenNebula counts in the lower four bytes; the prefix stays.
        let low = (base & 0xFFFF_FFFF) + u64::from(offset);
        let mac = (base & !0xFFFF_FFFF) | (low & 0xFFFF_FFFF);
        let [_, _, a, b, c, d, e, f] = mac.to_be_bytes();
        Some(format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"))
    }
}
