//! Generates, from `proto/prism.proto`, the protobuf messages with a compiler written in Rust, so that no `protoc` is
//! needed, and for `src/wire.rs` the table of each message's fields.

use std::error::Error;
use std::fmt::Write;
use std::{env, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto/prism.proto");
    let descriptors = protox::compile(["proto/prism.proto"], ["proto"])?;

    let mut tables = String::new();
    for file in &descriptors.file {
        let scope = format!(".{}", file.package());
        let mut messages: Vec<_> = file
            .message_type
            .iter()
            .map(|message| (scope.clone(), message))
            .collect();
        while let Some((scope, message)) = messages.pop() {
            let full_name = format!("{scope}.{}", message.name());
            writeln!(
                tables,
                "pub(crate) static {}: Fields = Fields(&[",
                table_name(&full_name)
            )?;
            for field in &message.field {
                let kind = match field.r#type().as_str_name() {
                    "TYPE_MESSAGE" => format!("FieldKind::Message(&{})", table_name(field.type_name())),
                    "TYPE_STRING" | "TYPE_BYTES" => "FieldKind::Bytes".to_owned(),
                    "TYPE_INT32" | "TYPE_INT64" | "TYPE_ENUM" => "FieldKind::Varint".to_owned(),
                    other => return Err(format!("src/wire.rs does not know fields of {other}").into()),
                };
                writeln!(tables, "    ({}, {kind}),", field.number())?;
            }
            writeln!(tables, "]);")?;
            messages.extend(message.nested_type.iter().map(|nested| (full_name.clone(), nested)));
        }
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("fields.rs"), tables)?;

    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}

/// `.prism.PrismObject` → `PRISM_PRISMOBJECT`.
fn table_name(full_name: &str) -> String {
    full_name.trim_start_matches('.').replace('.', "_").to_uppercase()
}
