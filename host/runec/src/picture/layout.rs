//! Where the stages of a picture stand: in layers, each below what feeds it.
//!
//! The method of Sugiyama, Tagawa and Toda ("Methods for Visual Understanding of Hierarchical System
//! Structures", 1981): layers by longest path, edges over several layers cut by joints, sweeps that order
//! each layer by the mean place of its neighbours, and places that minimise the squared distance to these
//! means while keeping the order (isotonic regression by pooling adjacent violators).

/// Sweeps over the layers, down and up in turn.
const SWEEPS: usize = 12;

/// A thing in a layer: a node of the picture, or a joint of an edge.
pub(super) struct Place {
    /// Its middle from the left.
    pub(super) x: f64,
    /// Its layer, the topmost 0.
    pub(super) layer: usize,
}

/// Where everything is.
pub(super) struct Layout {
    /// Of each node.
    pub(super) nodes: Vec<Place>,
    /// Of each edge, the joints between its ends, from above.
    pub(super) joints: Vec<Vec<Place>>,
    /// The left and right border.
    pub(super) extent: [f64; 2],
    /// How many layers there are.
    pub(super) layers: usize,
}

struct Item {
    layer: usize,
    width: f64,
    x: f64,
    above: Vec<usize>,
    below: Vec<usize>,
}

/// Places nodes of these widths, and edges between them (from, to) without circles. Between neighbours of
/// a layer there is at least `gap`; a joint has the width `gap`.
pub(super) fn place(widths: &[f64], edges: &[(usize, usize)], gap: f64) -> Layout {
    let layer = layers(widths.len(), edges);
    let mut items: Vec<Item> = widths
        .iter()
        .zip(&layer)
        .map(|(&width, &layer)| Item {
            layer,
            width,
            x: 0.0,
            above: Vec::new(),
            below: Vec::new(),
        })
        .collect();
    let mut joints = Vec::with_capacity(edges.len());
    for &(from, to) in edges {
        let mut path = Vec::new();
        let mut last = from;
        for layer in items[from].layer + 1..items[to].layer {
            items.push(Item {
                layer,
                width: gap,
                x: 0.0,
                above: vec![last],
                below: Vec::new(),
            });
            let joint = items.len() - 1;
            items[last].below.push(joint);
            path.push(joint);
            last = joint;
        }
        items[last].below.push(to);
        items[to].above.push(last);
        joints.push(path);
    }
    let layers = layer.iter().max().map_or(0, |m| m + 1);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); layers];
    for (index, item) in items.iter().enumerate() {
        rows[item.layer].push(index);
    }
    for row in &rows {
        let wanted = vec![0.0; row.len()];
        arrange(row, &wanted, &mut items, gap);
    }
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        let order: Vec<usize> = if down {
            (0..layers).collect()
        } else {
            (0..layers).rev().collect()
        };
        for layer in order {
            let row = &mut rows[layer];
            let mean = |index: usize| {
                let item = &items[index];
                let near = if down { &item.above } else { &item.below };
                let sum: f64 = near.iter().map(|n| items[*n].x).sum();
                if near.is_empty() {
                    item.x
                } else {
                    sum / near.len() as f64
                }
            };
            let mut wanted: Vec<(f64, usize)> = row.iter().map(|i| (mean(*i), *i)).collect();
            // The last sweeps only straighten.
            if sweep + 4 < SWEEPS {
                wanted.sort_by(|a, b| a.0.total_cmp(&b.0));
            }
            *row = wanted.iter().map(|(_, i)| *i).collect();
            let wanted: Vec<f64> = wanted.iter().map(|(x, _)| *x).collect();
            arrange(row, &wanted, &mut items, gap);
        }
    }
    let left = items.iter().map(|i| i.x - i.width / 2.0);
    let right = items.iter().map(|i| i.x + i.width / 2.0);
    let extent = [
        left.fold(f64::INFINITY, f64::min),
        right.fold(f64::NEG_INFINITY, f64::max),
    ];
    let place = |index: usize| Place {
        x: items[index].x,
        layer: items[index].layer,
    };
    Layout {
        nodes: (0..widths.len()).map(place).collect(),
        joints: joints
            .iter()
            .map(|path| path.iter().map(|i| place(*i)).collect())
            .collect(),
        extent,
        layers,
    }
}

/// The layer of each node: one below the lowest that feeds it; what nothing feeds stands right above
/// its highest reader.
fn layers(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut layer = vec![0usize; nodes];
    // At most as many rounds as nodes, since there is no circle; mostly a few.
    for _ in 0..nodes {
        let mut moved = false;
        for &(from, to) in edges {
            if layer[to] <= layer[from] {
                layer[to] = layer[from] + 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    for node in 0..nodes {
        let is_source = edges.iter().all(|(_, to)| *to != node);
        let readers = edges.iter().filter(|(from, _)| *from == node);
        if let (true, Some(highest)) = (is_source, readers.map(|(_, to)| layer[*to]).min()) {
            layer[node] = highest.saturating_sub(1);
        }
    }
    layer
}

/// Sets the places of a row, in its order, as near as can be to those wanted.
fn arrange(row: &[usize], wanted: &[f64], items: &mut [Item], gap: f64) {
    // How far right of the first each must at least stand.
    let mut offsets = Vec::with_capacity(row.len());
    let mut offset = 0.0;
    for (position, index) in row.iter().enumerate() {
        if let Some(before) = position.checked_sub(1) {
            offset += f64::midpoint(items[row[before]].width, items[*index].width) + gap;
        }
        offsets.push(offset);
    }
    // Runs that stand as close as they may: mean of what they want, and how many they are.
    let mut runs: Vec<(f64, usize)> = Vec::new();
    for (wanted, offset) in wanted.iter().zip(&offsets) {
        let mut run = (wanted - offset, 1);
        while let Some(&(mean, count)) = runs.last() {
            if mean <= run.0 {
                break;
            }
            runs.pop();
            let total = count + run.1;
            run.0 = (mean * count as f64 + run.0 * run.1 as f64) / total as f64;
            run.1 = total;
        }
        runs.push(run);
    }
    let starts = runs
        .iter()
        .flat_map(|(mean, count)| std::iter::repeat_n(*mean, *count));
    for ((index, start), offset) in row.iter().zip(starts).zip(&offsets) {
        items[*index].x = start + offset;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_straight() {
        let layout = place(&[100.0, 60.0, 140.0], &[(0, 1), (1, 2)], 20.0);
        assert_eq!(layout.layers, 3);
        let xs: Vec<f64> = layout.nodes.iter().map(|n| n.x).collect();
        assert!(xs.iter().all(|x| (x - xs[0]).abs() < 1e-9), "{xs:?}");
    }

    #[test]
    fn neighbours_keep_their_distance_and_readers_stand_below() {
        let mut seed = 0x9e37_79b9_u32;
        let mut random = |n: u32| {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            (seed % n) as usize
        };
        for _ in 0..100 {
            let nodes = 1 + random(14);
            let widths: Vec<f64> = (0..nodes).map(|_| 40.0 + random(120) as f64).collect();
            let edges: Vec<(usize, usize)> = (0..random(24))
                .map(|_| (random(nodes as u32), random(nodes as u32)))
                .filter(|(a, b)| a < b)
                .collect();
            let layout = place(&widths, &edges, 16.0);
            for (&(from, to), joints) in edges.iter().zip(&layout.joints) {
                let (above, below) = (&layout.nodes[from], &layout.nodes[to]);
                assert!(above.layer < below.layer);
                assert_eq!(joints.len(), below.layer - above.layer - 1);
            }
            for (i, a) in layout.nodes.iter().enumerate() {
                for (j, b) in layout.nodes.iter().enumerate().skip(i + 1) {
                    let apart = f64::midpoint(widths[i], widths[j]) + 16.0 - 1e-6;
                    assert!(a.layer != b.layer || (a.x - b.x).abs() >= apart);
                }
            }
        }
    }

    #[test]
    fn nothing_takes_no_room() {
        assert_eq!(place(&[], &[], 10.0).layers, 0);
    }
}
