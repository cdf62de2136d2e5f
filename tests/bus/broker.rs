//! A mosquitto of a test's own, ended by its pid whatever becomes of the test, and what speaks to it from outside.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use headcount::bus::{Bus, BusOptions, ConnectionState, Inbox, Message, Payload};
use headcount::core::mqtt::{Broker as Address, Section};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long anything that must happen may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Broker {
    pub(crate) dir: TempDir,
    pub(crate) port: u16,
    extra: String,
    child: Option<Child>,
}

/// The broker's program; Debian has it where an ordinary PATH does not look.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    places.map(|place| place.join("mosquitto")).find(|program| program.is_file())
}

/// A broker anybody may use, or `None` with a word about it if there is none to be had.
pub(crate) fn open() -> Option<Broker> {
    with("allow_anonymous true\n", |_| {})
}

/// A broker with this configuration; `prepare` may put files into its directory, which is `DIR` in the text.
pub(crate) fn with(config: &str, prepare: impl FnOnce(&std::path::Path)) -> Option<Broker> {
    if program().is_none() {
        let _ = writeln!(std::io::stderr(), "SKIPPED a test of the bus: mosquitto is not installed");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    let extra = config.replace("DIR", dir.path().to_str().unwrap());
    let mut broker = Broker { dir, port: 0, extra, child: None };
    // Another program may take the port between the look and the use.
    for _ in 0..5 {
        broker.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if broker.start() {
            return Some(broker);
        }
    }
    panic!("mosquitto does not start: {}", broker.log());
}

impl Broker {
    /// Starts it, again if it ran before, and waits until it listens.
    pub(crate) fn start(&mut self) -> bool {
        let dir = self.dir.path().display();
        let user = if rustix::process::geteuid().is_root() { "user root\n" } else { "" };
        let config = format!(
            "listener {} 127.0.0.1\n{user}persistence true\npersistence_location {dir}/\nlog_dest file {dir}/log\n{}",
            self.port, self.extra
        );
        let path = self.dir.path().join("conf");
        std::fs::write(&path, config).unwrap();
        let mut command = Command::new(program().unwrap());
        command.arg("-c").arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            if self.child.as_mut().unwrap().try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.as_ref().unwrap().id();
        kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
    }

    /// Ends it with this signal and waits until it is gone.
    pub(crate) fn end(&mut self, signal: Signal) {
        self.signal(signal);
        self.child.take().unwrap().wait().unwrap();
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// The broker as the environment would name it, with these variables as well.
    pub(crate) fn address(&self, variables: &[(&str, &str)]) -> Address {
        let port = self.port.to_string();
        let all: Vec<(&str, &str)> =
            [("MQTT_BROKER", "127.0.0.1"), ("MQTT_PORT", &port)].into_iter().chain(variables.iter().copied()).collect();
        let variable = |name: &str| all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Address::resolve(&Section::default(), variable).unwrap().unwrap()
    }

    /// Options of a client that hears all jobs, and hurries.
    pub(crate) fn options(&self, variables: &[(&str, &str)]) -> BusOptions {
        let subscribe = vec!["jobs/+/events".to_owned()];
        let backoff = (Duration::from_millis(20), Duration::from_millis(200));
        let keep_alive = Duration::from_secs(1);
        BusOptions { subscribe, backoff, keep_alive, ..BusOptions::new(self.address(variables), "under-test".to_owned()) }
    }

    /// `mosquitto_pub`, which waits for the broker's acknowledgement.
    pub(crate) fn publish(&self, topic: &str, payload: &[u8], more: &[&str]) {
        assert!(self.try_publish(topic, payload, more), "{topic}");
    }

    /// The same; whether the client and the broker let it through.
    pub(crate) fn try_publish(&self, topic: &str, payload: &[u8], more: &[&str]) -> bool {
        let mut child = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-q", "1", "-t", topic, "-s"])
            .args(more)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // One that refuses the topic reads nothing.
        let _ = child.stdin.take().unwrap().write_all(payload);
        child.wait().unwrap().success()
    }

    /// The retained value of a topic, as somebody who comes now is told it; nothing if there is none.
    pub(crate) fn retained(&self, topic: &str) -> String {
        let output = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-q", "1", "-C", "1", "-W", "1", "-t", topic])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The same as [`Broker::retains`] while clients go on on this thread.
    pub(crate) async fn comes(&self, topic: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let port = self.port.to_string();
            let output = tokio::process::Command::new("mosquitto_sub")
                .args(["-h", "127.0.0.1", "-p", &port, "-q", "1", "-C", "1", "-W", "1", "-t", topic])
                .output();
            let value = String::from_utf8(output.await.unwrap().stdout).unwrap().trim().to_owned();
            if wanted(&value) {
                return value;
            }
            assert!(Instant::now() < deadline, "{topic} is {value:?}\n{}", self.log());
        }
    }

    /// Waits until the retained value of a topic is as wanted, and gives it.
    pub(crate) fn retains(&self, topic: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.retained(topic);
            if wanted(&value) {
                return value;
            }
            assert!(Instant::now() < deadline, "{topic} is {value:?}\n{}", self.log());
        }
    }
}

/// Hears all that jobs publish, from now on.
pub(crate) struct Listener {
    heard: PathBuf,
    child: Child,
}

impl Listener {
    pub(crate) fn of(broker: &Broker) -> Self {
        let heard = broker.dir.path().join("heard");
        let file = std::fs::File::create(&heard).unwrap();
        let mut command = Command::new("mosquitto_sub");
        command.args(["-h", "127.0.0.1", "-p", &broker.port.to_string(), "-q", "1", "-W", "120", "-t", "python/mqtt/jobs/#"]);
        let child = command.stdout(Stdio::from(file)).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while std::fs::read(&heard).unwrap().is_empty() {
            broker.publish("python/mqtt/jobs/none", b"listening", &[]);
            assert!(Instant::now() < deadline, "the listener hears nothing");
        }
        Self { heard, child }
    }

    /// The events that came, in their order.
    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(&self.heard).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // A stopped one is killed as well.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A bus under test.
pub(crate) struct Client {
    pub(crate) bus: Bus,
    pub(crate) inbox: Inbox,
}

impl Client {
    pub(crate) fn start(options: BusOptions) -> Self {
        let (bus, inbox) = Bus::start(options);
        Self { bus, inbox }
    }

    /// The next state for which `wanted` is true, those before it passed over.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&ConnectionState) -> bool) -> ConnectionState {
        let mut seen = Vec::new();
        let search = async {
            loop {
                let state = self.inbox.states.recv().await.unwrap();
                if wanted(&state) {
                    return state;
                }
                seen.push(state);
            }
        };
        match tokio::time::timeout(PATIENCE, search).await {
            Ok(state) => state,
            Err(_) => panic!("waited in vain; seen: {seen:?}"),
        }
    }

    pub(crate) async fn subscribed(&mut self) {
        self.until(|state| *state == ConnectionState::Subscribed).await;
    }

    /// The next message, acknowledged.
    pub(crate) async fn message(&mut self) -> Message {
        let message = self.unacknowledged().await;
        self.bus.publisher().acknowledge(std::slice::from_ref(&message));
        message
    }

    pub(crate) async fn unacknowledged(&mut self) -> Message {
        tokio::time::timeout(PATIENCE, self.inbox.messages.recv()).await.expect("no message came").unwrap()
    }

    /// The payload of the next message, acknowledged.
    pub(crate) async fn text(&mut self) -> String {
        match self.message().await.payload {
            Payload::Whole(bytes) => String::from_utf8(bytes).unwrap(),
            Payload::TooLong(length) => format!("too long: {length}"),
        }
    }

    pub(crate) async fn stop(self) {
        self.bus.stop(PATIENCE).await;
    }
}
