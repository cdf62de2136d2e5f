//! What can happen to the MQTT broker under a watch that listens and publishes. Never judges.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;

use super::{Fault, nothing};
use crate::matrix::Tried;
use crate::matrix::stage::Stage;
use crate::matrix::verb::Verb::Watch;
use crate::support::await_some;

pub(super) fn all() -> Vec<Fault> {
    let bus = |name, strike| Fault {
        from_the_start: true,
        verbs: &[Watch],
        watch_arguments: |_| vec!["--subscribe".to_owned(), "--publish".to_owned()],
        ..Fault::new(name, strike)
    };
    vec![
        bus("absent", |stage| {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            name(stage, port)
        }),
        bus("hangs: takes the connection and says nothing", |stage| {
            answering(stage, |stream| {
                let _ = stream.read(&mut [0; 64]);
                let _ = stream.read_to_end(&mut Vec::new());
            })
        }),
        bus("refuses every client", |stage| {
            answering(stage, |stream| {
                let _ = stream.read(&mut [0; 256]);
                // CONNACK, return code 5: not authorized.
                let _ = stream.write_all(&[0x20, 2, 0, 5]);
            })
        }),
        bus("speaks something else", |stage| {
            answering(stage, |stream| {
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            })
        }),
        Fault {
            from_the_start: true,
            ..bus("a real one, killed", |stage| {
                let broker = mosquitto(stage)?;
                let stop = stage.stop.clone();
                // Ended while the watch talks to it.
                std::thread::spawn(move || {
                    std::thread::sleep(std::time::Duration::from_millis(1500));
                    if !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        crate::zellij::signal(broker, rustix::process::Signal::KILL);
                    }
                });
                Ok(())
            })
        },
        bus("a real one, stopped", |stage| {
            let broker = mosquitto(stage)?;
            stage.wedge(broker);
            Ok(())
        }),
    ]
}

fn name(stage: &mut Stage, port: u16) -> Tried {
    stage.variables.push(("MQTT_BROKER".to_owned(), "127.0.0.1".to_owned()));
    stage.variables.push(("MQTT_PORT".to_owned(), port.to_string()));
    nothing(stage)
}

/// A listener that treats every client like this.
fn answering(stage: &mut Stage, with: fn(&mut TcpStream)) -> Tried {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || with(&mut stream));
        }
    });
    name(stage, port)
}

/// A mosquitto of this world's own, and its process.
fn mosquitto(stage: &mut Stage) -> Result<u32, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
    let program = places.map(|place| place.join("mosquitto")).find(|program| program.is_file());
    let program = program.ok_or("mosquitto is not installed")?;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let user = if rustix::process::geteuid().is_root() { "user root\n" } else { "" };
    let config = stage.root().join("mosquitto.conf");
    std::fs::write(&config, format!("listener {port} 127.0.0.1\n{user}allow_anonymous true\n")).unwrap();
    let mut command = stage.command(program);
    command.arg("-c").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().map_err(|error| format!("mosquitto: {error}"))?;
    let broker = child.id();
    stage.children.push(child);
    await_some("the broker", || TcpStream::connect(("127.0.0.1", port)).ok());
    name(stage, port)?;
    Ok(broker)
}
