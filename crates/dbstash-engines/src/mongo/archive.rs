//! mongodump's archive (`--archive`), read as it passes: its prelude, and blocks of documents.
//!
//! A magic number; a prelude: a header document and one for each namespace to come, up to a terminator; then blocks: a
//! header that names a namespace, documents of it, and a terminator. The blocks of several namespaces take turns. The
//! last one of each has no documents but the sum of all that went before. mongorestore refuses an archive in which a
//! promised namespace does not come to its end, and so does this.

use std::collections::{BTreeMap, HashMap, HashSet};

use dbstash_core::engine::{Check, Incomplete, Passed};

use super::bson::{self, Value};
use super::crc64::Crc64;

const MAGIC: u32 = 0x8199_e26d;
const TERMINATOR: u32 = u32::MAX;
/// The data of a time series are in this collection, unless the server is 8.3 or newer.
const BUCKETS: &str = "system.buckets.";

/// Follows the stream. Of the data only lengths and sums are looked at; at most one document of the prelude is kept.
pub(super) struct Archive {
    /// How many documents each namespace has: who counts leaves sums to others.
    counted: Option<BTreeMap<String, u64>>,
    /// Documents of the block at hand.
    documents: u64,
    state: State,
    /// The part of the length or document that has come.
    field: Vec<u8>,
    /// How long the document in `field` will be; 0 while its length is read.
    length: usize,
    /// How much of a data document is to come.
    left: usize,
    /// Whose data these are, and their sum so far.
    current: (String, Crc64),
    promised: Vec<Promise>,
    open: HashMap<String, Crc64>,
    closed: HashSet<String>,
    server_version: Option<String>,
    tool_version: Option<String>,
    /// The database that has to be in it.
    database: Option<String>,
    broken: Option<String>,
}

/// A namespace of the prelude.
struct Promise {
    database: String,
    collection: String,
    is_time_series: bool,
    is_view: bool,
}

/// What is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Magic,
    /// The first document of the prelude.
    Header,
    /// A namespace of the prelude, or its end.
    Promises,
    /// A block, or the end of the archive.
    Block,
    /// A document of the current namespace, or the end of the block.
    Data,
    /// The end of a namespace's last block.
    Closing,
}

impl Archive {
    /// For an archive of this database, or of all.
    pub(super) fn new(database: Option<&str>) -> Self {
        Self {
            counted: None,
            documents: 0,
            state: State::Magic,
            field: Vec::new(),
            length: 0,
            left: 0,
            current: Default::default(),
            promised: Vec::new(),
            open: HashMap::new(),
            closed: HashSet::new(),
            server_version: None,
            tool_version: None,
            database: database.map(str::to_owned),
            broken: None,
        }
    }

    /// For an archive whose documents are only counted.
    pub(super) fn to_count() -> Self {
        Self { counted: Some(BTreeMap::new()), ..Self::new(None) }
    }

    /// How many documents there are by namespace, if it is whole; a view has none.
    pub(super) fn counted(mut self) -> Option<BTreeMap<String, u64>> {
        let mut counted = self.counted.take().filter(|_| self.is_over())?;
        for Promise { database, collection, .. } in self.promised.iter().filter(|p| p.is_view) {
            counted.remove(&format!("{database}.{collection}"));
        }
        Some(counted)
    }

    fn is_over(&self) -> bool {
        self.state == State::Block && self.field.is_empty() && self.length == 0
    }

    /// The next bytes; what is wrong with them.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let (data, rest) = bytes.split_at(self.left.min(bytes.len()));
                bytes = rest;
                self.left -= data.len();
                if self.counted.is_none() {
                    self.current.1.update(data);
                }
                if self.left == 0 && data.last() != Some(&0) {
                    return Err("a document does not end where it says".to_owned());
                }
                continue;
            }
            let wanted = if self.length > 0 { self.length } else { 4 };
            let (part, rest) = bytes.split_at((wanted - self.field.len()).min(bytes.len()));
            bytes = rest;
            self.field.extend_from_slice(part);
            if self.field.len() < wanted {
                continue;
            }
            if self.length > 0 {
                let document = std::mem::take(&mut self.field);
                self.length = 0;
                self.state = self.document(&document)?;
            } else {
                let word = self.field.first_chunk().map_or(0, |word| u32::from_le_bytes(*word));
                self.word(word)?;
            }
        }
        Ok(())
    }

    /// A length, or one of the marks in its place.
    fn word(&mut self, word: u32) -> Result<(), String> {
        match (self.state, word) {
            (State::Magic, MAGIC) => self.state = State::Header,
            (State::Magic, _) => return Err("it does not begin as one".to_owned()),
            (State::Promises | State::Closing, TERMINATOR) => self.state = State::Block,
            (State::Data, TERMINATOR) => {
                let (namespace, crc) = std::mem::take(&mut self.current);
                self.add(&namespace);
                self.open.insert(namespace, crc);
                self.state = State::Block;
            }
            (State::Closing, _) => return Err("a namespace goes on after its end".to_owned()),
            (State::Data, length) => {
                self.left = bson::document(length, bson::LARGEST)? - 4;
                if self.counted.is_none() {
                    self.current.1.update(&length.to_le_bytes());
                }
                self.documents += 1;
            }
            (State::Header | State::Promises | State::Block, length) => {
                self.length = bson::document(length, bson::LARGEST)?;
                return Ok(());
            }
        }
        self.field.clear();
        Ok(())
    }

    fn document(&mut self, document: &[u8]) -> Result<State, String> {
        let fields = bson::fields(document).ok_or("a document of it is no BSON")?;
        let value = |name: &str| fields.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
        let text = |name: &str| match value(name) {
            Some(Value::Text(text)) => Some(text.to_owned()),
            _ => None,
        };
        let named = || Some((text("db")?, text("collection").filter(|name| !name.is_empty())?));
        match self.state {
            State::Header => {
                self.server_version = text("server_version");
                self.tool_version = text("tool_version");
                Ok(State::Promises)
            }
            State::Promises => {
                let (database, collection) = named().ok_or("its prelude names no namespace")?;
                let is = |wanted: &str| text("type").is_some_and(|kind| kind == wanted);
                let (is_time_series, is_view) = (is("timeseries"), is("view"));
                self.promised.push(Promise { database, collection, is_time_series, is_view });
                Ok(State::Promises)
            }
            _ => {
                let (database, collection) = named().ok_or("a block of it names no namespace")?;
                let namespace = format!("{database}.{collection}");
                if self.closed.contains(&namespace) {
                    return Err(format!("{namespace} goes on after its end"));
                }
                let crc = self.open.remove(&namespace).unwrap_or_default();
                if value("EOF") != Some(Value::Bool(true)) {
                    self.current = (namespace, crc);
                    return Ok(State::Data);
                }
                let Some(Value::Int64(sum)) = value("CRC") else {
                    return Err(format!("the end of {namespace} has no sum"));
                };
                self.add(&namespace);
                if self.counted.is_none() && sum.cast_unsigned() != crc.value() {
                    return Err(format!("the data of {namespace} do not have the sum it says"));
                }
                self.closed.insert(namespace);
                Ok(State::Closing)
            }
        }
    }

    /// The documents of a block.
    fn add(&mut self, namespace: &str) {
        let documents = std::mem::take(&mut self.documents);
        let Some(counted) = &mut self.counted else { return };
        match counted.get_mut(namespace) {
            Some(sum) => *sum += documents,
            None => {
                counted.insert(namespace.to_owned(), documents);
            }
        }
    }

    fn has_come(&self, Promise { database, collection, is_time_series, .. }: &Promise) -> bool {
        self.closed.contains(&format!("{database}.{collection}"))
            || *is_time_series && self.closed.contains(&format!("{database}.{BUCKETS}{collection}"))
    }
}

impl Check for Archive {
    fn feed(&mut self, bytes: &[u8]) {
        if self.broken.is_none() {
            self.broken = self.follow(bytes).err();
        }
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        if let Some(what) = self.broken {
            return Err(Incomplete(format!("it is no mongodump archive: {what}")));
        }
        if !self.is_over() {
            return Err(Incomplete("the archive ends in the middle".into()));
        }
        if let Some(namespace) = self.open.keys().min() {
            return Err(Incomplete(format!("the archive has no end of {namespace}")));
        }
        if let Some(missing) = self.promised.iter().find(|promise| !self.has_come(promise)) {
            let Promise { database, collection, .. } = missing;
            return Err(Incomplete(format!(
                "the archive promises {database}.{collection} and lacks it"
            )));
        }
        if let (Some(database), true) = (&self.database, self.promised.is_empty()) {
            return Err(Incomplete(nothing_of(database)));
        }
        Ok(Passed {
            server_version: self.server_version,
            tool_version: self.tool_version.map(|version| format!("mongodump version {version}")),
            ..Passed::by("blocks")
        })
    }
}

/// mongodump calls it a success. A database without a collection does not exist.
pub(super) fn nothing_of(database: &str) -> String {
    format!(
        "the server has no database '{database}', or nothing in it that would be dumped: check DB_URI, DB_NAME and \
         DUMP_EXTRA_ARGS"
    )
}

#[cfg(test)]
mod tests;
