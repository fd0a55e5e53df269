//! A sketch of the topology: tiers, router, internet, customer gateways, subnets.

use runner::record::{CellRecord, Verdict};

use super::{
    plan::{Net, Plan},
    svg::{self, Drawing},
};

const NET_HEIGHT: i32 = 58;
const GAP: i32 = 12;
const GROUP_GAP: i32 = 16;
/// Space for a group's own name above its boxes.
const TITLE: i32 = 26;
const MARGIN: i32 = 10;

const TIER_X: i32 = 22;
const NET_WIDTH: i32 = 150;
const ROUTER_X: i32 = 214;
const GATEWAY_X: i32 = 562;
const GATEWAY_WIDTH: i32 = 196;
const SUBNET_X: i32 = 790;
const FRAME_PAD: i32 = 12;

/// How many boxes of hosts a group shows before it counts the rest.
const MOST_NETS: usize = 6;

/// The sketch, unless the record does not tell who the two ends are.
pub fn draw(cell: &CellRecord) -> Option<String> {
    let plan = Plan::new(cell)?;
    let mut drawing = Drawing::new();

    let left: Vec<i32> = plan.vpcs.iter().map(|vpc| height(&vpc.tiers)).collect();
    let right: Vec<i32> = plan.customers.iter().map(|customer| height(&customer.subnets)).collect();
    let total = |groups: &[i32]| groups.iter().map(|height| height + GROUP_GAP).sum::<i32>() - GROUP_GAP;
    let tallest = total(&left).max(total(&right));
    let tops = |groups: &[i32]| {
        let mut next = MARGIN + (tallest - total(groups)) / 2;
        let top = |height: &i32| {
            next += height + GROUP_GAP;
            next - height - GROUP_GAP
        };
        groups.iter().map(top).collect::<Vec<_>>()
    };
    let (left_tops, right_tops) = (tops(&left), tops(&right));
    let middle = |top: i32, height: i32| top + TITLE + (height - TITLE - FRAME_PAD) / 2;

    let (cloud_left, cloud_right) = (ROUTER_X + GATEWAY_WIDTH + FRAME_PAD, GATEWAY_X - FRAME_PAD);
    let cloud = (cloud_left + cloud_right) / 2;
    drawing.rectangle(cloud - 42, MARGIN, 84, tallest, "net");
    drawing.text(cloud, MARGIN + 17, "m c", "internet");

    for ((vpc, &top), &height) in plan.vpcs.iter().zip(&left_tops).zip(&left) {
        drawing.rectangle(MARGIN, top, ROUTER_X + GATEWAY_WIDTH - MARGIN + FRAME_PAD, height, "group");
        drawing.text(TIER_X, top + 18, "m", &svg::fit(&format!("VPC {}  {}", vpc.name, vpc.cidr), 60));
    }
    for ((customer, &top), &height) in plan.customers.iter().zip(&right_tops).zip(&right) {
        drawing.rectangle(GATEWAY_X - FRAME_PAD, top, svg::WIDTH - GATEWAY_X + FRAME_PAD - MARGIN, height, "group");
        drawing.text(GATEWAY_X, top + 18, "m", &svg::fit(&format!("customer {}", customer.name), 50));
    }

    let tunnel = match cell.verdict {
        Verdict::Proven => "tunnel",
        _ => "tunnel open",
    };
    for &(vpc, customer) in &plan.tunnels {
        let from = (ROUTER_X + GATEWAY_WIDTH, middle(left_tops[vpc], left[vpc]));
        let to = (GATEWAY_X, middle(right_tops[customer], right[customer]));
        drawing.curve(from, to, tunnel);
    }
    if let (Verdict::Proven, Some(negotiated), 1) = (cell.verdict, &cell.negotiated, plan.tunnels.len()) {
        let y = middle(left_tops[0], left[0]).midpoint(middle(right_tops[0], right[0]));
        let (transform, group) = negotiated.esp.split_once(';').unwrap_or((&negotiated.esp, ""));
        drawing.text(cloud, y - 10, "c k", &svg::fit(transform, 18));
        drawing.text(cloud, y + 18, "c k", &svg::fit(group, 18));
    }

    for ((vpc, &top), &height) in plan.vpcs.iter().zip(&left_tops).zip(&left) {
        let y = middle(top, height);
        nets(&mut drawing, &vpc.tiers, TIER_X, top, (ROUTER_X, y));
        gateway(&mut drawing, (ROUTER_X, y), "router", &cell.router, &vpc.address);
    }
    for ((customer, &top), &height) in plan.customers.iter().zip(&right_tops).zip(&right) {
        let y = middle(top, height);
        nets(&mut drawing, &customer.subnets, SUBNET_X, top, (GATEWAY_X + GATEWAY_WIDTH, y));
        gateway(&mut drawing, (GATEWAY_X, y), "customer gateway", &cell.customer, &customer.address);
    }
    Some(drawing.finish(tallest + 2 * MARGIN, &label(&plan)))
}

/// The drawing in one sentence.
fn label(plan: &Plan) -> String {
    let tunnels = plan.tunnels.iter().map(|&(vpc, customer)| {
        let (vpc, customer) = (&plan.vpcs[vpc], &plan.customers[customer]);
        format!("VPC {} ({}) to customer {} ({})", vpc.name, vpc.address, customer.name, customer.address)
    });
    format!("Topology: {}", tunnels.collect::<Vec<_>>().join("; "))
}

fn height(nets: &[Net]) -> i32 {
    let boxes = i32::try_from(nets.len().clamp(1, MOST_NETS)).unwrap_or(1);
    // A group is never lower than its gateway.
    TITLE + (boxes * (NET_HEIGHT + GAP) - GAP).max(78) + FRAME_PAD
}

/// The networks of a group, each with a line to its gateway.
fn nets(drawing: &mut Drawing, nets: &[Net], x: i32, top: i32, gateway: (i32, i32)) {
    let shown = nets.len().min(MOST_NETS);
    let free = height(nets) - TITLE - FRAME_PAD;
    let needed = i32::try_from(shown).unwrap_or(0) * (NET_HEIGHT + GAP) - GAP;
    let mut y = top + TITLE + (free - needed) / 2;
    for (i, net) in nets.iter().take(shown).enumerate() {
        let near = if gateway.0 > x { x + NET_WIDTH } else { x };
        drawing.curve((near, y + NET_HEIGHT / 2), gateway, "link");
        drawing.rectangle(x, y, NET_WIDTH, NET_HEIGHT, "box");
        let hosts = match net.hosts.as_slice() {
            [] => String::new(),
            [host] => host.clone(),
            [host, rest @ ..] => format!("{host} +{}", rest.len()),
        };
        let rest = nets.len() - shown;
        let lines = match i + 1 == shown && rest > 0 {
            true => [format!("{} and {rest} more", net.name), net.cidr.clone(), hosts],
            false => [net.name.clone(), net.cidr.clone(), hosts],
        };
        let lines: Vec<_> = lines.into_iter().filter(|line| !line.is_empty()).collect();
        let classes = if net.name.is_empty() { ["k", "k m"] } else { ["t", "k"] };
        centred(drawing, x + NET_WIDTH / 2, y + NET_HEIGHT / 2, &lines, classes, 22);
        y += NET_HEIGHT + GAP;
    }
}

/// A router or customer gateway; `at` is the middle of its left edge.
fn gateway(drawing: &mut Drawing, at: (i32, i32), role: &str, daemon: &str, address: &str) {
    let (x, y) = at;
    let mut lines = vec![role.to_owned()];
    match daemon.split_once(" standing in for ") {
        Some((daemon, other)) => lines.extend([daemon.to_owned(), format!("standing in for {other}")]),
        None => lines.extend(svg::wrap(daemon, 26, 2)),
    }
    if !address.is_empty() {
        lines.push(address.to_owned());
    }
    drawing.rectangle(x, y - 39, GATEWAY_WIDTH, 78, "box gate");
    centred(drawing, x + GATEWAY_WIDTH / 2, y, &lines, ["t", ""], 28);
}

/// Lines of text around a point: the first of one class, the rest of another, addresses in `k`.
fn centred(drawing: &mut Drawing, x: i32, y: i32, lines: &[String], classes: [&'static str; 2], most: usize) {
    let count = i32::try_from(lines.len()).unwrap_or(1);
    for (i, line) in (0..).zip(lines) {
        let class = match (i, classes) {
            (0, ["t", _]) => "c t",
            (0, _) => "c k",
            _ if line.parse::<std::net::Ipv4Addr>().is_ok() || line.contains('/') => "c k",
            _ => "c",
        };
        drawing.text(x, y + 4 + i * 16 - (count - 1) * 8, class, &svg::fit(line, most));
    }
}
