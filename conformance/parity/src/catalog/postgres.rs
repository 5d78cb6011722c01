//! `pg_catalog`, read into the representation. Objects of extensions and of the server itself are left out.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use crate::classes;
use crate::engine::Engine;
use crate::lexer;
use crate::model::{
    Check, Column, ForeignKey, Index, IndexColumn, Key, Numbered, Other, Schema, Table, Trigger, View, is_runner_table,
};
use crate::origin::History;

const RELATIONS: &str = "
SELECT c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind, c.relispartition,
    coalesce(
        (SELECT r.xmin::text::int8 FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename = '_RETURN'),
        (SELECT a.xmin::text::int8 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = -1),
        c.xmin::text::int8
    ) AS transaction,
    CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid, true) END AS query
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname, c.relname";

const COLUMNS: &str = "
WITH RECURSIVE base (type, of, modifier, not_null, fallback, checks) AS (
    SELECT t.oid, t.oid, -1, false, NULL::text COLLATE \"C\", ARRAY[]::text[] COLLATE \"C\" FROM pg_type t WHERE t.typtype <> 'd'
    UNION ALL
    SELECT d.oid, b.of, CASE WHEN d.typtypmod >= 0 THEN d.typtypmod ELSE b.modifier END, b.not_null OR d.typnotnull,
        coalesce(d.typdefault, b.fallback) COLLATE \"C\",
        (b.checks || ARRAY(
            SELECT pg_get_expr(k.conbin, 0) FROM pg_constraint k WHERE k.contypid = d.oid AND k.contype = 'c' ORDER BY k.conname
        )) COLLATE \"C\"
    FROM pg_type d JOIN base b ON d.typbasetype = b.type WHERE d.typtype = 'd'
)
SELECT a.attrelid::int8 AS oid, a.attname::text AS name,
    format_type(b.of, CASE WHEN a.atttypmod >= 0 THEN a.atttypmod ELSE b.modifier END) AS declared,
    t.typname::text AS type, t.typcategory::text AS category,
    a.attnotnull OR b.not_null AS not_null, a.attidentity <> '' AS identity, a.attidentity = 'a' AS always, a.attgenerated <> '' AS generated,
    coalesce(pg_get_expr(d.adbin, d.adrelid), b.fallback) AS expression,
    CASE WHEN a.attcollation <> t.typcollation THEN (SELECT o.collname::text FROM pg_collation o WHERE o.oid = a.attcollation) END
        AS collation,
    ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = b.of ORDER BY e.enumsortorder) AS labels,
    b.checks, a.xmin::text::int8 AS transaction
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN base b ON b.type = a.atttypid
    JOIN pg_type t ON t.oid = b.of LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attrelid >= 16384
ORDER BY a.attrelid, a.attnum";

const CONSTRAINTS: &str = "
SELECT k.conrelid::int8 AS oid, k.conname::text AS name, k.contype::text AS kind, k.conindid::int8 AS index,
    pg_get_constraintdef(k.oid) AS definition, pg_get_expr(k.conbin, k.conrelid) AS expression,
    k.condeferred AS deferred, k.confmatchtype = 'f' AS match_full,
    ARRAY(
        SELECT a.attname::text
        FROM jsonb_array_elements_text(coalesce(nullif(to_jsonb(k) -> 'confdelsetcols', 'null'), '[]')) AS u (number)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number::int2 ORDER BY a.attnum
    ) AS on_delete_columns,
    k.confdeltype::text AS on_delete, k.confupdtype::text AS on_update, k.confrelid::int8 AS parent,
    ARRAY(
        SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (number, at)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY u.at
    ) AS columns,
    ARRAY(
        SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u (number, at)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number ORDER BY u.at
    ) AS parent_columns,
    k.xmin::text::int8 AS transaction
FROM pg_constraint k
WHERE k.conrelid >= 16384 AND k.contype IN ('p', 'u', 'f', 'c', 'x')
ORDER BY k.conrelid, k.conname";

const INDEXES: &str = "
SELECT i.indrelid::int8 AS oid, i.indexrelid::int8 AS index, c.relname::text AS name, i.indisunique, i.indisprimary,
    m.amname::text AS method, i.indnkeyatts::int4 AS keys,
    ARRAY(SELECT pg_get_indexdef(i.indexrelid, k, true) FROM generate_series(1, i.indnatts) k ORDER BY k) AS expressions,
    ARRAY(
        SELECT coalesce((SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[k - 1]), '')
        FROM generate_series(1, i.indnatts) k ORDER BY k
    ) AS names,
    ARRAY(SELECT i.indoption[k - 1]::int4 FROM generate_series(1, i.indnkeyatts) k ORDER BY k) AS options,
    ARRAY(
        SELECT coalesce((
            SELECT o.collname::text FROM pg_collation o
            WHERE o.oid = i.indcollation[k - 1] AND o.oid <> 100 AND NOT EXISTS (
                SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[k - 1] AND a.attcollation = o.oid
            )
        ), '')
        FROM generate_series(1, i.indnkeyatts) k ORDER BY k
    ) AS collations,
    pg_get_expr(i.indpred, i.indrelid) AS predicate,
    EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')) AS is_constraint,
    coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false) AS nulls_not_distinct,
    i.xmin::text::int8 AS transaction
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
WHERE i.indrelid >= 16384
ORDER BY i.indrelid, c.relname";

/// The sequences of columns: each is a statement of its own in a dump.
const SEQUENCES: &str = "
SELECT c.relname::text FROM pg_class c WHERE c.relkind = 'S' AND c.oid >= 16384
    AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i'))";

const TRIGGERS: &str = "
SELECT t.tgrelid::int8 AS oid, t.tgname::text AS name, t.tgtype::int4 AS bits,
    ARRAY(
        SELECT a.attname::text FROM unnest(t.tgattr) AS u (number)
        JOIN pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum = u.number ORDER BY 1
    ) AS columns,
    p.prosrc::text AS body, t.xmin::text::int8 AS transaction
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal
ORDER BY t.tgrelid, t.tgname";

const OTHERS: &str = "
WITH own AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
of_extension AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e')
SELECT 'function' AS kind, p.proname::text AS name FROM pg_proc p JOIN own ON own.oid = p.pronamespace
WHERE NOT EXISTS (SELECT FROM of_extension e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid)
UNION
SELECT 'sequence', c.relname::text FROM pg_class c JOIN own ON own.oid = c.relnamespace
WHERE c.relkind = 'S' AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i', 'e')
)
UNION SELECT 'extension', extname::text FROM pg_extension WHERE extname <> 'plpgsql'
UNION
SELECT CASE t.typtype WHEN 'e' THEN 'enumerated type' WHEN 'd' THEN 'domain' ELSE 'composite type' END, t.typname::text
FROM pg_type t JOIN own ON own.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE (t.typtype IN ('e', 'd') OR (t.typtype = 'c' AND c.relkind = 'c'))
    AND NOT EXISTS (SELECT FROM of_extension e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid)
UNION SELECT 'policy', polname::text FROM pg_policy
UNION
SELECT 'rule', r.rulename::text FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN own ON own.oid = c.relnamespace
WHERE r.rulename <> '_RETURN'
UNION SELECT 'statistics', s.stxname::text FROM pg_statistic_ext s JOIN own ON own.oid = s.stxnamespace
UNION SELECT 'publication', pubname::text FROM pg_publication
UNION SELECT 'event trigger', evtname::text FROM pg_event_trigger
UNION
SELECT 'schema', own.nspname::text FROM own WHERE own.nspname <> 'public'
    AND NOT EXISTS (SELECT FROM of_extension e WHERE e.classid = 'pg_namespace'::regclass AND e.objid = own.oid)
ORDER BY 1, 2";

type Result<T> = std::result::Result<T, sqlx::Error>;

/// The relations that are read, by object identifier.
struct Relations {
    /// Key and spelling.
    names: BTreeMap<i64, (String, String)>,
}

impl Relations {
    fn key(&self, row: &PgRow) -> Result<Option<(String, String)>> {
        let oid: i64 = row.try_get("oid")?;
        Ok(self.names.get(&oid).cloned())
    }
}

/// Reads everything of a database.
pub(crate) async fn read(connection: &mut PgConnection, history: &History) -> Result<Schema> {
    let mut schema = Schema::new(Engine::Postgres);
    let relations = relations(connection, history, &mut schema).await?;
    columns(connection, history, &relations, &mut schema).await?;
    constraints(connection, history, &relations, &mut schema).await?;
    indexes(connection, history, &relations, &mut schema).await?;
    triggers(connection, history, &relations, &mut schema).await?;
    for row in sqlx::query(OTHERS).fetch_all(&mut *connection).await? {
        schema.others.push(Other {
            kind: row.try_get("kind")?,
            name: row.try_get("name")?,
        });
    }
    schema.others.sort();
    schema
        .constraint_names
        .extend(sqlx::query_scalar::<_, String>(SEQUENCES).fetch_all(connection).await?);
    Ok(schema)
}

async fn relations(connection: &mut PgConnection, history: &History, schema: &mut Schema) -> Result<Relations> {
    let mut names = BTreeMap::new();
    for row in sqlx::query(RELATIONS).fetch_all(connection).await? {
        let namespace: String = row.try_get("schema")?;
        let bare: String = row.try_get("name")?;
        let kind: String = row.try_get("kind")?;
        let name = if namespace == "public" {
            bare.clone()
        } else {
            format!("{namespace}.{bare}")
        };
        let key = name.to_lowercase();
        if is_runner_table(&bare) {
            schema.runner_tables.push(name);
            continue;
        }
        if row.try_get("relispartition")? {
            schema.others.push(Other {
                kind: "partition".to_owned(),
                name,
            });
            continue;
        }
        names.insert(row.try_get("oid")?, (key.clone(), bare.clone()));
        let origin = history.of_transaction(row.try_get("transaction")?, &[&bare]);
        match kind.as_str() {
            "v" | "m" => {
                schema.views.insert(
                    key,
                    View {
                        name,
                        columns: Vec::new(),
                        query: without_qualifiers(&row.try_get::<Option<String>, _>("query")?.unwrap_or_default()),
                        materialized: kind == "m",
                        broken: None,
                        origin,
                    },
                );
            }
            _ => {
                schema.tables.insert(
                    key,
                    Table {
                        name,
                        strict: false,
                        columns: Vec::new(),
                        primary_key: None,
                        foreign_keys: Vec::new(),
                        checks: Vec::new(),
                        indexes: Vec::new(),
                        origin,
                    },
                );
            }
        }
    }
    Ok(Relations { names })
}

async fn columns(
    connection: &mut PgConnection,
    history: &History,
    relations: &Relations,
    schema: &mut Schema,
) -> Result<()> {
    for row in sqlx::query(COLUMNS).fetch_all(connection).await? {
        let Some((key, bare)) = relations.key(&row)? else {
            continue;
        };
        let name: String = row.try_get("name")?;
        if let Some(view) = schema.views.get_mut(&key) {
            view.columns.push(name);
            continue;
        }
        let Some(table) = schema.tables.get_mut(&key) else {
            continue;
        };
        let declared: String = row.try_get("declared")?;
        let type_name: String = row.try_get("type")?;
        let category: String = row.try_get("category")?;
        let labels: Vec<String> = row.try_get("labels")?;
        let expression: Option<String> = row.try_get("expression")?;
        let generated: bool = row.try_get("generated")?;
        let identity: bool = row.try_get("identity")?;
        let sequence = identity || expression.as_ref().is_some_and(|text| text.starts_with("nextval("));
        let origin = history.of_transaction(row.try_get("transaction")?, &[&bare, &name]);
        for check in row.try_get::<Vec<String>, _>("checks")? {
            table.checks.push(Check {
                text: check.replace("VALUE", &quote(&name)),
                origin: origin.clone(),
            });
        }
        table.columns.push(Column {
            kind: classes::postgres(&type_name, &declared, category.chars().next().unwrap_or(' '), labels),
            not_null: row.try_get("not_null")?,
            default: expression.clone().filter(|_| !generated && !sequence),
            numbered: (sequence && !generated).then_some(if row.try_get("always")? {
                Numbered::Always
            } else {
                Numbered::Sequence
            }),
            generated: expression.filter(|_| generated),
            collation: row.try_get("collation")?,
            name,
            origin,
        });
    }
    Ok(())
}

/// The query of a view on one table without the table's name before each column: PostgreSQL writes it until version 15 and
/// leaves it out from 16 on.
pub(crate) fn without_qualifiers(text: &str) -> String {
    let tokens = lexer::tokens(Engine::Postgres, text);
    let is_query =
        tokens.first().is_some_and(|token| token.is("SELECT")) || tokens.iter().take(6).any(|token| token.is("VIEW"));
    let from: Vec<usize> = (0..tokens.len()).filter(|at| tokens[*at].is("FROM")).collect();
    let ([from], false) = (
        from.as_slice(),
        !is_query || tokens.iter().any(|token| token.is("JOIN")),
    ) else {
        return text.to_owned();
    };
    // FROM [schema.]table
    let mut name = from + 1;
    while tokens.get(name + 1).is_some_and(|token| token.is_symbol('.')) {
        name += 2;
    }
    let Some(table) = tokens.get(name) else {
        return text.to_owned();
    };
    if tokens.get(name + 1).is_some_and(|token| token.is_symbol(',')) {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut at = 0;
    for (position, pair) in tokens.windows(2).enumerate() {
        let qualifier = pair[0].is_name() && pair[0].text == table.text && pair[1].is_symbol('.');
        let after_point = position > 0 && tokens[position - 1].is_symbol('.');
        if qualifier && !after_point {
            kept += text.get(at..pair[0].start).unwrap_or_default();
            at = pair[1].end;
        }
    }
    kept + text.get(at..).unwrap_or_default()
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn action(letter: &str) -> String {
    match letter {
        "c" => "CASCADE",
        "n" => "SET NULL",
        "d" => "SET DEFAULT",
        "r" => "RESTRICT",
        _ => "NO ACTION",
    }
    .to_owned()
}

async fn constraints(
    connection: &mut PgConnection,
    history: &History,
    relations: &Relations,
    schema: &mut Schema,
) -> Result<()> {
    for row in sqlx::query(CONSTRAINTS).fetch_all(connection).await? {
        let Some((key, bare)) = relations.key(&row)? else {
            continue;
        };
        let name: String = row.try_get("name")?;
        schema.constraint_names.push(name.clone());
        let Some(table) = schema.tables.get_mut(&key) else {
            continue;
        };
        let columns: Vec<String> = row.try_get("columns")?;
        let kind: String = row.try_get("kind")?;
        let mut mentioned = vec![bare.as_str()];
        mentioned.extend(columns.first().map(String::as_str));
        let origin = history.of_transaction(row.try_get("transaction")?, &mentioned);
        match kind.as_str() {
            "p" => {
                table.primary_key = Some(Key {
                    columns,
                    nullable: Vec::new(),
                    origin,
                });
            }
            "c" => {
                if let Some(text) = row.try_get::<Option<String>, _>("expression")? {
                    table.checks.push(Check { text, origin });
                }
            }
            "f" => {
                let parent: i64 = row.try_get("parent")?;
                let Some((parent, _)) = relations.names.get(&parent) else {
                    continue;
                };
                let mut on_delete = action(&row.try_get::<String, _>("on_delete")?);
                let only: Vec<String> = row.try_get("on_delete_columns")?;
                if !only.is_empty() && only.len() < columns.len() {
                    on_delete = format!("{on_delete} ({})", only.join(", "));
                }
                table.foreign_keys.push(ForeignKey {
                    columns,
                    parent: parent.clone(),
                    parent_columns: row.try_get("parent_columns")?,
                    on_delete,
                    on_update: action(&row.try_get::<String, _>("on_update")?),
                    deferred: row.try_get("deferred")?,
                    match_full: row.try_get("match_full")?,
                    dangling: None,
                    origin,
                });
            }
            // What is unique is read with the indexes.
            "x" => schema.others.push(Other {
                kind: "exclusion constraint".to_owned(),
                name,
            }),
            _ => {}
        }
    }
    Ok(())
}

async fn indexes(
    connection: &mut PgConnection,
    history: &History,
    relations: &Relations,
    schema: &mut Schema,
) -> Result<()> {
    for row in sqlx::query(INDEXES).fetch_all(connection).await? {
        let Some((key, _)) = relations.key(&row)? else { continue };
        let name: String = row.try_get("name")?;
        let origin = history.of_transaction(row.try_get("transaction")?, &[&name]);
        let expressions: Vec<String> = row.try_get("expressions")?;
        let names: Vec<String> = row.try_get("names")?;
        let options: Vec<i32> = row.try_get("options")?;
        let collations: Vec<String> = row.try_get("collations")?;
        let keys = usize::try_from(row.try_get::<i32, _>("keys")?).unwrap_or(0);
        let column = |at: usize| {
            let name = names.get(at).filter(|name| !name.is_empty());
            IndexColumn {
                text: name.or(expressions.get(at)).cloned().unwrap_or_default(),
                expression: name.is_none(),
                descending: options.get(at).is_some_and(|bits| bits & 1 == 1),
                collation: collations.get(at).filter(|collation| !collation.is_empty()).cloned(),
            }
        };
        let is_primary: bool = row.try_get("indisprimary")?;
        if is_primary {
            continue;
        }
        let index = Index {
            unique: row.try_get("indisunique")?,
            columns: (0..keys).map(column).collect(),
            include: names.iter().skip(keys).cloned().collect(),
            predicate: row.try_get("predicate")?,
            method: row.try_get("method")?,
            nulls_not_distinct: row.try_get("nulls_not_distinct")?,
            constraint: row.try_get("is_constraint")?,
            name,
            origin,
        };
        match schema.tables.get_mut(&key) {
            Some(table) => table.indexes.push(index),
            None => schema.others.push(Other {
                kind: "index of a materialized view".to_owned(),
                name: index.name,
            }),
        }
    }
    Ok(())
}

async fn triggers(
    connection: &mut PgConnection,
    history: &History,
    relations: &Relations,
    schema: &mut Schema,
) -> Result<()> {
    for row in sqlx::query(TRIGGERS).fetch_all(connection).await? {
        let Some((key, _)) = relations.key(&row)? else { continue };
        let name: String = row.try_get("name")?;
        let bits: i32 = row.try_get("bits")?;
        let body: String = row.try_get("body")?;
        let timing = match (bits & 2 != 0, bits & 64 != 0) {
            (true, _) => "BEFORE",
            (_, true) => "INSTEAD OF",
            _ => "AFTER",
        };
        let events = [(8, "DELETE"), (4, "INSERT"), (32, "TRUNCATE"), (16, "UPDATE")];
        schema.triggers.push(Trigger {
            table: key,
            timing: timing.to_owned(),
            events: events
                .into_iter()
                .filter(|(bit, _)| bits & bit != 0)
                .map(|(_, event)| event.to_owned())
                .collect(),
            columns: row.try_get("columns")?,
            serves_search: body.contains("tsvector"),
            origin: history.of_transaction(row.try_get("transaction")?, &[&name]),
            name,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_view_on_one_table_loses_its_qualifiers() {
        assert_eq!(
            without_qualifiers("SELECT t.a, count(*) FROM t WHERE t.b > 't.c'"),
            "SELECT a, count(*) FROM t WHERE b > 't.c'"
        );
        assert_eq!(
            without_qualifiers("CREATE VIEW s.v AS SELECT t.a FROM s.t"),
            "CREATE VIEW s.v AS SELECT a FROM s.t"
        );
        for text in [
            "SELECT t.a FROM t JOIN u ON t.a = u.a",
            "SELECT t.a FROM t, u",
            "CREATE TABLE t (a int)",
        ] {
            assert_eq!(without_qualifiers(text), text);
        }
    }
}
