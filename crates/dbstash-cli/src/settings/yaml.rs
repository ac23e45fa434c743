//! YAML as a tree in which every node knows where it stands.
//!
//! Aliases share what they stand for, so that a tree is never larger than its text; merge keys
//! (`<<`) copy, within a bound.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

/// Deeper than any settings are.
const DEEPEST: usize = 32;
/// How many keys merging may copy, in all.
const MOST_MERGED: usize = 1_000_000;

/// A place in a text; both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    pub(super) line: u32,
    pub(super) column: u32,
}

/// Something wrong, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) at: At,
    pub(super) text: String,
}

/// A node of the tree. Not `Debug`: it may hold a secret.
pub(super) struct Node {
    pub(super) at: At,
    pub(super) value: Value,
}

/// What a node is.
pub(super) enum Value {
    /// Its text as it was written, without quotes.
    Scalar { text: String, plain: bool },
    /// In order.
    List(Vec<Rc<Node>>),
    /// In order; keys are unique.
    Map(Vec<(Key, Rc<Node>)>),
}

/// A key of a map, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) at: At,
    pub(super) text: Rc<str>,
}

impl Value {
    /// For messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Scalar { .. } => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// Whether this is `null`, however it is written.
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Scalar { text, plain: true }
            if ["", "~", "null", "Null", "NULL"].contains(&text.as_str()))
    }
}

/// The tree of a text with one document, `None` for an empty one; and what is wrong with it
/// without making it unreadable. A text that is no YAML is an error.
pub(super) fn parse(text: &str) -> Result<(Option<Rc<Node>>, Vec<Wrong>), Wrong> {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) =
            event.map_err(|e| Wrong { at: at(*e.marker()), text: e.info().to_owned() })?;
        builder.event(event, at(span.start))?;
    }
    Ok((builder.root, builder.wrong))
}

fn at(marker: Marker) -> At {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    At { line: number(marker.line()), column: number(marker.col() + 1) }
}

/// A list or map whose end has not come yet.
struct Open {
    at: At,
    anchor: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Rc<Node>>),
    Map(OpenMap),
}

#[derive(Default)]
struct OpenMap {
    entries: Vec<(Key, Rc<Node>)>,
    /// The keys so far, with their lines.
    known: HashMap<Rc<str>, u32>,
    merged: Vec<(At, Rc<Node>)>,
    /// The key whose value comes next.
    key: Option<Key>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
    merged: usize,
    wrong: Vec<Wrong>,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, at: At) -> Result<(), Wrong> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.tag(tag.as_deref(), at);
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let mut text = text.into_owned();
                if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded)
                    && text.ends_with('\n')
                {
                    text.pop();
                }
                self.node(Rc::new(Node { at, value: Value::Scalar { text, plain } }), anchor, at)?;
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).map(Rc::clone) else {
                    return Err(wrong(at, "an alias of something that it is a part of"));
                };
                self.node(node, 0, at)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.tag(tag.as_deref(), at);
                self.begin(Open { at, anchor, kind: Kind::List(Vec::new()) })?;
            }
            Event::MappingStart(anchor, tag) => {
                self.tag(tag.as_deref(), at);
                self.begin(Open { at, anchor, kind: Kind::Map(OpenMap::default()) })?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    let value = match open.kind {
                        Kind::List(items) => Value::List(items),
                        Kind::Map(map) => self.merge(map)?,
                    };
                    self.node(Rc::new(Node { at: open.at, value }), open.anchor, open.at)?;
                }
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                return Err(wrong(at, "a second document; accepted is one"));
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, open: Open) -> Result<(), Wrong> {
        if self.open.len() == DEEPEST {
            return Err(wrong(open.at, "nested too deeply"));
        }
        self.open.push(open);
        Ok(())
    }

    fn tag(&mut self, tag: Option<&Tag>, at: At) {
        const KNOWN: [&str; 7] = ["str", "int", "float", "bool", "null", "map", "seq"];
        let odd = tag.filter(|tag| {
            let core = tag.is_yaml_core_schema() && KNOWN.contains(&tag.suffix.as_str());
            let text = tag.handle.is_empty() && tag.suffix == "!";
            !(core || text)
        });
        if let Some(tag) = odd {
            let text = format!("the tag {}{} means nothing here", tag.handle, tag.suffix);
            self.wrong.push(Wrong { at, text });
        }
    }

    /// A node is whole: `at` is where it is used, which for an alias is not where it stands.
    fn node(&mut self, node: Rc<Node>, anchor: usize, at: At) -> Result<(), Wrong> {
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.kind {
            Kind::List(items) => items.push(node),
            Kind::Map(map) => match map.key.take() {
                Some(key) if &*key.text == "<<" => map.merged.push((at, node)),
                Some(key) => {
                    if let Some(line) = map.known.get(&key.text) {
                        let text = format!("{} is here twice, first in line {line}", key.text);
                        self.wrong.push(Wrong { at: key.at, text });
                    } else {
                        map.known.insert(Rc::clone(&key.text), key.at.line);
                        map.entries.push((key, node));
                    }
                }
                None => match &node.value {
                    Value::Scalar { text, .. } => {
                        map.key = Some(Key { at, text: Rc::from(text.as_str()) });
                    }
                    other => {
                        let text = format!("{} as a key; accepted is a name", other.kind());
                        return Err(Wrong { at, text });
                    }
                },
            },
        }
        Ok(())
    }

    /// A map with what is merged into it: its own keys win, then those merged first.
    fn merge(&mut self, map: OpenMap) -> Result<Value, Wrong> {
        let OpenMap { mut entries, mut known, merged, .. } = map;
        for (at, node) in merged {
            let sources = match &node.value {
                Value::List(items) => items.clone(),
                _ => vec![node],
            };
            for source in sources {
                let Value::Map(more) = &source.value else {
                    let text = format!("<< merges maps, and this is {}", source.value.kind());
                    self.wrong.push(Wrong { at, text });
                    continue;
                };
                self.merged += more.len();
                if self.merged > MOST_MERGED {
                    return Err(wrong(at, "merging makes this too large"));
                }
                for (key, value) in more {
                    if !known.contains_key(&key.text) {
                        known.insert(Rc::clone(&key.text), key.at.line);
                        entries.push((key.clone(), Rc::clone(value)));
                    }
                }
            }
        }
        Ok(Value::Map(entries))
    }
}

fn wrong(at: At, text: &str) -> Wrong {
    Wrong { at, text: text.to_owned() }
}
