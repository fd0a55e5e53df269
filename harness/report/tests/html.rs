//! `report.html`: well-formed whatever a record says, self-contained, lean, and true to the record.
#![allow(clippy::unwrap_used, dead_code)]

mod markup;
mod sample;

use proptest::prelude::*;
use runner::record::{ApiCall, CellRecord, Evidence, Fault, Record, Verdict};
use tunnelproof_report::render_html;
use wire::audit::{Loss, PathMtu};

const HOSTILE: &str = r#"<script>alert("1")</script>'&amp;<!-- ]]>"#;

fn of(cells: Vec<CellRecord>) -> Record {
    Record { cells, ..sample::record() }
}

fn many(count: usize, cell: impl Fn(&str) -> CellRecord) -> Vec<CellRecord> {
    (0..count).map(|i| cell(&format!("policies/ike=aes128-sha1;modp1536,esp=3des-md5,{i:04}"))).collect()
}

/// The part of a page that belongs to one cell.
fn section<'a>(html: &'a str, anchor: &str) -> &'a str {
    let from = html.find(&format!("id=\"{anchor}\"")).unwrap();
    let rest = &html[from..];
    &rest[..rest.find("<details class=\"cell").unwrap_or(rest.len())]
}

/// A record whose every text is the given one.
fn filled(text: &str) -> Record {
    let mut value = serde_json::to_value(sample::record()).unwrap();
    fill(&mut value, text);
    serde_json::from_value(value).unwrap()
}

fn fill(value: &mut serde_json::Value, text: &str) {
    use serde_json::Value;
    match value {
        // Verdicts, sides, algorithms, versions and addresses are typed, so no foreign text gets into them.
        Value::String(s) if !typed(s) => *s = text.to_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, text)),
        Value::Object(members) => members.values_mut().for_each(|member| fill(member, text)),
        _ => {}
    }
}

fn typed(text: &str) -> bool {
    let verdict = Verdict::ALL.iter().any(|verdict| verdict.name() == text);
    let words = [
        "done",
        "failed",
        "internet",
        "local",
        "remote",
        "aes128",
        "aes256",
        "3des",
        "sha1",
        "modp1536",
        "IKEv1",
        "IKEv2",
        "clear",
        "authenticated",
        "opened",
        "decrypted",
        "seen",
        "acceptable",
        "legacy",
        "disallowed",
    ];
    let address = text.parse::<std::net::Ipv4Addr>().is_ok() || text.parse::<std::net::SocketAddrV4>().is_ok();
    verdict || address || words.contains(&text)
}

#[test]
fn the_sample_is_well_formed_and_its_links_lead_somewhere() {
    let html = render_html(&sample::record()).unwrap();
    let page = markup::read(&html).unwrap();
    for href in page.hrefs.iter().filter_map(|href| href.strip_prefix('#')) {
        assert!(page.ids.contains(href), "#{href} leads nowhere");
    }
    assert!(page.hrefs.iter().any(|href| href.ends_with("/capture.pcapng")), "{:?}", page.hrefs);
    assert_eq!(page.scripts, 1);
}

#[test]
fn the_report_needs_no_network() {
    let html = render_html(&sample::record()).unwrap();
    for reference in ["http:", "https:", "@import", "url(", "src=", "<link"] {
        assert!(!html.contains(reference), "`{reference}` in the report");
    }
}

#[test]
fn hostile_texts_stay_texts() {
    let html = render_html(&filled(HOSTILE)).unwrap();
    let page = markup::read(&html).unwrap();
    assert_eq!(page.scripts, 1, "only the report's own script");
    assert!(!html.contains("<script>alert"));
    assert!(html.contains("&lt;script&gt;alert"));
}

#[test]
fn what_was_put_up_for_choice_has_the_word_of_its_version() {
    let mut cell = sample::proven("libreswan", "strongSwan 5.9.14", "aes128");
    let html = render_html(&of(vec![cell.clone()])).unwrap();
    assert!(html.contains("1 transform offered"));
    let negotiation = &mut cell.account.as_mut().unwrap().negotiations[0];
    (negotiation.version, negotiation.offered) = (policy::Version::V2, 2);
    assert!(render_html(&of(vec![cell])).unwrap().contains("2 proposals offered"));
}

#[test]
fn a_path_cannot_become_a_script() {
    let mut cell = sample::bare("one", Verdict::Proven);
    cell.evidence = Evidence { capture: Some("javascript:alert(1)".into()), ..Evidence::default() };
    let page = markup::read(&render_html(&of(vec![cell])).unwrap()).unwrap();
    assert!(page.hrefs.contains(&"javascript%3Aalert%281%29".to_owned()), "{:?}", page.hrefs);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_text_makes_a_well_formed_report(text in any::<String>()) {
        let html = render_html(&filled(&text)).unwrap();
        markup::read(&html).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn any_times_make_a_report(times in proptest::collection::vec(any::<u64>(), 12)) {
        let mut cell = sample::proven("libreswan", "strongSwan 5.9.14", "aes128");
        (cell.wall_ms, cell.virtual_ms) = (times[0], times[1] >> 1);
        (cell.steps[0].begin_ms, cell.steps[0].end_ms) = (times[2], times[3]);
        (cell.sas[0].added_ms, cell.sas[0].deleted_ms) = (times[4], Some(times[5]));
        cell.faults = vec![Fault { at_ms: times[6], text: "link of branch goes down".into() }];
        cell.began_ns = times[7];
        let flow = &mut cell.account.as_mut().unwrap().flows[0];
        (flow.first_sent_ns, flow.last_sent_ns) = (times[8], times[9]);
        flow.losses = vec![Loss { sequence: 1, packets: times[8], from_ns: times[10], until_ns: Some(times[11]) }];
        let html = render_html(&of(vec![cell])).unwrap();
        markup::read(&html).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn cells_with_one_id_have_anchors_of_their_own() {
    let cells = vec![sample::bare("a b", Verdict::Proven), sample::bare("a-b", Verdict::Proven)];
    let page = markup::read(&render_html(&of(cells)).unwrap()).unwrap();
    assert!(page.ids.contains("c.a-b") && page.ids.contains("c.a-b::2"), "{:?}", page.ids);
}

#[test]
fn every_verdict_is_told_by_letter_and_word_and_counted() {
    let html = render_html(&sample::record()).unwrap();
    for (verdict, letter) in Verdict::ALL.iter().zip(["P", "R", "U", "S", "B"]) {
        assert!(html.contains(&format!(r#"aria-hidden="true">{letter}</b>"#)), "{letter}");
        assert!(html.contains(&format!(">{verdict}</span>")), "{verdict}");
    }
    assert!(html.contains("1 of 6 cells refuted, 1 broken"));
    assert!(html.contains("Needs attention"));
}

#[test]
fn without_a_defect_nothing_needs_attention() {
    let html = render_html(&of(vec![sample::proven("libreswan", "strongSwan 5.9.14", "aes128")])).unwrap();
    assert!(html.contains("1 of 1 cell proven"));
    assert!(!html.contains("Needs attention"));
}

#[test]
fn a_long_list_of_defects_is_cut_short_and_says_so() {
    let html = render_html(&of(many(50, |id| sample::bare(id, Verdict::Broken)))).unwrap();
    assert!(html.contains("And 10 more in the table of cells."));
    assert!(!html.contains(" open=\"\""), "so many are not unfolded");
}

#[test]
fn a_run_without_cells_says_so() {
    let html = render_html(&of(Vec::new())).unwrap();
    markup::read(&html).unwrap();
    assert!(html.contains("No cell was run"));
}

#[test]
fn findings_come_with_their_frames_and_the_cell_is_unfolded() {
    let html = render_html(&sample::record()).unwrap();
    let refuted = section(&html, "c.one-tunnel-router-libreswan-ike.encryption-aes256");
    assert!(refuted.starts_with(r#"id="c.one-tunnel-router-libreswan-ike.encryption-aes256" open="">"#));
    assert!(refuted.contains("frame 1204") && refuted.contains("probe-not-protected"));
    assert!(refuted.contains("17 <em>\u{2212}3</em>"), "three probes of a flow were not protected");
}

#[test]
fn an_account_that_does_not_add_up_says_so() {
    let mut cell = sample::proven("libreswan", "strongSwan 5.9.14", "aes128");
    let sound = render_html(&of(vec![cell.clone()])).unwrap();
    assert!(sound.contains("captured frames is accounted for"));
    cell.account.as_mut().unwrap().frames += 7;
    let html = render_html(&of(vec![cell])).unwrap();
    assert!(html.contains("7 of 1,455 frames are not accounted for"));
    assert!(!html.contains("captured frames is accounted for"));
}

#[test]
fn the_mtu_of_the_path_is_told_beside_the_point_where_it_was_seen() {
    let mut cell = sample::proven("libreswan", "strongSwan 5.9.14", "aes128");
    let told = |mtu, frames| PathMtu { point: "internet".into(), mtu, frames, first_frame: 31 };
    cell.account.as_mut().unwrap().path_mtus = vec![told(0, 1), told(1_400, 2)];
    let html = render_html(&of(vec![cell])).unwrap();
    assert!(html.contains("MTU not told (first in frame 31), MTU 1,400 (first in frame 31, 2 times)"));
}

#[test]
fn the_overlap_of_two_sas_is_told_and_a_gap_has_a_sign() {
    let mut cell = sample::proven("libreswan", "strongSwan 5.9.14", "aes128");
    let rekey = &mut cell.account.as_mut().unwrap().rekeys[0];
    (rekey.overlap_ns, rekey.late_packets) = (-12_000_000_000, 0);
    let html = render_html(&of(vec![cell])).unwrap();
    assert!(html.contains("0xc1000001, then 0xc1000004 from frame 1,298"));
    assert!(html.contains("1.250 s, 3 packets of the old one"));
    assert!(html.contains("\u{2212}12.000 s, no packet of the old one after the first of the new"));
}

#[test]
fn polling_is_told_once_with_the_last_answer() {
    let html = render_html(&of(vec![sample::proven("libreswan", "strongSwan 5.9.14", "aes128")])).unwrap();
    assert_eq!(html.matches("<b>queryAsyncJobResult</b>").count(), 0, "told with the command that began the job");
    assert!(html.contains("job succeeded at 00:02.050, 3 polls"));
    assert!(html.contains("11 requests"));
    // An answer that was shortened is shown as it is.
    assert!(html.contains("&quot;jobid&quot;:&quot;j-11"));
}

#[test]
fn a_question_that_is_asked_again_is_told_once() {
    let mut cell = sample::proven("libreswan", "strongSwan 5.9.14", "aes128");
    let asked = ApiCall { command: "listVpnConnections".into(), parameters: Vec::new(), ..cell.api[0].clone() };
    cell.api = vec![asked.clone(), ApiCall { at_ms: 2_000, ..asked.clone() }, ApiCall { status: 530, ..asked }];
    let html = render_html(&of(vec![cell])).unwrap();
    assert!(html.contains("2 times, last at 00:02.000"));
    assert_eq!(html.matches("<b>listVpnConnections</b>").count(), 2, "the failure is told by itself");
}

#[test]
fn a_cell_is_run_alone_on_what_it_was_run_on() {
    for (world, command) in [
        ("guest", "tunnelproof run one"),
        ("modelled", "tunnelproof run --world modelled one"),
        ("foreign", "tunnelproof run --cloud ENDPOINT-FILE one"),
    ] {
        let record = Record { world: world.into(), ..of(vec![sample::bare("one", Verdict::Skipped)]) };
        assert!(render_html(&record).unwrap().contains(&format!("<code class=\"run\">{command}</code>")), "{world}");
    }
}

#[test]
fn packets_without_a_tunnel_are_not_told_as_lost() {
    let html = render_html(&of(vec![sample::proven("libreswan", "strongSwan 5.9.14", "aes128")])).unwrap();
    assert!(html.contains("80<small> of 80</small>"));
    assert!(html.contains("All 80 packets were seen in ESP") && html.contains("not even the 5 sent without a tunnel"));
    assert!(html.contains("1 flow<span class=\"m\">, sent without a tunnel"));
    assert!(!html.contains("<em>"), "nothing is missing");
}

#[test]
fn the_command_that_shows_the_packets_inside_can_be_copied() {
    let html = render_html(&sample::record()).unwrap();
    let command = "WIRESHARK_CONFIG_DIR=keys tshark -o esp.enable_encryption_decode:TRUE \
                   -o esp.enable_authentication_check:TRUE -r capture.pcapng -Y esp";
    assert!(html.contains(&format!("<pre class=\"copy\"><code>{command}</code></pre>")));
    assert!(html.contains("It shows 80 ESP frames at 1 capture point"));
    assert!(html.contains(">gateway-branch/charon.log</a>"), "a log is named with its machine");
}

#[test]
fn the_topology_knows_tiers_subnets_and_both_public_addresses() {
    let html = render_html(&of(vec![sample::proven("libreswan", "strongSwan 5.9.14", "aes128")])).unwrap();
    let label = "Topology: VPC main (198.51.100.10) to customer branch (203.0.113.20)";
    let drawing = &html[html.find(label).unwrap()..];
    let drawing = &drawing[..drawing.find("</svg>").unwrap()];
    for text in ["web", "10.10.1.0/24", "10.10.2.10", "172.16.10.0/24", "192.168.10.0/24", "Libreswan 5.2"] {
        assert!(drawing.contains(&format!(">{text}<")), "{text} in {drawing}");
    }
}

#[test]
fn without_requests_the_topology_is_drawn_from_what_was_seen() {
    let mut cell = sample::proven("libreswan", "strongSwan 5.9.14", "aes128");
    cell.api.clear();
    let html = render_html(&of(vec![cell])).unwrap();
    assert!(html.contains("Topology: VPC main () to customer branch ()"), "two ends, but not which is whose");
    assert!(html.contains(">main.web<") && html.contains(">branch<"));
}

#[test]
fn the_timeline_joins_what_both_kernels_tell_of_one_sa() {
    let html = render_html(&of(vec![sample::proven("libreswan", "strongSwan 5.9.14", "aes128")])).unwrap();
    assert_eq!(html.matches(r#"class="i">0xc1000001 20 packets</text>"#).count(), 1);
    assert!(html.contains("<title>0xc1000001 from 198.51.100.10 to 203.0.113.20, aes128-sha1;modp1536, 20 packets: 00:02.900 to 54:00.500</title>"));
    assert!(html.contains("main \u{2192} branch</text>"), "the ends by their names");
    assert!(html.contains("<title>Connected from 00:03.100</title>"));
}

#[test]
fn a_simple_cell_costs_less_than_two_kilobytes() {
    let size = |count| render_html(&of(many(count, |id| sample::bare(id, Verdict::Skipped)))).unwrap().len();
    let each = (size(200) - size(100)) / 100;
    assert!(each < 2_000, "{each} bytes for each cell");
}

#[test]
fn of_many_cells_the_proven_ones_are_shown_in_brief_and_the_refuted_in_full() {
    let proven = |id: &str| {
        let mut cell = sample::proven("libreswan", "strongSwan 5.9.14 standing in for Cisco IOS", "aes128");
        cell.id = id.into();
        cell
    };
    let mut cells = many(310, proven);
    let small = render_html(&of(cells.clone())).unwrap().len();
    cells.extend(many(100, |id| proven(&format!("more-{id}"))));
    let html = render_html(&of(cells.clone())).unwrap();
    let each = (html.len() - small) / 100;
    assert!(each < 2_000, "{each} bytes for each cell in brief");
    assert!(html.contains("110 of the cells below are shown in brief"));

    cells.push(CellRecord { id: "last".into(), ..sample::record().cells[2].clone() });
    let html = render_html(&of(cells)).unwrap();
    let last = section(&html, "c.last");
    assert!(last.contains("<svg") && last.contains("Requests to the cloud"));
}

#[test]
fn a_finding_and_a_check_say_what_requires_them_and_which_frames_show_it() {
    let html = render_html(&sample::record()).unwrap();
    let refuted = section(&html, "c.one-tunnel-router-libreswan-ike.encryption-aes256");
    let findings = &refuted[refuted.find("class=\"findings\"").unwrap()..];
    for part in [
        "<span class=\"frame\">frame 1204</span>",
        "<dt>Required by</dt><dd>RFC 4301 section 5.1</dd>",
        "<dt>Expected</dt><dd>no packet between the protected networks in clear on the internet</dd>",
        "<dt>Observed</dt><dd>probe 5",
    ] {
        assert!(findings.contains(part), "{part} in {findings}");
    }
    let mut cell = sample::proven("libreswan", "strongSwan 5.9.14", "aes128");
    cell.checks[0].frames = vec![7, 9];
    assert!(render_html(&of(vec![cell])).unwrap().contains("<small class=\"in\">frames 7, 9</small>"));
}

#[test]
fn a_negotiation_shows_its_quick_modes() {
    let mut cell = sample::proven("libreswan", "strongSwan 5.9.14", "aes128");
    let html = render_html(&of(vec![cell.clone()])).unwrap();
    for part in [
        "<dd>198.51.100.10 and 203.0.113.20</dd>",
        "<dd>586 probes, 586 answers</dd>",
        "<dd>all decrypted, 1,180 messages authenticated</dd>",
        "<code>1b5c9e07</code><small class=\"in\">frames 14, 15, 16</small>",
        "<td>modp1536, seen in both messages</td>",
        "<td>10.10.0.0/16 and 172.16.10.0/24</td>",
        "<td>those of the SAs</td>",
    ] {
        assert!(html.replace("&#x2f;", "/").contains(part), "{part}");
    }
    cell.account.as_mut().unwrap().negotiations[0].quick_modes[0].keys_match = Some(false);
    assert!(render_html(&of(vec![cell])).unwrap().contains("<span class=\"no\">others than those of the SAs</span>"));
}

#[test]
fn the_conversation_is_drawn_and_cut_where_it_is_long() {
    let mut cell = sample::proven("libreswan", "strongSwan 5.9.14", "aes128");
    let drawing = |cell: &CellRecord| {
        let html = render_html(&of(vec![cell.clone()])).unwrap();
        markup::read(&html).unwrap();
        let from = html.find("<title>The conversation of IKE between router of main").unwrap();
        html[from..from + html[from..].find("</svg>").unwrap()].to_owned()
    };
    let whole = drawing(&cell);
    assert_eq!(whole.matches("class=\"arrow").count(), 14, "13 messages, one of which was sent again: {whole}");
    for text in ["router of main", "main mode 1", "authenticated", "DPD probe and answer, 585 more up to frame 1,296"] {
        assert!(whole.contains(&format!(">{text}</text>")), "{text} in {whole}");
    }
    let messages = &mut cell.account.as_mut().unwrap().messages;
    let one = messages[11].clone();
    messages.extend(vec![one; 500]);
    let cut = drawing(&cell);
    assert!(cut.contains("483 messages more: see the ladder") && cut.len() < 24_000, "{}", cut.len());
}
