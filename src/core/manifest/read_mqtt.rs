//! The `mqtt:` section of a manifest. Never lets a password stand in it.

use std::path::PathBuf;

use serde_yaml::{Mapping, Value};

use super::Environment;
use super::names::{mqtt, top};
use super::remark::{Remark, Remarks, noun};
use crate::core::edit::Path;
use crate::core::mqtt::Section;

/// Reads the section.
pub(super) fn section(node: Option<&Value>, environment: &Environment, remarks: &mut Remarks) -> Section {
    let path = Path::root().key(top::MQTT);
    let fields = match node {
        None | Some(Value::Null) => return Section::default(),
        Some(Value::Mapping(fields)) => fields,
        Some(other) => {
            let hint = "mqtt: { broker: broker.example, tls: true }".to_owned();
            remarks.fatal(path, format!("`mqtt` must be a mapping, this is {}", noun(other)), Some(hint));
            return Section::default();
        }
    };
    if fields.contains_key(mqtt::PASSWORD) {
        // The remark is about the section's key: the line of the password itself must not be shown.
        remarks.push(Remark {
            path: path.clone(),
            about_key: true,
            fatal: true,
            message: "a password does not belong in a manifest".to_owned(),
            hint: Some("put it in a file with mode 600, and name that file with `password_file`".to_owned()),
        });
    }
    for key in fields.keys().filter_map(Value::as_str).filter(|key| *key != mqtt::PASSWORD && !mqtt::ALL.contains(key)) {
        remarks.unknown_key(path.key(key), key, mqtt::ALL.iter().map(|word| (*word).to_owned()));
    }
    let mut reader = Reader { fields, path, environment, remarks };
    Section {
        broker: reader.text(mqtt::BROKER),
        port: reader.port(),
        tls: reader.flag(mqtt::TLS),
        username: reader.text(mqtt::USERNAME),
        password_file: reader.file(mqtt::PASSWORD_FILE),
        ca_certs: reader.file(mqtt::CA_CERTS),
        certfile: reader.file(mqtt::CERTFILE),
        keyfile: reader.file(mqtt::KEYFILE),
        client_id_prefix: reader.text(mqtt::CLIENT_ID_PREFIX),
        root: reader.text(mqtt::ROOT),
    }
}

struct Reader<'a> {
    fields: &'a Mapping,
    path: Path,
    environment: &'a Environment,
    remarks: &'a mut Remarks,
}

impl<'a> Reader<'a> {
    fn value(&self, key: &str) -> Option<&'a Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    fn wrong(&mut self, key: &str, wanted: &str, value: &Value) {
        self.remarks.fatal(self.path.key(key), format!("`{key}` must be {wanted}, this is {}", noun(value)), None);
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let value = self.value(key)?;
        if value.as_str().is_none() {
            self.wrong(key, "text", value);
        }
        value.as_str().map(str::to_owned)
    }

    fn file(&mut self, key: &str) -> Option<PathBuf> {
        self.text(key).map(|text| self.environment.expand(&text))
    }

    fn flag(&mut self, key: &str) -> Option<bool> {
        let value = self.value(key)?;
        if value.as_bool().is_none() {
            self.wrong(key, "true or false", value);
        }
        value.as_bool()
    }

    fn port(&mut self) -> Option<u16> {
        let value = self.value(mqtt::PORT)?;
        let port = value.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
        if port.is_none() {
            self.remarks.fatal(self.path.key(mqtt::PORT), "`port` must be a number from 1 to 65535", None);
        }
        port
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::super::Manifest;
    use super::super::read::read;
    use super::*;

    fn load(text: &str) -> Result<(Manifest, Vec<Remark>), Vec<Remark>> {
        let value = serde_yaml::from_str(text).unwrap();
        read(&value, &value, &Environment { home: "/h".into(), host: "here".into() })
    }

    #[test]
    fn the_section_names_the_broker_and_files_below_home() {
        let text =
            "version: 1\nmqtt: { broker: b.example, port: 8884, tls: true, username: me, password_file: ~/.p, root: jobs }\n";
        let (manifest, remarks) = load(text).unwrap();
        assert_eq!(remarks, []);
        let expected = Section {
            broker: Some("b.example".into()),
            port: Some(8884),
            tls: Some(true),
            username: Some("me".into()),
            password_file: Some("/h/.p".into()),
            root: Some("jobs".into()),
            ..Section::default()
        };
        assert_eq!(manifest.mqtt, expected);
    }

    #[test]
    fn a_password_in_the_manifest_is_refused_and_not_repeated() {
        let remarks = load("version: 1\nmqtt:\n  broker: b\n  password: s3cret\n").unwrap_err();
        assert!(matches!(remarks.as_slice(), [remark] if remark.fatal && remark.about_key), "{remarks:?}");
        assert!(!format!("{remarks:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_of_the_wrong_type_is_refused_and_an_unknown_key_guessed() {
        for field in ["port: 0", "port: x", "tls: 3", "broker: [a]", "port: 70000"] {
            assert!(load(&format!("version: 1\nmqtt: {{ {field} }}\n")).is_err(), "{field}");
        }
        assert!(load("version: 1\nmqtt: broker\n").is_err());
        let (_, remarks) = load("version: 1\nmqtt: { brokr: b }\n").unwrap();
        assert_eq!(remarks[0].hint.as_deref(), Some("did you mean `broker`?"));
    }
}
