//! The pools (`one.vmpool.infoextended`, `oneimage list -x`, ...), one object at a time.

use std::io::BufRead;

use super::{
    Document, Error, Limits, Why,
    build::Builder,
    json,
    xml::{Step, Tokens},
};

/// The objects of a pool in XML, read as a stream: memory holds one object, whatever the pool's length.
///
/// A document that is no pool (its root is not `..._POOL`) is refused with [`Why::Root`]. After an error the stream
/// ends: what follows a malformed object cannot be trusted.
///
/// ```
/// use opennebula_meta::document::Pool;
///
/// let pool = "<IMAGE_POOL><IMAGE><ID>1</ID></IMAGE><IMAGE><ID>0</ID></IMAGE></IMAGE_POOL>";
/// let ids: Result<Vec<String>, _> =
///     Pool::new(pool.as_bytes()).map(|image| Ok(image?.root().required("ID")?.to_owned())).collect();
/// assert_eq!(ids?, ["1", "0"]);
/// # Ok::<(), opennebula_meta::document::Error>(())
/// ```
#[derive(Debug)]
pub struct Pool<R> {
    tokens: Tokens<R>,
    limits: Limits,
    state: State,
    /// The object before. Where its reader has let go of it, the next one is read into its memory.
    last: Option<Document>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    BeforeRoot,
    InRoot,
    AfterRoot,
    Over,
}

impl<R: BufRead> Pool<R> {
    /// Reads a pool within the default [`Limits`] on each object.
    pub fn new(input: R) -> Self {
        Self::within(input, &Limits::default())
    }

    /// Reads a pool within these bounds on each object.
    pub fn within(input: R, limits: &Limits) -> Self {
        Self { tokens: Tokens::new(input, limits), limits: *limits, state: State::BeforeRoot, last: None }
    }

    fn read(&mut self) -> Result<Option<Document>, Error> {
        let mut root = Builder::new(&self.limits, 0, 0);
        while self.state == State::BeforeRoot {
            match self.tokens.step(&mut root, true)? {
                Step::Open => {
                    self.check_root(&root)?;
                    self.tokens.enter_pool(&root);
                    self.state = State::InRoot;
                }
                Step::Closed => {
                    self.check_root(&root)?;
                    self.state = State::AfterRoot;
                }
                Step::Inside => {}
                Step::End => return Err(self.tokens.error(&root, Why::Truncated)),
            }
        }
        self.tokens.start_object();
        let reused = self.last.take().and_then(|last| Builder::reusing(&self.limits, last));
        let mut object = reused.unwrap_or_else(|| Builder::new(&self.limits, 8192, 256));
        while self.state == State::InRoot {
            let before = object.depth();
            match self.tokens.step(&mut object, true)? {
                Step::Closed if before == 0 && object.is_empty() => self.state = State::AfterRoot,
                Step::Closed if object.depth() == 0 => {
                    let document = self.tokens.finish(object);
                    self.last = Some(document.clone());
                    return Ok(Some(document));
                }
                Step::End => return Err(self.tokens.error(&object, Why::Truncated)),
                Step::Open | Step::Closed | Step::Inside => {}
            }
        }
        while self.state == State::AfterRoot {
            if self.tokens.step(&mut object, false)? == Step::End {
                self.state = State::Over;
            }
        }
        Ok(None)
    }

    fn check_root(&self, root: &Builder) -> Result<(), Error> {
        let name = self.tokens.root_name(root);
        if name.ends_with("_POOL") {
            return Ok(());
        }
        Err(self.tokens.error(root, Why::Root { expected: "..._POOL", found: name.to_owned() }))
    }
}

impl<R: BufRead> Iterator for Pool<R> {
    type Item = Result<Document, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Over {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.state = State::Over;
        }
        read.transpose()
    }
}

/// The objects of a pool held as text, in XML or JSON; a single object counts as a pool of one.
///
/// # Errors
/// See [`Why`]; the first object that cannot be read ends it.
pub fn pool(text: &str) -> Result<Vec<Document>, Error> {
    let limits = Limits::default();
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    if body.trim_start().starts_with('{') {
        return json::parse_pool(body, &limits);
    }
    match Pool::within(body.as_bytes(), &limits).collect() {
        Err(Error { why: Why::Root { .. }, .. }) => {
            Document::parse_within(body, &limits).map(|only| vec![only])
        }
        read => read,
    }
}
