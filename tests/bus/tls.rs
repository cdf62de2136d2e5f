//! TLS: an authority of the test's own, a client certificate, and what must not be trusted.

use std::path::Path;
use std::process::Command;

use headcount::bus::ConnectionState;

use crate::broker::{self, Broker, Client};

fn openssl(dir: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, a broker's certificate for 127.0.0.1, a client's, and a stranger's authority.
fn certificates(dir: &Path) {
    for authority in ["ca", "stranger"] {
        openssl(
            dir,
            &format!(
                "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={authority} -keyout {authority}.key -out {authority}.crt"
            ),
        );
    }
    std::fs::write(dir.join("server.ext"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    std::fs::write(dir.join("client.ext"), "extendedKeyUsage=clientAuth\n").unwrap();
    for name in ["server", "client"] {
        openssl(dir, &format!("req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"));
        openssl(
            dir,
            &format!(
                "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile {name}.ext -out {name}.crt"
            ),
        );
    }
}

fn broker(more: &str) -> Option<Broker> {
    if Command::new("openssl").arg("version").output().is_err() {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED a test of TLS: openssl is not installed\n");
        return None;
    }
    let config = "allow_anonymous true\ncafile DIR/ca.crt\ncertfile DIR/server.crt\nkeyfile DIR/server.key\n";
    broker::with(&format!("{config}{more}"), certificates)
}

fn file(broker: &Broker, name: &str) -> String {
    broker.dir.path().join(name).to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_broker_that_a_named_authority_vouches_for_is_spoken_to() {
    let Some(broker) = broker("") else { return };
    let mut client = Client::start(broker.options(&[("MQTT_CA_CERTS", &file(&broker, "ca.crt"))]));
    client.subscribed().await;
}

#[tokio::test]
async fn a_broker_that_nobody_trusted_vouches_for_is_not_spoken_to_and_the_reason_is_said() {
    let Some(broker) = broker("") else { return };
    let stranger = file(&broker, "stranger.crt");
    let mut client = Client::start(broker.options(&[("MQTT_CA_CERTS", &stranger)]));
    let state = client.until(|_| true).await;
    assert!(matches!(&state, ConnectionState::Lost { why } if why.contains("certificate")), "{state:?}");
}

#[tokio::test]
async fn a_client_certificate_lets_in_where_one_is_asked_for() {
    let Some(broker) = broker("require_certificate true\n") else { return };
    let ca = file(&broker, "ca.crt");
    let mut stranger = Client::start(broker.options(&[("MQTT_CA_CERTS", &ca)]));
    let state = stranger.until(|_| true).await;
    assert!(matches!(state, ConnectionState::Lost { .. }), "{state:?}");
    let (certificate, key) = (file(&broker, "client.crt"), file(&broker, "client.key"));
    let variables = [("MQTT_CA_CERTS", &*ca), ("MQTT_CERTFILE", &certificate), ("MQTT_KEYFILE", &key)];
    let mut client = Client::start(broker.options(&variables));
    client.subscribed().await;
}

#[tokio::test]
async fn a_certificate_file_that_is_none_is_named_and_tried_again() {
    let Some(broker) = broker("") else { return };
    let path = broker.dir.path().join("mine.crt");
    std::fs::write(&path, "no certificate\n").unwrap();
    let mut client = Client::start(broker.options(&[("MQTT_CA_CERTS", path.to_str().unwrap())]));
    let state = client.until(|_| true).await;
    assert!(matches!(&state, ConnectionState::Unusable { why } if why.contains("mine.crt")), "{state:?}");
    std::fs::copy(broker.dir.path().join("ca.crt"), &path).unwrap();
    client.subscribed().await;
}
