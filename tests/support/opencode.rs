//! A database as OpenCode leaves it, from recorded rows.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use rusqlite::Connection;

/// Writes it, closed properly.
pub fn record(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts/opencode");
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(&fs::read_to_string(data.join("schema.sql")).unwrap()).unwrap();
    let rows: serde_json::Value = serde_json::from_str(&fs::read_to_string(data.join("rows.json")).unwrap()).unwrap();
    for table in ["project", "session", "message"] {
        for row in rows[table].as_array().unwrap() {
            let columns: Vec<&String> = row.as_object().unwrap().keys().collect();
            let values: Vec<String> = columns.iter().map(|column| format!("value ->> '{column}'")).collect();
            let names: Vec<String> = columns.iter().map(|column| format!("`{column}`")).collect();
            let sql =
                format!("INSERT INTO {table} ({}) SELECT {} FROM (SELECT ?1 AS value)", names.join(","), values.join(","));
            connection.execute(&sql, [row.to_string()]).unwrap();
        }
    }
}
