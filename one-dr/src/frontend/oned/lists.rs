//! Pools and single objects, as documents.

use opennebula_meta::document::{Document, Pool};

use super::super::xmlrpc::Value;
use super::super::{Error, Result};
use super::Oned;

/// `NO_EXISTS`
const NO_EXISTS: i64 = 1024;
/// All objects, whoever owns them.
const ALL: i64 = -2;
/// VMs in any state but DONE.
const NOT_DONE: i64 = -1;

/// A pool that can be asked for in parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filtered {
    pub(super) method: &'static str,
    pub(super) of_vms: bool,
}

impl Oned {
    /// The document in the answer to a read.
    fn text(&self, method: &'static str, arguments: &[Value], within: std::time::Duration) -> Result<String> {
        match self.read(method, arguments, within)? {
            Value::Text(text) => Ok(text),
            _ => Err(self.unreadable(method, "no document")),
        }
    }

    /// One object; nothing if there is none of this number.
    pub(super) fn object<T>(&self, method: &'static str, arguments: &[Value]) -> Result<Option<T>>
    where
        T: TryFrom<Document, Error = opennebula_meta::document::Error>,
    {
        let text = match self.text(method, arguments, self.options.read_within) {
            Err(Error::Refused { code: NO_EXISTS, .. }) => return Ok(None),
            other => other?,
        };
        let document = Document::parse(&text).and_then(T::try_from);
        document.map(Some).map_err(|error| self.unreadable(method, error))
    }

    /// All objects of a pool that is asked for as a whole. What else is in it (`QUOTAS`) is left out.
    pub(super) fn whole_pool(&self, method: &'static str, element: &str) -> Result<Vec<Document>> {
        let mut found = Vec::new();
        let text = self.text(method, &[], self.options.list_within)?;
        for document in Pool::new(text.as_bytes()) {
            let document = document.map_err(|error| self.unreadable(method, error))?;
            if document.root().name() == element {
                found.push(document);
            }
        }
        Ok(found)
    }

    /// All objects of a pool, newest first.
    ///
    /// A small pool comes at once, as OpenNebula's database has it at one moment. A large one comes in ranges of numbers:
    /// what is deleted in between cannot hide its neighbour, as it would with pages that are counted.
    pub(super) fn pool<T>(&self, pool: Filtered) -> Result<Vec<T>>
    where
        T: TryFrom<Document, Error = opennebula_meta::document::Error>,
    {
        let page = i64::from(self.options.page.max(1));
        let newest = self.newest(pool)?;
        let mut ranges = vec![(-1, -1)];
        if let Some(newest) = newest.filter(|newest| *newest >= page) {
            // The last range is open: what was made since is in it.
            let starts = (0..=newest / page).rev().map(|at| at * page);
            ranges = starts
                .map(|start| (start, if start + page > newest { -1 } else { start + page - 1 }))
                .collect();
        }
        let mut found = Vec::new();
        for (start, end) in ranges {
            for document in self.part(pool, start, end)? {
                found.push(T::try_from(document).map_err(|error| self.unreadable(pool.method, error))?);
            }
        }
        Ok(found)
    }

    /// The highest number in the pool, if OpenNebula lists from there (`API_LIST_ORDER`, by default). `end` below -1 asks for a
    /// page: so many objects from an offset.
    fn newest(&self, pool: Filtered) -> Result<Option<i64>> {
        let two = self.part(pool, 0, -2)?;
        let id = |at: usize| two.get(at)?.root().value("ID")?.parse::<i64>().ok();
        Ok(id(0).filter(|first| id(1).is_some_and(|second| second < *first)))
    }

    fn part(&self, pool: Filtered, start: i64, end: i64) -> Result<Vec<Document>> {
        let mut arguments = vec![Value::Int(ALL), Value::Int(start), Value::Int(end)];
        if pool.of_vms {
            arguments.push(Value::Int(NOT_DONE));
        }
        let text = self.text(pool.method, &arguments, self.options.list_within)?;
        let documents: std::result::Result<_, _> = Pool::new(text.as_bytes()).collect();
        documents.map_err(|error| self.unreadable(pool.method, error))
    }
}
