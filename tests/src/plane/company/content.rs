//! The tables of the company: who does what until when. [`super`] tells what there is; this is where it is written down.

use super::super::Role;

/// What is added to one project. Names are users' names or the names of rows; several have spaces (labels: commas) between.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) workspace: &'static str,
    pub(super) identifier: &'static str,
    /// Name, description, and whether it is public; for a project the captures lack.
    pub(super) about: (&'static str, &'static str, bool),
    /// The day it was archived.
    pub(super) archived: &'static str,
    pub(super) lead: &'static str,
    pub(super) default_assignee: &'static str,
    pub(super) members: &'static [(&'static str, Role)],
    pub(super) states: &'static [(&'static str, &'static str)],
    pub(super) labels: &'static [&'static str],
    pub(super) items: &'static [Item],
    pub(super) cycles: &'static [Group],
    pub(super) modules: &'static [Group],
    pub(super) comments: &'static [Comment],
    /// Item, title, address.
    pub(super) links: &'static [(i64, &'static str, &'static str)],
    /// Item, name, type, bytes.
    pub(super) files: &'static [(i64, &'static str, &'static str, u64)],
    /// Item, actor, field, from, to, day.
    pub(super) changes:
        &'static [(i64, &'static str, &'static str, &'static str, &'static str, &'static str)],
    /// Number, name, by whom, status, what it is a duplicate of.
    pub(super) intake: &'static [(i64, &'static str, &'static str, i64, i64)],
}

/// A work item. Empty text and number 0 stand for nothing.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) number: i64,
    pub(super) name: &'static str,
    pub(super) priority: &'static str,
    pub(super) state: &'static str,
    /// Start and due date.
    pub(super) dates: (&'static str, &'static str),
    pub(super) assignees: &'static str,
    pub(super) labels: &'static str,
    pub(super) parent: i64,
    pub(super) by: &'static str,
    /// Days of creation and of the last change; of what is done, the second is when.
    pub(super) days: (&'static str, &'static str),
}

/// A cycle or a module with the numbers of its items.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// A cycle's view, a module's status, or `archived`.
    pub(super) status: &'static str,
    pub(super) dates: (&'static str, &'static str),
    /// Owner or lead, then members.
    pub(super) people: &'static str,
    pub(super) items: &'static [i64],
}

/// A comment.
#[derive(Debug)]
pub(super) struct Comment {
    pub(super) item: i64,
    pub(super) by: &'static str,
    pub(super) day: &'static str,
    pub(super) html: &'static str,
    pub(super) edited: bool,
}

/// From, kind, to, and the kind seen from there.
pub(super) const RELATIONS: [(&str, &str, &str, &str); 3] = [
    ("OPS-5", "blocked_by", "OPS-2", "blocking"),
    ("OPS-5", "blocked_by", "ENG-12", "blocking"),
    ("OPS-13", "relates_to", "SEC-1", "relates_to"),
];

const NOTHING: Plan = Plan {
    workspace: "acme",
    identifier: "",
    about: ("", "", true),
    archived: "",
    lead: "",
    default_assignee: "",
    members: &[],
    states: &[],
    labels: &[],
    items: &[],
    cycles: &[],
    modules: &[],
    comments: &[],
    links: &[],
    files: &[],
    changes: &[],
    intake: &[],
};

const DEFAULT_STATES: [(&str, &str); 5] = [
    ("Backlog", "backlog"),
    ("Todo", "unstarted"),
    ("In Progress", "started"),
    ("Done", "completed"),
    ("Cancelled", "cancelled"),
];

#[rustfmt::skip]
pub(super) const PLANS: &[Plan] = &[
    Plan {
        identifier: "ENG",
        members: &[("carol", Role::Member)],
        cycles: &[Group {
            name: "Sprint 41",
            about: "Last sprint",
            status: "completed",
            dates: ("2026-11-03T00:00:01Z", "2026-11-17T23:59:00Z"),
            people: "alice",
            items: &[16, 22],
        }],
        comments: &[Comment {
            item: 2,
            by: "carol",
            day: "2026-11-21T08:10:00",
            html: "<p>Customers ask for this <strong>every week</strong>.</p>",
            edited: false,
        }],
        files: &[(1, "redirect-loop.har", "application/json", 20_480)],
        ..NOTHING
    },
    OPS,
    Plan {
        identifier: "MKT",
        lead: "carol",
        members: &[("carol", Role::Admin)],
        labels: &["blog", "event", "social"],
        items: &[
            item(2, "Write the launch blog post", "high", "In Progress", ("2026-11-16", "2026-11-25"), "carol", "blog", "carol", ("2026-11-10", "2026-11-20")),
            item(3, "Book the webinar speaker", "medium", "Todo", ("", "2026-11-19"), "carol", "event", "alice", ("2026-11-11", "2026-11-12")),
            item(4, "Order stickers", "low", "Backlog", ("", ""), "", "", "carol", ("2026-11-12", "2026-11-12")),
            item(5, "Press list for the December release", "high", "Todo", ("", "2026-12-01"), "alice", "social", "carol", ("2026-11-13", "2026-11-19")),
            item(6, "Fix typos on the pricing page", "low", "Done", ("", "2026-10-30"), "carol", "", "alice", ("2026-10-26", "2026-10-29")),
        ],
        cycles: &[
            Group {
                name: "October push",
                about: "",
                status: "completed",
                dates: ("2026-10-19T00:00:01Z", "2026-11-02T23:59:00Z"),
                people: "carol",
                items: &[6],
            },
            Group {
                name: "November push",
                about: "Everything for the launch",
                status: "current",
                dates: ("2026-11-18T00:00:01Z", "2026-12-02T23:59:00Z"),
                people: "carol",
                items: &[2, 3],
            },
        ],
        modules: &[Group {
            name: "Launch",
            about: "The December release goes public",
            status: "in-progress",
            dates: ("2026-11-01", "2026-12-08"),
            people: "carol alice",
            items: &[1, 2, 5],
        }],
        ..NOTHING
    },
    Plan {
        identifier: "HIR",
        about: ("Hiring", "Candidates and offers", false),
        lead: "carol",
        members: &[("carol", Role::Admin), ("bob", Role::Member)],
        states: &DEFAULT_STATES,
        items: &[
            item(1, "Interview plan for a reliability engineer", "medium", "In Progress", ("", "2026-11-26"), "bob", "", "carol", ("2026-11-09", "2026-11-18")),
            item(2, "Offer for the second candidate", "urgent", "Todo", ("", "2026-11-20"), "carol", "", "carol", ("2026-11-15", "2026-11-19")),
        ],
        ..NOTHING
    },
    Plan {
        identifier: "OLD",
        about: ("Old website", "Replaced in summer", true),
        archived: "2026-08-31",
        lead: "bob",
        members: &[("bob", Role::Admin), ("alice", Role::Member)],
        states: &DEFAULT_STATES,
        ..NOTHING
    },
    Plan {
        workspace: "beta",
        identifier: "LAB",
        about: ("Lab", "Experiments", true),
        lead: "alice",
        members: &[("alice", Role::Admin)],
        states: &DEFAULT_STATES,
        items: &[
            item(1, "Try the new editor", "low", "Todo", ("", "2026-11-30"), "alice", "", "alice", ("2026-11-02", "2026-11-03")),
            item(2, "Measure cold starts", "medium", "Backlog", ("", ""), "", "", "alice", ("2026-11-04", "2026-11-04")),
        ],
        ..NOTHING
    },
];

#[rustfmt::skip]
const OPS: Plan = Plan {
    identifier: "OPS",
    about: ("Operations", "Keeps the lights on", true),
    lead: "bob",
    default_assignee: "dave",
    members: &[
        ("bob", Role::Admin),
        ("alice", Role::Member),
        ("carol", Role::Member),
        ("dave", Role::Member),
        ("gus", Role::Guest),
    ],
    states: &[
        ("Backlog", "backlog"),
        ("Todo", "unstarted"),
        ("In Progress", "started"),
        ("Waiting for vendor", "started"),
        ("Done", "completed"),
        ("Cancelled", "cancelled"),
    ],
    labels: &["incident", "security", "backup", "cost", "docs"],
    items: &[
        item(1, "Rotate the database credentials", "urgent", "In Progress", ("2026-11-10", "2026-11-18"), "dave", "security", "bob", ("2026-11-02", "2026-11-20")),
        item(2, "Test restoring the nightly backup", "high", "Todo", ("", "2026-11-20"), "dave bob", "backup", "bob", ("2026-11-03", "2026-11-17")),
        item(3, "Move cron jobs to the scheduler", "medium", "In Progress", ("2026-11-16", "2026-11-28"), "carol", "", "bob", ("2026-11-04", "2026-11-19")),
        item(4, "Write the runbook for a failed failover", "medium", "Todo", ("", "2026-11-27"), "bob", "docs", "dave", ("2026-11-05", "2026-11-05")),
        item(5, "Upgrade PostgreSQL to 17", "high", "Backlog", ("", "2026-12-10"), "dave", "", "bob", ("2026-11-06", "2026-11-14")),
        item(6, "Disk alerts wake nobody up", "urgent", "Todo", ("", "2026-11-24"), "", "incident", "gus", ("2026-11-13", "2026-11-20")),
        item(7, "Postmortem of the outage on 12 November", "high", "Done", ("2026-11-12", "2026-11-17"), "bob", "incident,docs", "bob", ("2026-11-12", "2026-11-16")),
        item(8, "Cancel the unused load balancer", "low", "Done", ("", ""), "carol", "cost", "alice", ("2026-11-04", "2026-11-13")),
        item(9, "Guest Wi-Fi in the meeting room is down", "none", "Backlog", ("", ""), "", "", "gus", ("2026-11-18", "2026-11-18")),
        item(10, "Disaster recovery drill", "high", "Backlog", ("", "2026-12-15"), "bob", "", "bob", ("2026-11-07", "2026-11-10")),
        Item { parent: 10, ..item(11, "Drill: fail over the database", "medium", "Backlog", ("", "2026-12-11"), "dave", "", "bob", ("2026-11-08", "2026-11-10")) },
        Item { parent: 10, ..item(12, "Drill: restore from cold storage", "medium", "Todo", ("", "2026-12-12"), "carol", "backup", "bob", ("2026-11-09", "2026-11-11")) },
        item(13, "Negotiate the hosting contract", "medium", "Waiting for vendor", ("2026-11-02", "2026-11-30"), "alice", "cost", "alice", ("2026-11-01", "2026-11-19")),
        item(14, "Remove the old VPN", "low", "Cancelled", ("", "2026-11-14"), "dave", "security", "dave", ("2026-11-03", "2026-11-15")),
    ],
    cycles: &[
        Group {
            name: "Ops 6",
            about: "",
            status: "archived",
            dates: ("2026-10-19T00:00:01Z", "2026-11-02T23:59:00Z"),
            people: "bob",
            items: &[],
        },
        Group {
            name: "Ops 7",
            about: "Clean up after the outage",
            status: "completed",
            dates: ("2026-11-03T00:00:01Z", "2026-11-17T23:59:00Z"),
            people: "bob",
            items: &[7, 8, 14],
        },
        Group {
            name: "Ops 8",
            about: "Backups and alerts",
            status: "current",
            dates: ("2026-11-18T00:00:01Z", "2026-12-02T23:59:00Z"),
            people: "bob",
            items: &[1, 2, 3, 4, 6, 13],
        },
        Group {
            name: "Ops 9",
            about: "The drill",
            status: "upcoming",
            dates: ("2026-12-03T00:00:01Z", "2026-12-17T23:59:00Z"),
            people: "bob",
            items: &[5, 10, 11, 12],
        },
    ],
    modules: &[
        Group {
            name: "Data centre move",
            about: "",
            status: "archived",
            dates: ("2026-06-01", "2026-09-30"),
            people: "dave",
            items: &[],
        },
        Group {
            name: "Disaster recovery",
            about: "We lose a region and nobody notices",
            status: "in-progress",
            dates: ("2026-11-01", "2026-12-31"),
            people: "bob dave carol",
            items: &[2, 4, 10, 11, 12],
        },
        Group {
            name: "Cost cutting",
            about: "",
            status: "planned",
            dates: ("", "2027-01-31"),
            people: "carol alice",
            items: &[8, 13],
        },
    ],
    comments: &[
        Comment {
            item: 1,
            by: "dave",
            day: "2026-11-16T10:00:00",
            html: "<p>Staging is done:</p><ul><li>reader role</li><li>writer role</li></ul>",
            edited: false,
        },
        Comment {
            item: 1,
            by: "bob",
            day: "2026-11-18T09:30:00",
            html: "<p>Production needs a <strong>maintenance window</strong>.</p>",
            edited: false,
        },
        Comment {
            item: 1,
            by: "alice",
            day: "2026-11-20T16:45:00",
            html: "<p>Agreed: Sunday, 22 November, 06:00 UTC.</p>",
            edited: true,
        },
        Comment {
            item: 6,
            by: "gus",
            day: "2026-11-20T07:15:00",
            html: "<p>The disk of the wiki was full again last night.</p>",
            edited: false,
        },
    ],
    links: &[
        (5, "Release notes", "https://example.com/postgresql-17"),
        (7, "Postmortem", "https://example.com/postmortems/2026-11-12"),
    ],
    files: &[
        (6, "alert.png", "image/png", 81_920),
        (7, "outage-timeline.pdf", "application/pdf", 48_213),
    ],
    changes: &[
        (1, "bob", "priority", "high", "urgent", "2026-11-09T08:00:00"),
        (1, "dave", "state", "Todo", "In Progress", "2026-11-10T08:30:00"),
        (1, "bob", "target_date", "2026-11-16", "2026-11-18", "2026-11-15T17:00:00"),
    ],
    intake: &[
        (15, "Printer on floor 2 prints blank pages", "gus", -2, 0),
        (16, "Buy new chairs", "dave", -1, 0),
        (17, "Renew the certificate of the blog", "carol", 0, 0),
        (18, "Alert when the queue is stuck", "bob", 1, 0),
        (19, "Wi-Fi does not work for visitors", "gus", 2, 9),
    ],
    ..NOTHING
};

#[expect(clippy::too_many_arguments, reason = "one line of a table")]
const fn item(
    number: i64,
    name: &'static str,
    priority: &'static str,
    state: &'static str,
    dates: (&'static str, &'static str),
    assignees: &'static str,
    labels: &'static str,
    by: &'static str,
    days: (&'static str, &'static str),
) -> Item {
    Item { number, name, priority, state, dates, assignees, labels, parent: 0, by, days }
}
