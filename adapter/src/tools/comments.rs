//! Comments of a work item.

use serde::Serialize;

use super::arguments::{Parameter, Shape};
use super::names::{Directory, Kind, Names};
use super::work_items::{self, Located, locate, seconds};
use super::{Action, Call, Code, Entry, Failure, READ, kept, markdown};
use crate::plane::PlaneError;
use crate::plane::path::{Path, Slug, Uuid};
use crate::plane::shapes::work_item::Comment;
use crate::plane::shapes::{Page, Reference};

/// `list_comments`
pub(super) const LIST_COMMENTS: Entry = Entry {
    name: "list_comments",
    title: "List comments",
    description: "The discussion of one work item: who commented, when and what, as Markdown. Long comments are cut; \
        comment reads one in full.",
    parameters: &[
        super::workspaces::WORKSPACE_SLUG,
        locate::WORK_ITEM,
        locate::ITS_PROJECT,
        Parameter { name: "comment", shape: Shape::Uuid, required: false, description: "" },
        Parameter {
            name: "order",
            shape: Shape::Choice(&["newest_first", "oldest_first"]),
            required: false,
            description: "",
        },
        work_items::PER_PAGE,
        work_items::CURSOR,
    ],
    scope: READ,
    action: Action::ListComments,
};

/// Characters of a comment in a list.
const LISTED: usize = 1500;
/// Characters of one comment.
const FULL: usize = 50_000;

/// A page of comments.
#[derive(Debug, Serialize)]
pub(super) struct Comments {
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    comments: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    /// When it was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_at: Option<String>,
    text: String,
}

/// Lists one page, or one comment.
pub(super) async fn list(call: &Call<'_>) -> Result<Comments, Failure> {
    let (slug, item) = locate::arguments(call).await?;
    if let Some(id) = call.arguments.text("comment").and_then(Uuid::parse) {
        return one(call, &slug, &item, &id).await;
    }
    let answer = if call.arguments.text("order") == Some("oldest_first") {
        oldest_first(call, &slug, &item).await?
    } else {
        let path = work_items::paged(path(&slug, &item), &call.arguments)?;
        let page: Page<Comment> = match call.plane.ask(call.caller, path).await {
            Ok(page) => page,
            Err(error) => return Err(locate::failure(call, error, &slug, &item).await),
        };
        let (total, next_cursor) = (page.total_results, page.next());
        Comments::of(call, &slug, &item, page.results, LISTED).await.with(total, next_cursor)
    };
    if answer.comments.is_empty() {
        locate::check(call, &slug, &item).await?;
    }
    Ok(answer)
}

/// The newest, for an answer about the item; says where the rest is.
pub(super) async fn newest(
    call: &Call<'_>,
    slug: &Slug,
    item: &Located,
    most: u32,
) -> Result<Comments, Failure> {
    let path = path(slug, item).query("per_page", &most.to_string());
    let page: Page<Comment> = match call.plane.ask(call.caller, path).await {
        Ok(page) => page,
        Err(error) => return Err(locate::failure(call, error, slug, item).await),
    };
    let more = page.next_page_results.then_some("list_comments has the older ones");
    let total = page.total_results;
    Ok(Comments { more, ..Comments::of(call, slug, item, page.results, LISTED).await.with(total, None) })
}

/// Plane's list has one order, newest first: it is read whole and turned.
async fn oldest_first(call: &Call<'_>, slug: &Slug, item: &Located) -> Result<Comments, Failure> {
    let mut rows: Vec<Comment> = match kept::fresh_rows(call, || path(slug, item)).await {
        Ok(rows) => rows,
        Err(error) => return Err(locate::failure(call, error, slug, item).await),
    };
    rows.reverse();
    let total = Some(rows.len() as u64);
    let (rows, next_cursor) = work_items::slice(rows, &call.arguments)?;
    Ok(Comments::of(call, slug, item, rows, LISTED).await.with(total, next_cursor))
}

async fn one(call: &Call<'_>, slug: &Slug, item: &Located, id: &Uuid) -> Result<Comments, Failure> {
    let path = locate::of_item(slug, item).literal("comments/").part(id.as_str()).query("expand", "actor");
    match call.plane.ask::<Comment>(call.caller, path).await {
        Ok(comment) => Ok(Comments::of(call, slug, item, vec![comment], FULL).await),
        Err(PlaneError::NotFound) => {
            locate::check(call, slug, item).await?;
            let message = format!("{} has no comment {}.", item.label, id.as_str());
            Err(Failure {
                hint: "Use list_comments without comment for the ids.".to_owned(),
                ..Failure::of(Code::ArgumentInvalid, message)
            })
        }
        Err(error) => Err(locate::failure(call, error, slug, item).await),
    }
}

fn path(slug: &Slug, item: &Located) -> Path {
    let path = locate::of_item(slug, item).literal("comments/");
    path.query("fields", "id,actor,comment_html,created_at,edited_at").query("expand", "actor")
}

impl Comments {
    async fn of(call: &Call<'_>, slug: &Slug, item: &Located, rows: Vec<Comment>, most: usize) -> Self {
        let texts: Vec<String> = rows
            .iter()
            .map(|row| markdown::of_html(row.comment_html.as_deref().unwrap_or_default()))
            .collect();
        // Most comments mention nobody.
        let directory = if texts.iter().any(|text| markdown::has_mention(text)) {
            Names::new(call, slug, Some(&item.project)).directory(&[Kind::Member]).await
        } else {
            Directory::default()
        };
        let row = |(row, text): (Comment, String)| Row {
            id: row.id,
            at: row.created_at.map(seconds),
            author: row.actor.as_ref().and_then(Reference::label),
            edited_at: row.edited_at.map(seconds),
            text: markdown::cut(&markdown::name_mentions(&text, |id| directory.member(id)), most),
        };
        let comments = rows.into_iter().zip(texts).map(row).collect();
        Self { total: None, comments, next_cursor: None, more: None }
    }

    fn with(self, total: Option<u64>, next_cursor: Option<String>) -> Self {
        Self { total, next_cursor, ..self }
    }
}
