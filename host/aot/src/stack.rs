//! How much stack code uses at most: the frames that its compiler told, over the calls that are in its objects.

use std::collections::{BTreeMap, BTreeSet};

/// Functions by name.
#[derive(Default)]
pub(crate) struct Graph {
    functions: BTreeMap<String, Function>,
}

#[derive(Default)]
struct Function {
    /// Bytes of its frame; nothing where no one told.
    frame: Option<u32>,
    calls: BTreeSet<String>,
}

/// What a line of a `.su` file says: a function and the bytes of its frame.
pub(crate) fn usage(line: &str) -> Result<(&str, u32), String> {
    let mut fields = line.split('\t');
    let (Some(place), Some(bytes), Some(kind)) = (fields.next(), fields.next(), fields.next())
    else {
        return Err(format!("a line on the stack is not understood: {line}"));
    };
    let name = place.rsplit(':').next().unwrap_or_default();
    let bytes = bytes
        .parse()
        .map_err(|_| format!("a line on the stack is not understood: {line}"))?;
    if kind != "static" {
        return Err(format!(
            "the stack that {name} uses is not known: it is {kind}"
        ));
    }
    Ok((name, bytes))
}

impl Graph {
    pub(crate) fn frame(&mut self, name: &str, bytes: u32) {
        let frame = &mut self.functions.entry(name.to_owned()).or_default().frame;
        *frame = Some(frame.unwrap_or(0).max(bytes));
    }

    pub(crate) fn call(&mut self, from: &str, to: &str) {
        self.functions.entry(to.to_owned()).or_default();
        let from = self.functions.entry(from.to_owned()).or_default();
        from.calls.insert(to.to_owned());
    }

    /// The most bytes on a way from a function. Those that call each other in a circle count `limit` times: of what is on
    /// each circle a counter keeps it from being under way more often.
    pub(crate) fn most(&self, start: &str, limit: u32) -> Result<u32, String> {
        let mut walk = Walk {
            graph: self,
            limit,
            done: BTreeMap::new(),
        };
        walk.most(start)
    }
}

struct Walk<'a> {
    graph: &'a Graph,
    limit: u32,
    /// The most from each function that is complete.
    done: BTreeMap<&'a str, u32>,
}

/// A function that is walked over.
struct Node {
    order: usize,
    /// The least order that it reaches among those that wait.
    low: usize,
    waits: bool,
}

/// Notes that a function reaches another one.
fn lower(nodes: &mut BTreeMap<&str, Node>, name: &str, order: usize) {
    if let Some(node) = nodes.get_mut(name) {
        node.low = node.low.min(order);
    }
}

impl<'a> Walk<'a> {
    /// A function whose frame is not known is a part of one that was split off by the compiler and shares its frame, or
    /// there is none of the name.
    fn own(&self, name: &str) -> Result<u32, String> {
        let function = self.graph.functions.get(name);
        let function = function.ok_or_else(|| format!("there is no function {name}"))?;
        // GCC tells of its copies of a function, `f5.part.0` and `f5.part.1`, as `f5.part`, each of them.
        let together = || {
            let (name, number) = name.rsplit_once('.')?;
            number.parse::<u32>().ok()?;
            self.graph.functions.get(name)?.frame
        };
        match function.frame.or_else(together) {
            Some(bytes) => Ok(bytes),
            None if name.contains(".cold") => Ok(0),
            None => Err(format!("no one told how much stack {name} uses")),
        }
    }

    fn most(&mut self, start: &str) -> Result<u32, String> {
        let components = self.components(start);
        // Each component comes after those that it reaches.
        for component in components {
            let mut beyond = 0;
            let mut own = 0_u32;
            let mut circle = component.len() > 1;
            for name in &component {
                own = own.saturating_add(self.own(name)?);
                for to in &self.graph.functions[*name].calls {
                    if component.contains(&to.as_str()) {
                        circle = true;
                    } else {
                        beyond = beyond.max(self.done[to.as_str()]);
                    }
                }
            }
            let own = if circle {
                // The call that is one too many is under way when it is counted.
                own.saturating_mul(self.limit.saturating_add(1))
            } else {
                own
            };
            let all = own.saturating_add(beyond);
            for name in component {
                self.done.insert(name, all);
            }
        }
        self.done
            .get(start)
            .copied()
            .filter(|all| *all < u32::MAX)
            .ok_or_else(|| "its stack has no end".to_owned())
    }

    /// The strongly connected components that are reached, each after those that it reaches: Tarjan's algorithm with a
    /// stack of its own.
    fn components(&self, start: &str) -> Vec<Vec<&'a str>> {
        let functions = &self.graph.functions;
        let Some((start, _)) = functions.get_key_value(start) else {
            return Vec::new();
        };
        let mut nodes: BTreeMap<&str, Node> = BTreeMap::new();
        let (mut waiting, mut found) = (Vec::new(), Vec::new());
        let mut path = vec![(start.as_str(), functions[start].calls.iter(), true)];
        while let Some((name, calls, is_new)) = path.last_mut() {
            let name = *name;
            if std::mem::take(is_new) {
                let order = nodes.len();
                let node = Node {
                    order,
                    low: order,
                    waits: true,
                };
                nodes.insert(name, node);
                waiting.push(name);
            }
            if let Some(to) = calls.next() {
                match nodes.get(to.as_str()) {
                    None => path.push((to, functions[to].calls.iter(), true)),
                    Some(other) if other.waits => {
                        let order = other.order;
                        lower(&mut nodes, name, order);
                    }
                    Some(_) => {}
                }
                continue;
            }
            path.pop();
            let (low, order) = (nodes[name].low, nodes[name].order);
            if let Some((parent, ..)) = path.last() {
                lower(&mut nodes, parent, low);
            }
            if low == order {
                let first = waiting.iter().rposition(|n| *n == name).unwrap_or(0);
                let component = waiting.split_off(first);
                for member in &component {
                    if let Some(node) = nodes.get_mut(member) {
                        node.waits = false;
                    }
                }
                found.push(component);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(frames: &[(&str, u32)], calls: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::default();
        for (name, bytes) in frames {
            graph.frame(name, *bytes);
        }
        for (from, to) in calls {
            graph.call(from, to);
        }
        graph
    }

    #[test]
    fn the_deepest_way_counts() {
        let frames = [("a", 8), ("b", 100), ("c", 16), ("d", 24), ("e", 1000)];
        let calls = [("a", "b"), ("a", "c"), ("c", "d"), ("b", "d"), ("e", "a")];
        let graph = graph(&frames, &calls);
        assert_eq!(graph.most("a", 9), Ok(132));
        assert_eq!(graph.most("c", 9), Ok(40));
        assert_eq!(graph.most("e", 9), Ok(1132));
    }

    #[test]
    fn circles_count_as_often_as_they_may_go_round() {
        let frames = [("a", 8), ("b", 16), ("c", 32), ("d", 64)];
        let calls = [("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")];
        let graph = graph(&frames, &calls);
        assert_eq!(graph.most("a", 9), Ok(8 + 10 * 48 + 64));
        assert_eq!(graph.most("d", 9), Ok(64));
        let itself = self::graph(&[("a", 8)], &[("a", "a")]);
        assert_eq!(itself.most("a", 4), Ok(40));
        assert!(
            itself
                .most("a", u32::MAX - 1)
                .unwrap_err()
                .contains("no end")
        );
    }

    #[test]
    fn what_no_one_told_is_an_error() {
        let graph = graph(&[("a", 8)], &[("a", "b"), ("a", "a.cold")]);
        assert_eq!(
            graph.most("a", 9),
            Err("no one told how much stack b uses".to_owned())
        );
        assert_eq!(graph.most("a.cold", 9), Ok(0));
        let copies = self::graph(&[("a", 8), ("b.part", 4)], &[("a", "b.part.1")]);
        assert_eq!(copies.most("a", 9), Ok(12));
        assert_eq!(graph.most("z", 9), Err("its stack has no end".to_owned()));
    }

    #[test]
    fn lines_of_both_compilers() {
        assert_eq!(usage("rune.c:12:f5\t32\tstatic"), Ok(("f5", 32)));
        assert_eq!(
            usage("rune.c:12:9:f5.part.0\t0\tstatic"),
            Ok(("f5.part.0", 0))
        );
        assert!(
            usage("rune.c:12:9:f5\t8\tdynamic")
                .unwrap_err()
                .contains("f5")
        );
        assert!(usage("rune.c:12:9:f5\t8\tdynamic,bounded").is_err());
        for line in ["", "f5", "f5\tx\tstatic"] {
            assert!(usage(line).is_err(), "{line}");
        }
    }
}
