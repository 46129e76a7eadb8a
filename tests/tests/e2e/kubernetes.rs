//! `deploy/traefik/kubernetes.yaml` says the same as the files that the other tests run: a cluster is not needed to see that.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;
use serde_json::{Map, Value, json};

const KEPT: [&str; 2] = ["forward-auth", "inline"];

fn text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/traefik").join(name);
    fs::read_to_string(path).unwrap()
}

fn file(way: &str) -> Value {
    serde_norway::from_str::<Value>(&text(&format!("{way}.yaml"))).unwrap()["http"].take()
}

/// The custom resources of one kind, by way and name: each is labelled with the ways it is for.
fn resources(kind: &str, way: &str) -> BTreeMap<String, Value> {
    let all = text("kubernetes.yaml");
    let documents =
        serde_norway::Deserializer::from_str(&all).map(|document| Value::deserialize(document).unwrap());
    let wanted = documents.filter(|resource| {
        let way_of = resource["metadata"]["labels"]["mcp-edge/way"].as_str().unwrap();
        assert!(way_of == "both" || KEPT.contains(&way_of), "{way_of}");
        assert_eq!(resource["apiVersion"], "traefik.io/v1alpha1");
        resource["kind"] == kind && (way_of == way || way_of == "both")
    });
    let named = wanted.map(|mut resource| {
        let name = resource["metadata"]["name"].as_str().unwrap().to_owned();
        (name, resource["spec"].take())
    });
    named.collect()
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

#[test]
fn the_middlewares_are_those_of_the_files() {
    for way in KEPT {
        let ours: BTreeMap<_, _> = object(&file(way)["middlewares"])
            .iter()
            .map(|(name, spec)| (name.clone(), spec.clone()))
            .collect();
        assert!(!ours.is_empty());
        assert_eq!(resources("Middleware", way), ours, "{way}");
    }
}

#[test]
fn the_routers_are_those_of_the_files() {
    for way in KEPT {
        let file = file(way);
        let entry = |service: &str| {
            let url = file["services"][service]["loadBalancer"]["servers"][0]["url"].as_str().unwrap();
            let (host, port) = url.trim_start_matches("http://").split_once(':').unwrap();
            json!({ "name": host, "port": port.parse::<u16>().unwrap() })
        };
        let mut expected = Vec::new();
        for (name, router) in object(&file["routers"]) {
            let mut route = json!({
                "kind": "Rule",
                "match": router["rule"].as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" "),
                "services": [entry(router["service"].as_str().unwrap())],
            });
            if let Some(middlewares) = router["middlewares"].as_array() {
                let names: Vec<_> = middlewares.iter().map(|name| json!({ "name": name })).collect();
                route["middlewares"] = Value::Array(names);
            }
            expected.push((name.clone(), route, router["entryPoints"].clone()));
        }
        let mut found = Vec::new();
        for (name, spec) in resources("IngressRoute", way) {
            let [route] = spec["routes"].as_array().unwrap().as_slice() else {
                panic!("{name}: one route each")
            };
            let mut route = route.clone();
            let one_line = route["match"].as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
            route["match"] = Value::String(one_line);
            found.push((name, route, spec["entryPoints"].clone()));
            assert!(spec["tls"].is_object());
        }
        expected.sort_by(|one, other| one.0.cmp(&other.0));
        found.sort_by(|one, other| one.0.cmp(&other.0));
        assert_eq!(found, expected, "{way}");
    }
}
