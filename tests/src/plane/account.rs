//! The caller's own things in the app API: profile, workspaces, API tokens.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, Outcome};
use super::pages::Page;
use super::rows::{Query, Scope};
use super::seed::capture;
use super::world::{ApiKey, World, set};

pub(super) fn me_in_app(world: &World, user: &str) -> Outcome {
    let user = world.user(user).ok_or_else(Answer::no_row)?;
    let mut row = capture!("app_users_me");
    set(
        &mut row,
        [
            ("id", json!(user.id)),
            ("email", json!(user.email)),
            ("username", json!(user.name())),
            ("display_name", json!(user.name())),
            ("first_name", json!(user.first_name)),
            ("last_name", json!(user.last_name)),
            ("date_joined", json!(user.joined)),
        ],
    );
    Ok(Answer::ok(row))
}

/// The caller's workspaces as a bare array, each with the caller's role.
pub(super) fn workspaces(world: &World, user: &str) -> Outcome {
    let mine = world.workspaces.iter().filter_map(|workspace| {
        let role = workspace.members.get(user)?;
        let mut row = workspace.row.clone();
        set(&mut row, [("role", json!(role.number())), ("total_members", json!(workspace.members.len()))]);
        Some(row)
    });
    Ok(Answer::ok(mine.collect()))
}

pub(super) fn workspace(world: &World, slug: &str) -> Outcome {
    let workspace = world.workspace(slug).ok_or_else(Answer::no_row)?;
    let mut row = workspace.row.clone();
    if let Some(row) = row.as_object_mut() {
        row.remove("role");
    }
    set(&mut row, [("total_members", json!(workspace.members.len()))]);
    Ok(Answer::ok(row))
}

/// The caller's own notes, all of them or one.
pub(super) fn stickies(world: &World, slug: &str, user: &str, id: &Option<String>, query: &Query) -> Outcome {
    let mut captured = capture!("list_stickies");
    let rows = captured.get_mut("results").map(Value::take).unwrap_or_default();
    let home = world.workspace(slug).and_then(|workspace| workspace.row.get("id")).cloned();
    let is_mine =
        |row: &&Value| row.get("owner") == Some(&json!(user)) && row.get("workspace") == home.as_ref();
    let rows: Vec<Value> = rows.as_array().into_iter().flatten().filter(is_mine).cloned().collect();
    let scope = Scope { world, slug, project: None };
    match id {
        None => Ok(Answer::ok(Page::asked_or(query, 20)?.envelope(rows))),
        Some(id) => scope.one(&rows, id, query),
    }
}

pub(super) fn tokens(world: &World, user: &str) -> Outcome {
    Ok(Answer::ok(world.keys.iter().filter(|key| key.user == user).map(row).collect()))
}

pub(super) fn token(world: &World, user: &str, id: &str) -> Outcome {
    let key = world.keys.iter().find(|key| key.user == user && key.id == id);
    Ok(Answer::ok(row(key.ok_or_else(Answer::no_row)?)))
}

/// Mints a token; this answer is the only one that holds it.
pub(super) fn mint(world: &mut World, user: &str, body: &Bytes, now: u64) -> Outcome {
    let wish: Value = serde_json::from_slice(body).map_err(|_| Answer::unparsable("JSON parse error"))?;
    let said = |name: &str| wish.get(name).and_then(Value::as_str);
    let (label, description) = (said("label").unwrap_or("token"), said("description").unwrap_or_default());
    let key = world.mint_key(user, label, description, said("expired_at").map(str::to_owned), now);
    let mut row = row(&key);
    set(&mut row, [("token", json!(key.token))]);
    Ok(Answer::json(StatusCode::CREATED, row))
}

/// Deletes a token; it stops working at once.
pub(super) fn delete_token(world: &mut World, user: &str, id: &str) -> Outcome {
    let before = world.keys.len();
    world.keys.retain(|key| key.user != user || key.id != id);
    if world.keys.len() < before { Ok(Answer::no_content()) } else { Err(Answer::no_row()) }
}

fn row(key: &ApiKey) -> Value {
    json!({
        "id": key.id,
        "is_active": true,
        "created_at": key.created,
        "updated_at": key.created,
        "deleted_at": null,
        "label": key.label,
        "description": key.description,
        "last_used": null,
        "user_type": 0,
        "expired_at": key.expires,
        "is_service": false,
        "allowed_rate_limit": "60/min",
        "created_by": key.user,
        "updated_by": null,
        "user": key.user,
        "workspace": null,
    })
}
