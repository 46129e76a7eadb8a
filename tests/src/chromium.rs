//! A real browser without a screen: Chromium, driven over WebDriver (W3C) with a profile of its own.
//!
//! It shows what the scripted [`crate::browser`] cannot: that the pages work with the keyboard alone, can be read, and that
//! their policies hold in an engine that enforces them.

#![expect(
    clippy::indexing_slicing,
    reason = "reading an index of a JSON value never panics: what is missing is null"
)]

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use url::Url;

use crate::{
    ports::free_port,
    process::{Process, environment},
    scratch::Scratch,
    trouble::{Outcome, Trouble, While},
};

mod inspection;
mod keys;
pub use inspection::{Control, Inspection};
pub use keys::Key;

/// Quiet, alone, and without asking anybody: no window, no updates, no synchronisation; any certificate.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--ignore-certificate-errors",
    "--window-size=1000,800",
];

/// A running Chromium with one window. Dropping it ends driver, browser and profile.
#[derive(Debug)]
pub struct Chromium {
    http: reqwest::Client,
    session: String,
    port: u16,
    driver: Process,
    /// Gone after the driver.
    _profile: Scratch,
}

impl Chromium {
    /// Starts the driver in `CHROMEDRIVER` and with it the browser in `CHROMIUM`; without these variables, the programs of
    /// the same names on the `PATH`.
    ///
    /// # Errors
    /// When one is missing (the sentence says what to install) or does not come up.
    pub async fn start() -> Outcome<Self> {
        let driver = program("CHROMEDRIVER", "chromedriver")?;
        let browser = program("CHROMIUM", "chromium")?;
        let profile = Scratch::new("chromium")?;
        let home = profile.path().display().to_string();
        let variables = ["HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TMPDIR"]
            .map(|name| (name.to_owned(), home.clone()));
        let path = ("PATH".to_owned(), environment("PATH").unwrap_or_default());
        let variables: BTreeMap<_, _> = variables.into_iter().chain([path]).collect();
        let port = free_port()?;
        let arguments = [format!("--port={port}")];
        let mut driver = Process::start("chromedriver", driver.as_os_str(), arguments, &variables)?;
        let http = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build();
        let http = http.while_doing("build a WebDriver client")?;
        let root = format!("http://127.0.0.1:{port}");
        let status = format!("{root}/status");
        driver.wait_for("ready", async |_| http.get(&status).send().await.ok()).await?;

        let mut flags: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        flags.push(format!("--user-data-dir={home}/profile"));
        let options = json!({ "args": flags, "binary": browser.display().to_string() });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "acceptInsecureCerts": true,
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } });
        let session = format!("{root}/session");
        let started = exchange(http.post(&session).json(&wanted)).await;
        let started = started.map_err(|trouble| driver.trouble(&format!("starts no browser: {trouble}")))?;
        let id = started["sessionId"].as_str().unwrap_or_default();
        Ok(Self { session: format!("{session}/{id}"), port, http, driver, _profile: profile })
    }

    /// Loads a page, and waits until it is loaded.
    ///
    /// # Errors
    /// When the browser cannot.
    pub async fn visit(&self, url: &Url) -> Outcome {
        self.post("url", &json!({ "url": url.as_str() })).await.map(drop)
    }

    /// Where the window is.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub async fn url(&self) -> Outcome<String> {
        Ok(self.read("url").await?.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until a script gives something that is true, and returns it.
    ///
    /// # Errors
    /// When it does not; the sentence shows the page.
    pub async fn wait_until(&mut self, script: &str) -> Outcome<Value> {
        let (http, url) = (&self.http, format!("{}/execute/sync", self.session));
        let body = json!({ "script": format!("return {script}"), "args": [] });
        let found = self.driver.wait_for(script, async |_| {
            // Between two pages a script may fail: there is another try.
            let value = exchange(http.post(&url).json(&body)).await.ok()?;
            (!matches!(value, Value::Null | Value::Bool(false))).then_some(value)
        });
        match found.await {
            Ok(value) => Ok(value),
            Err(trouble) => {
                let page = self.run("document.documentElement.outerHTML").await.unwrap_or_default();
                Err(Trouble::new(format!("{trouble}\nat {}: {page}", self.url().await.unwrap_or_default())))
            }
        }
    }

    /// The value of a JavaScript expression in the page.
    ///
    /// # Errors
    /// When it throws.
    pub async fn run(&self, expression: &str) -> Outcome<Value> {
        let body = json!({ "script": format!("return {expression}"), "args": [] });
        self.post("execute/sync", &body).await
    }

    /// Presses keys, one after the other, on whatever has the focus.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub async fn press(&self, keys: &[Key<'_>]) -> Outcome {
        let presses: Vec<Value> = keys
            .iter()
            .flat_map(|key| key.characters())
            .flat_map(|one| ["keyDown", "keyUp"].map(|act| json!({ "type": act, "value": one.to_string() })))
            .collect();
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": presses }] });
        self.post("actions", &actions).await.map(drop)
    }

    /// Makes pages believe that the person likes it `light` or `dark`.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub async fn prefer(&self, scheme: &str) -> Outcome {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.command("Emulation.setEmulatedMedia", json!({ "features": features })).await.map(drop)
    }

    /// Makes the window this many CSS pixels wide.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub async fn resize(&self, width: u32, height: u32) -> Outcome {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", size).await.map(drop)
    }

    /// Keeps a picture of the page under `target/reports/screenshots/`; `name` has no suffix.
    ///
    /// # Errors
    /// When there is none, or it cannot be written.
    pub async fn screenshot(&self, name: &str) -> Outcome<PathBuf> {
        let picture = self.read("screenshot").await?;
        let picture =
            STANDARD.decode(picture.as_str().unwrap_or_default()).while_doing("read a screenshot")?;
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/reports/screenshots"));
        std::fs::create_dir_all(&folder).while_doing("make the folder of the screenshots")?;
        let file = folder.join(format!("{name}.png"));
        std::fs::write(&file, picture).while_doing("write a screenshot")?;
        Ok(file)
    }

    /// What the console said since the last call: refused loads, policies that were violated, errors.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub async fn console(&self) -> Outcome<Vec<String>> {
        let entries = self.post("se/log", &json!({ "type": "browser" })).await?;
        let entries = entries.as_array().cloned().unwrap_or_default();
        Ok(entries.iter().filter_map(|entry| Some(entry["message"].as_str()?.to_owned())).collect())
    }

    /// The DevTools events of network and navigation since the last call: method and parameters.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub async fn events(&self) -> Outcome<Vec<(String, Value)>> {
        let entries = self.post("se/log", &json!({ "type": "performance" })).await?;
        let entries = entries.as_array().cloned().unwrap_or_default();
        let told = entries.iter().filter_map(|entry| {
            let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let event = &message["message"];
            Some((event["method"].as_str()?.to_owned(), event["params"].clone()))
        });
        Ok(told.collect())
    }

    /// Goes on in the first frame of the page, or, with `false`, back in the page itself.
    ///
    /// # Errors
    /// When there is no frame.
    pub async fn enter_frame(&self, inside: bool) -> Outcome {
        let frame = if inside { json!(0) } else { Value::Null };
        self.post("frame", &json!({ "id": frame })).await.map(drop)
    }

    async fn command(&self, name: &str, parameters: Value) -> Outcome<Value> {
        self.post("goog/cdp/execute", &json!({ "cmd": name, "params": parameters })).await
    }

    async fn post(&self, path: &str, body: &Value) -> Outcome<Value> {
        exchange(self.http.post(format!("{}/{path}", self.session)).json(body)).await
    }

    async fn read(&self, path: &str) -> Outcome<Value> {
        exchange(self.http.get(format!("{}/{path}", self.session))).await
    }
}

impl Drop for Chromium {
    /// Asks the driver to end the browser, which would outlive a driver that is merely killed.
    fn drop(&mut self) {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let path = self.session.split_once("/session/").map_or("", |(_, id)| id);
        let request =
            format!("DELETE /session/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n");
        let (mut answer, mut piece) = (Vec::new(), [0; 1024]);
        let sent = stream.write_all(request.as_bytes()).is_ok();
        // The driver keeps the connection: its answer, a JSON object, says when the browser is gone.
        while sent && !answer.ends_with(b"}") {
            match stream.read(&mut piece) {
                Ok(length) if length > 0 => answer.extend(piece.iter().take(length)),
                Ok(_) | Err(_) => break,
            }
        }
    }
}

/// The program in the environment variable `variable`, else the one called `name` on the `PATH`.
fn program(variable: &str, name: &str) -> Outcome<PathBuf> {
    if let Some(path) = environment(variable) {
        return Ok(PathBuf::from(path));
    }
    let path = environment("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        let install = "install Debian's chromium and chromium-driver (`make test` does it as root)";
        Trouble::new(format!("no {name}: {install}, or set {variable} to its path"))
    })
}

/// Sends a WebDriver command and reads its value.
async fn exchange(request: reqwest::RequestBuilder) -> Outcome<Value> {
    let answer = request.send().await.while_doing("reach the WebDriver")?;
    let mut answer: Value = answer.json().await.while_doing("read a WebDriver answer")?;
    let value = answer.get_mut("value").map(Value::take).unwrap_or_default();
    match value.get("error").and_then(Value::as_str) {
        Some(error) => {
            let message = value.get("message").and_then(Value::as_str).unwrap_or_default();
            Err(Trouble::new(format!("the browser says {error}: {message}")))
        }
        None => Ok(value),
    }
}
