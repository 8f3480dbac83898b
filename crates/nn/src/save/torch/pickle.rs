//! Python's pickles as far as tensors need them: a program of opcodes for a machine with a stack, of which nothing is
//! executed here. Names of Python's functions and classes are kept as names, calls of them as calls that nobody makes.
//!
//! The opcodes are those of protocols 2 to 5 in Python's `pickletools`.

use std::collections::HashMap;

/// A value. What has parts is a place in [`Values`], so that copies cost nothing and cycles are harmless.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    Text(&'a str),
    /// A function or class: its module and its name.
    Global(&'a str, &'a str),
    Tuple(usize),
    List(usize),
    Dict(usize),
    /// What a function or class would give for its arguments.
    Call(usize),
    /// What lies elsewhere in the file; its description is a tuple.
    Persistent(usize),
    /// Anything that no tensor needs: a floating-point number, bytes, a set.
    Other,
}

/// The parts of values.
#[derive(Debug, Default)]
pub(super) struct Values<'a> {
    /// Tuples and lists.
    lists: Vec<Vec<Value<'a>>>,
    dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    /// What is called, and the tuple of its arguments.
    calls: Vec<[Value<'a>; 2]>,
    persistent: Vec<Value<'a>>,
}

/// The most opcodes of a pickle. A large net has some ten thousand.
const MOST_STEPS: usize = 1 << 22;

/// One pickle from the beginning of the bytes, which then begin after it.
pub(super) fn load<'a>(bytes: &mut &'a [u8]) -> Result<(Value<'a>, Values<'a>), String> {
    let mut machine = Machine { bytes, ..Machine::default() };
    for _ in 0..MOST_STEPS {
        if let Some(value) = machine.step()? {
            *bytes = machine.bytes;
            return Ok((value, machine.values));
        }
    }
    Err(format!("its pickle has more than {MOST_STEPS} steps"))
}

impl<'a> Values<'a> {
    /// The parts of a tuple or a list.
    pub(super) fn list(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        match value {
            Value::Tuple(at) | Value::List(at) | Value::Persistent(at) => Some(&self.lists[at]),
            _ => None,
        }
    }

    /// The keys and values of a dictionary.
    pub(super) fn dict(&self, value: Value<'a>) -> Option<&[(Value<'a>, Value<'a>)]> {
        if let Value::Dict(at) = value { Some(&self.dicts[at]) } else { None }
    }

    /// All descriptions of what lies elsewhere.
    pub(super) fn persistent(&self) -> &[Value<'a>] {
        &self.persistent
    }

    /// The module and name of what is called, and the arguments.
    pub(super) fn call(&self, value: Value<'a>) -> Option<(&'a str, &'a str, &[Value<'a>])> {
        let Value::Call(at) = value else { return None };
        let [called, arguments] = self.calls[at];
        let (module, name) =
            if let Value::Global(module, name) = called { (module, name) } else { ("", "?") };
        Some((module, name, self.list(arguments).unwrap_or_default()))
    }
}

#[derive(Default)]
struct Machine<'a> {
    bytes: &'a [u8],
    stack: Vec<Value<'a>>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: HashMap<usize, Value<'a>>,
    values: Values<'a>,
}

impl<'a> Machine<'a> {
    /// Carries out one opcode; the result at the last.
    fn step(&mut self) -> Result<Option<Value<'a>>, String> {
        let [code] = self.take()?;
        match code {
            b'.' => return self.pop().map(Some),
            // The protocol, and the length of a frame: nothing to do.
            0x80 => drop(self.take::<1>()?),
            0x95 => drop(self.take::<8>()?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.since_mark()?),
            b'2' => self.push(self.top()?),

            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'J' => {
                let number = i32::from_le_bytes(self.take()?);
                self.push(Value::Int(number.into()));
            }
            b'K' => {
                let [number] = self.take()?;
                self.push(Value::Int(number.into()));
            }
            b'M' => {
                let number = u16::from_le_bytes(self.take()?);
                self.push(Value::Int(number.into()));
            }
            0x8a | 0x8b => {
                let len = if code == 0x8a { self.len::<1>()? } else { self.len::<4>()? };
                let digits = self.slice(len)?;
                self.push(long(digits));
            }
            b'G' => {
                self.take::<8>()?;
                self.push(Value::Other);
            }
            b'X' | 0x8c | 0x8d => {
                let len = match code {
                    b'X' => self.len::<4>()?,
                    0x8c => self.len::<1>()?,
                    _ => self.len::<8>()?,
                };
                let text = std::str::from_utf8(self.slice(len)?)
                    .map_err(|_| "its pickle has a text that is none")?;
                self.push(Value::Text(text));
            }
            // Python 2's texts: old files have names in them.
            b'T' | b'U' => {
                let len = if code == b'T' { self.len::<4>()? } else { self.len::<1>()? };
                let bytes = self.slice(len)?;
                self.push(std::str::from_utf8(bytes).map_or(Value::Other, Value::Text));
            }
            b'B' | b'C' | 0x8e | 0x96 => {
                let len = match code {
                    b'B' => self.len::<4>()?,
                    b'C' => self.len::<1>()?,
                    _ => self.len::<8>()?,
                };
                self.slice(len)?;
                self.push(Value::Other);
            }

            b')' => self.push_tuple(Vec::new()),
            0x85..=0x87 => {
                let len = usize::from(code - 0x84);
                let start = self.stack.len().checked_sub(len).ok_or(EMPTY)?;
                let parts = self.stack.split_off(start);
                self.push_tuple(parts);
            }
            b't' => {
                let parts = self.since_mark()?;
                self.push_tuple(parts);
            }
            b']' => self.push_list(Vec::new()),
            b'l' => {
                let parts = self.since_mark()?;
                self.push_list(parts);
            }
            b'}' => self.push_dict(Vec::new()),
            b'd' => {
                let parts = self.since_mark()?;
                self.push_dict(pairs(&parts));
            }
            // Sets.
            0x8f => self.push(Value::Other),
            0x91 => {
                self.since_mark()?;
                self.push(Value::Other);
            }
            0x90 => drop(self.since_mark()?),
            b'a' => {
                let part = self.pop()?;
                self.append(&[part])?;
            }
            b'e' => {
                let parts = self.since_mark()?;
                self.append(&parts)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let parts = self.since_mark()?;
                self.set_items(&parts)?;
            }

            b'q' => {
                let place = self.len::<1>()?;
                self.memo.insert(place, self.top()?);
            }
            b'r' => {
                let place = self.len::<4>()?;
                self.memo.insert(place, self.top()?);
            }
            0x94 => {
                self.memo.insert(self.memo.len(), self.top()?);
            }
            b'h' | b'j' => {
                let place = if code == b'h' { self.len::<1>()? } else { self.len::<4>()? };
                let value = self.memo.get(&place).ok_or("its pickle remembers what never was")?;
                self.push(*value);
            }

            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(module, name));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (module, name) else {
                    return Err("its pickle names a function by what is no text".to_owned());
                };
                self.push(Value::Global(module, name));
            }
            b'R' | 0x81 => {
                let (arguments, called) = (self.pop()?, self.pop()?);
                self.call(called, arguments);
            }
            0x92 => {
                let (_, arguments, called) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(called, arguments);
            }
            // What is set in an object beside its parts.
            b'b' => drop(self.pop()?),
            b'Q' => match self.pop()? {
                Value::Tuple(at) => {
                    self.push(Value::Persistent(at));
                    self.values.persistent.push(Value::Persistent(at));
                }
                _ => return Err("its pickle describes a storage by what is no tuple".to_owned()),
            },
            _ => return Err(format!("its pickle has the opcode {code:#04x}, which is not read")),
        }
        Ok(None)
    }

    fn call(&mut self, called: Value<'a>, arguments: Value<'a>) {
        let parts = self.values.list(arguments).unwrap_or_default();
        let value = match (called, parts) {
            // Dictionaries with other habits; their parts follow.
            (Value::Global("collections", "OrderedDict" | "defaultdict"), _) => {
                return self.push_dict(Vec::new());
            }
            (
                Value::Global("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state"),
                [data, ..],
            ) => *data,
            // A tensor that has more than its own: the function that makes it, its class, the arguments.
            (Value::Global("torch._tensor", "_rebuild_from_type_v2"), [function, _, arguments, ..]) => {
                self.values.calls.push([*function, *arguments]);
                Value::Call(self.values.calls.len() - 1)
            }
            _ => {
                self.values.calls.push([called, arguments]);
                Value::Call(self.values.calls.len() - 1)
            }
        };
        self.push(value);
    }

    fn append(&mut self, parts: &[Value<'a>]) -> Result<(), String> {
        if let Value::List(at) = self.top()? {
            self.values.lists[at].extend(parts);
        }
        Ok(())
    }

    fn set_items(&mut self, parts: &[Value<'a>]) -> Result<(), String> {
        if let Value::Dict(at) = self.top()? {
            self.values.dicts[at].extend(pairs(parts));
        }
        Ok(())
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(value);
    }

    fn push_tuple(&mut self, parts: Vec<Value<'a>>) {
        self.values.lists.push(parts);
        self.push(Value::Tuple(self.values.lists.len() - 1));
    }

    fn push_list(&mut self, parts: Vec<Value<'a>>) {
        self.values.lists.push(parts);
        self.push(Value::List(self.values.lists.len() - 1));
    }

    fn push_dict(&mut self, parts: Vec<(Value<'a>, Value<'a>)>) {
        self.values.dicts.push(parts);
        self.push(Value::Dict(self.values.dicts.len() - 1));
    }

    fn pop(&mut self) -> Result<Value<'a>, String> {
        Ok(self.stack.pop().ok_or(EMPTY)?)
    }

    fn top(&self) -> Result<Value<'a>, String> {
        Ok(*self.stack.last().ok_or(EMPTY)?)
    }

    fn since_mark(&mut self) -> Result<Vec<Value<'a>>, String> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len()).ok_or(EMPTY)?;
        Ok(self.stack.split_off(mark))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(END)?;
        self.bytes = rest;
        Ok(*taken)
    }

    /// A length, or a place, of so many bytes.
    fn len<const N: usize>(&mut self) -> Result<usize, String> {
        let bytes: [u8; N] = self.take()?;
        let mut all = [0; 8];
        all[..N].copy_from_slice(&bytes);
        Ok(usize::try_from(u64::from_le_bytes(all)).map_err(|_| END)?)
    }

    fn slice(&mut self, len: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(END)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let len = self.bytes.iter().position(|&byte| byte == b'\n').ok_or(END)?;
        let line = self.slice(len)?;
        self.take::<1>()?;
        Ok(std::str::from_utf8(line).map_err(|_| "its pickle has a name that is no text")?)
    }
}

const END: &str = "its pickle ends too early";
const EMPTY: &str = "its pickle takes what it has not made";

fn pairs<'a>(parts: &[Value<'a>]) -> Vec<(Value<'a>, Value<'a>)> {
    parts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

/// A whole number of any length in two's complement; one that is longer than an i64 is no size of a tensor.
fn long<'a>(digits: &[u8]) -> Value<'a> {
    if digits.len() > 8 {
        return Value::Other;
    }
    let negative = digits.last().is_some_and(|&last| last >= 0x80);
    let mut all = [if negative { 0xff } else { 0 }; 8];
    all[..digits.len()].copy_from_slice(digits);
    Value::Int(i64::from_le_bytes(all))
}
