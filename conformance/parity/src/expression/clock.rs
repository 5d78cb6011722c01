//! The present time: an instant, a day or a time of day, of UTC or of the place, whatever it is written in.

use super::form::Form;

pub(super) fn now() -> Form {
    Form::call("now", [])
}

pub(super) fn today() -> Form {
    Form::call("today", [])
}

pub(super) fn time_of_day() -> Form {
    Form::call("time of day", [])
}

/// As the clock on the wall shows it.
pub(super) fn local(form: Form) -> Form {
    Form::call("local", [form])
}

pub(super) fn is_now(form: &Form) -> bool {
    *form == now() || matches!(form, Form::Text(text) if text.eq_ignore_ascii_case("now"))
}

/// Whether a time zone is UTC.
pub(super) fn is_utc(zone: &Form) -> bool {
    const NAMES: [&str; 7] = ["utc", "gmt", "etc/utc", "z", "zulu", "00:00:00", "+00"];
    matches!(zone, Form::Text(text) if NAMES.contains(&text.to_lowercase().as_str()))
}

/// SQLite's `date('now', …)` and its like; nothing where they are of another time.
pub(super) fn of_function(name: &str, operands: &[Form]) -> Option<Form> {
    let (format, rest) = match operands.split_first() {
        Some((format, rest)) if name == "strftime" => (Some(format), rest),
        _ => (None, operands),
    };
    let modifiers = match rest.split_first() {
        Some((value, modifiers)) if is_now(value) => modifiers,
        // unixepoch('subsec')
        Some((Form::Text(value), [])) if value.starts_with("subsec") => &[],
        Some(_) => return None,
        None => &[],
    };
    let mut form = match (name, format) {
        ("date", _) => today(),
        ("time", _) => time_of_day(),
        ("strftime", Some(Form::Text(format))) => formatted(format),
        _ => now(),
    };
    let mut is_local = false;
    for modifier in modifiers {
        let Form::Text(modifier) = modifier else {
            return Some(Form::call(name, [now(), modifier.clone()]));
        };
        match modifier.trim().to_lowercase().as_str() {
            "localtime" => is_local = true,
            "utc" | "subsec" | "subsecond" | "auto" => {}
            "start of day" => form = today(),
            other => {
                let operator = if other.starts_with('-') { "-" } else { "+" };
                form = Form::call(operator, [form, Form::Text(interval(other))]);
            }
        }
    }
    Some(if is_local { local(form) } else { form })
}

/// What a format of `strftime` keeps of the present.
fn formatted(format: &str) -> Form {
    let letters: Vec<char> = format
        .split('%')
        .skip(1)
        .filter_map(|part| part.chars().next())
        .collect();
    let has = |letter: char| letters.contains(&letter);
    let day = has('F') || has('Y') && (has('m') && (has('d') || has('e')) || has('j'));
    let clock = ['H', 'I', 'T', 'R', 'k', 'l'].into_iter().any(has);
    match (day, clock) {
        _ if has('s') || has('J') => now(),
        (true, true) => now(),
        (true, false) => today(),
        (false, true) => time_of_day(),
        (false, false) => Form::call("strftime", [Form::Text(format.to_owned()), now()]),
    }
}

/// A length of time as PostgreSQL's catalog writes it, in the singular: `1 day`, `1 month`, `01:00:00`.
pub(super) fn interval(text: &str) -> String {
    let text = text.trim().trim_start_matches(['+', '-']).trim().to_lowercase();
    let Some((number, unit)) = text.split_once(char::is_whitespace) else {
        return text;
    };
    let seconds = |of_one: u64| number.parse::<u64>().ok().map(|number| number.saturating_mul(of_one));
    let unit = unit.trim().trim_end_matches('s');
    let seconds = match unit {
        "hour" => seconds(3600),
        "minute" | "min" => seconds(60),
        "second" | "sec" => seconds(1),
        "mon" => return format!("{number} month"),
        _ => None,
    };
    match seconds {
        Some(seconds) => format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
        None => format!("{number} {unit}"),
    }
}

/// The present, if a form is nothing else: in whatever unit, to whatever digit.
pub(super) fn present(form: &Form) -> Option<Form> {
    const CONVERSIONS: [&str; 14] = [
        "substr",
        "replace",
        "round",
        "floor",
        "trunc",
        "ceil",
        "cast",
        "printf",
        "format",
        "concat",
        "to_char",
        "strftime",
        "date_trunc",
        "||",
    ];
    let Form::Call(name, operands) = form else { return None };
    let constant = |operand: &Form| matches!(operand, Form::Number(_) | Form::Text(_));
    let presents: Vec<Form> = operands.iter().filter_map(present).collect();
    let is_conversion = match (name.as_str(), operands.as_slice()) {
        ("now" | "today" | "time of day", _) | ("local", [_]) => return Some(form.clone()),
        ("*" | "/", operands) => {
            presents.len() == 1
                && operands
                    .iter()
                    .all(|operand| matches!(operand, Form::Number(_)) || present(operand).is_some())
        }
        ("+", operands) => presents.len() == operands.len(),
        ("-", [_, Form::Number(epoch)]) => epoch == "2440587.5",
        (name, operands) => {
            CONVERSIONS.contains(&name)
                && operands
                    .iter()
                    .all(|operand| constant(operand) || present(operand).is_some())
        }
    };
    let first = presents.first().filter(|_| is_conversion)?;
    if presents.iter().all(|other| other == first) {
        return Some(first.clone());
    }
    let is_local = presents
        .iter()
        .any(|present| matches!(present, Form::Call(name, _) if name == "local"));
    Some(if is_local { local(now()) } else { now() })
}
