//! Where the boxes of a drawing lie: in columns, parents to the left of children, so that few arrows cross and none runs
//! through a box.
//!
//! The usual way of layered drawings (Sugiyama, Tagawa, Toda 1981): a layer a box, waypoints where an arrow passes a layer,
//! an order within each layer by the mean place of the neighbours, then heights.

/// Sweeps over the layers, to and fro.
const SWEEPS: usize = 12;
/// The least room between two boxes of a layer, and between a waypoint and what is beside it.
const GAP: f64 = 22.0;
const WAY_GAP: f64 = 9.0;

/// What is to be placed.
pub(super) struct Boxes {
    /// Of each box.
    pub heights: Vec<f64>,
    pub edges: Vec<Edge>,
}

/// An arrow from a child to its parent, which starts and ends at heights within their boxes.
#[derive(Clone, Copy)]
pub(super) struct Edge {
    pub child: usize,
    pub parent: usize,
    pub child_at: f64,
    pub parent_at: f64,
    /// It does not count for the layers: it would close a circle.
    pub is_late: bool,
}

/// Where everything lies.
pub(super) struct Layout {
    /// Of each box.
    pub layers: Vec<usize>,
    pub tops: Vec<f64>,
    /// For each edge the layers and heights that it passes, from the child's side to the parent's.
    pub ways: Vec<Vec<(usize, f64)>>,
    pub height: f64,
}

/// A box or a waypoint within its layer.
struct Node {
    height: f64,
    layer: usize,
    top: f64,
    /// Places of neighbours, and the difference in height that makes the line to each level.
    left: Vec<(usize, f64)>,
    right: Vec<(usize, f64)>,
    is_way: bool,
}

impl Boxes {
    /// Places the boxes.
    pub fn layout(&self) -> Layout {
        let layers = self.layers();
        let mut nodes: Vec<Node> = self
            .heights
            .iter()
            .zip(&layers)
            .map(|(&height, &layer)| Node {
                height,
                layer,
                top: 0.0,
                left: Vec::new(),
                right: Vec::new(),
                is_way: false,
            })
            .collect();
        let ways: Vec<Vec<usize>> = self.edges.iter().map(|edge| add_way(&mut nodes, edge)).collect();
        let mut columns = vec![Vec::new(); layers.iter().max().map_or(0, |last| last + 1)];
        for (at, node) in nodes.iter().enumerate() {
            columns[node.layer].push(at);
        }
        order(&mut nodes, &mut columns);
        place(&mut nodes, &columns);
        let top = nodes.iter().map(|node| node.top).fold(f64::INFINITY, f64::min);
        nodes.iter_mut().for_each(|node| node.top -= top);
        let of_way = |way: &Vec<usize>| way.iter().map(|&at| (nodes[at].layer, nodes[at].top)).collect();
        Layout {
            ways: ways.iter().map(of_way).collect(),
            tops: nodes[..layers.len()].iter().map(|node| node.top).collect(),
            height: nodes.iter().map(|node| node.top + node.height).fold(0.0, f64::max),
            layers,
        }
    }

    /// A child lies to the right of its parents; a parent without parents of its own just to the left of its first child.
    fn layers(&self) -> Vec<usize> {
        let mut layers = vec![0_usize; self.heights.len()];
        let edges = || self.edges.iter().filter(|edge| !edge.is_late && edge.child != edge.parent);
        // Without circles this ends by itself.
        for _ in 0..layers.len() {
            let before = layers.clone();
            for edge in edges() {
                layers[edge.child] = layers[edge.child].max(layers[edge.parent] + 1);
            }
            if layers == before {
                break;
            }
        }
        for table in 0..layers.len() {
            let first = edges().filter(|edge| edge.parent == table).map(|edge| layers[edge.child]).min();
            if let Some(first) = first.filter(|_| edges().all(|edge| edge.child != table)) {
                layers[table] = first.saturating_sub(1);
            }
        }
        layers
    }
}

/// Adds waypoints for an edge and makes neighbours of what it joins; the waypoints from the child's side on.
fn add_way(nodes: &mut Vec<Node>, edge: &Edge) -> Vec<usize> {
    let (from, to) = (nodes[edge.child].layer, nodes[edge.parent].layer);
    if from == to {
        return Vec::new();
    }
    let between: Vec<usize> = (from.min(to) + 1..from.max(to)).collect();
    let first = nodes.len();
    nodes.extend(between.iter().map(|&layer| Node {
        height: 0.0,
        layer,
        top: 0.0,
        left: Vec::new(),
        right: Vec::new(),
        is_way: true,
    }));
    let ways: Vec<usize> = (first..nodes.len()).collect();
    let (left, right) = if from < to { (edge.child, edge.parent) } else { (edge.parent, edge.child) };
    let at = |node: usize| match node {
        node if node == edge.child => edge.child_at,
        node if node == edge.parent => edge.parent_at,
        _ => 0.0,
    };
    let chain: Vec<usize> = [left].into_iter().chain(ways.iter().copied()).chain([right]).collect();
    for pair in chain.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        nodes[a].right.push((b, at(b) - at(a)));
        nodes[b].left.push((a, at(a) - at(b)));
    }
    if from < to { ways } else { ways.into_iter().rev().collect() }
}

/// Orders each layer by the mean place of its neighbours in the layer before, then in the one after, and so on.
fn order(nodes: &mut [Node], columns: &mut [Vec<usize>]) {
    let mut places = vec![0.0; nodes.len()];
    let number = |column: &[usize], places: &mut [f64]| {
        for (place, &node) in column.iter().enumerate() {
            // As a share of the layer: layers have different lengths.
            places[node] = (place as f64 + 0.5) / column.len() as f64;
        }
    };
    columns.iter().for_each(|column| number(column, &mut places));
    for sweep in 0..SWEEPS {
        let is_forward = sweep % 2 == 0;
        let last = columns.len();
        for step in 0..last {
            let at = if is_forward { step } else { last - 1 - step };
            let mean = |node: usize| {
                let near = if is_forward { &nodes[node].left } else { &nodes[node].right };
                match near.len() {
                    0 => places[node],
                    n => near.iter().map(|&(other, _)| places[other]).sum::<f64>() / n as f64,
                }
            };
            let mut keyed: Vec<(f64, usize)> = columns[at].iter().map(|&node| (mean(node), node)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            columns[at] = keyed.into_iter().map(|(_, node)| node).collect();
            number(&columns[at], &mut places);
        }
    }
}

/// Gives every node a height near those of its neighbours, in the order of its layer and without overlap.
fn place(nodes: &mut [Node], columns: &[Vec<usize>]) {
    for column in columns {
        let mut top = 0.0;
        for (at, &node) in column.iter().enumerate() {
            if at > 0 {
                top += gap(&nodes[column[at - 1]], &nodes[node]);
            }
            nodes[node].top = top;
            top += nodes[node].height;
        }
        let middle = top / 2.0;
        column.iter().for_each(|&node| nodes[node].top -= middle);
    }
    for sweep in 0..SWEEPS {
        for step in 0..columns.len() {
            let at = if sweep % 2 == 0 { step } else { columns.len() - 1 - step };
            settle(nodes, &columns[at]);
        }
    }
}

fn gap(above: &Node, below: &Node) -> f64 {
    if above.is_way || below.is_way { WAY_GAP } else { GAP }
}

/// Moves the nodes of a layer to where their lines are level, as far as there is room.
fn settle(nodes: &mut [Node], column: &[usize]) {
    let wish = |node: usize| {
        let near: Vec<f64> = nodes[node]
            .left
            .iter()
            .chain(&nodes[node].right)
            .map(|&(other, by)| nodes[other].top + by)
            .collect();
        match near.len() {
            0 => nodes[node].top,
            n => near.iter().sum::<f64>() / n as f64,
        }
    };
    let wishes: Vec<f64> = column.iter().map(|&node| wish(node)).collect();
    // Room that each needs from the first on; then the nearest rising heights to the wishes, by pooling neighbours.
    let mut offset = 0.0;
    let mut offsets = Vec::with_capacity(column.len());
    for (at, &node) in column.iter().enumerate() {
        if at > 0 {
            offset += nodes[column[at - 1]].height + gap(&nodes[column[at - 1]], &nodes[node]);
        }
        offsets.push(offset);
    }
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (wish, offset) in wishes.iter().zip(&offsets) {
        let (mut sum, mut n) = (wish - offset, 1);
        while let Some(&(before, m)) = pools.last()
            && before / m as f64 > sum / n as f64
        {
            pools.pop();
            (sum, n) = (sum + before, n + m);
        }
        pools.push((sum, n));
    }
    let heights = pools.iter().flat_map(|&(sum, n)| std::iter::repeat_n(sum / n as f64, n));
    for ((&node, offset), base) in column.iter().zip(offsets).zip(heights) {
        nodes[node].top = base + offset;
    }
}
